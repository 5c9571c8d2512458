"""The development loop's pure parts: what a save means, whether it can run, what a log line says."""

import json
import sys
import threading
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dev import checks, records
from dev.errors import BrokenSource, DevError
from dev.loop import Loop
from dev.records import Record
from dev.sources import Changes, Sources, archive, classify
from dev.streams import FileStream, FunctionStream
from dev.view import Filter, View
from dev.watching import saves

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """A working tree with two functions and a layer."""
    for name in ("functions/ingest/app.py", "functions/drain/app.py", "layers/common/python/sluice/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "functions/ingest/app.py").write_text("import sluice\ndef handler(event, context): ...\n")
    return Sources(tmp_path)


def test_a_template_that_is_saved_by_replacing_it_is_noticed_each_time(sources: Sources) -> None:
    sources.template.write_text("0")
    stop = threading.Event()
    saved = saves(sources, stop)
    assert next(saved) == []
    for number in ("1", "2"):
        draft = sources.root / "draft"
        draft.write_text(number)
        draft.replace(sources.template)
        assert next(saved) == [sources.template]
    assert next(saved) == []
    stop.set()


@pytest.mark.parametrize(
    ("saved", "meaning"),
    [
        (["functions/ingest/app.py", "functions/ingest/__pycache__/app.pyc"], Changes(frozenset(["ingest"]))),
        (["layers/common/python/sluice/schema/migrations/1.sql"], Changes(is_layer=True)),
        (["layers/common/requirements.lock"], Changes(needs_deploy=True)),
        (["template.yaml"], Changes(needs_deploy=True)),
        (["functions/ingest/.app.py.swp", "functions/ingest/4913~", "functions/nothing/here.txt"], Changes()),
        (["functions/query/app.py"], Changes(frozenset(["query"]))),  # deleted: what runs has lost its source
    ],
)
def test_what_a_save_means(sources: Sources, saved: list[str], meaning: Changes) -> None:
    assert classify(sources, [sources.root / name for name in saved]) == meaning


def test_equal_folders_give_equal_archives(sources: Sources) -> None:
    first = archive(sources.functions / "ingest")
    (sources.functions / "ingest" / "app.py").touch()
    assert archive(sources.functions / "ingest") == first
    (sources.functions / "ingest" / "app.py").write_text("changed = 1\n")
    assert archive(sources.functions / "ingest") != first


def test_a_syntax_error_shows_its_place(sources: Sources) -> None:
    file = sources.functions / "ingest" / "app.py"
    file.write_text("def handler(:\n")
    with pytest.raises(BrokenSource, match=r'app\.py", line 1\n.*\n.*\^.*\nSyntaxError'):
        checks.compile_all([file, file.with_name("deleted.py")])


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("from sluice import nothing", "ImportError"),
        ("x = undefined", "NameError"),
        ("x = 1", "AttributeError: module 'app' has no attribute 'handler'"),
    ],
)
def test_what_fails_at_import_is_found_before(sources: Sources, tmp_path: Path, source: str, problem: str) -> None:
    (sources.functions / "drain" / "app.py").write_text(f"{source}\n")
    python = Path(sys.executable)
    checks.import_handlers(sources, ["ingest"], python, tmp_path)
    with pytest.raises(BrokenSource, match=problem) as broken:
        checks.import_handlers(sources, ["drain", "ingest"], python, tmp_path)
    assert "<string>" not in str(broken.value)
    assert not list(sources.root.glob("functions/**/__pycache__"))


def powertools(**more: Any) -> str:
    line = {
        "level": "ERROR",
        "message": "chunk failed",
        "timestamp": "2026-03-01 12:00:00,250+0000",
        "service": "drain",
    }
    return json.dumps(line | more)


def test_a_line_of_powertools_keeps_what_it_says() -> None:
    record = records.of_function(
        "drain", powertools(code="circuit_open", cold_start=True, exception="Trace\n  x"), NOON
    )
    assert record == Record(
        NOON.replace(microsecond=250_000), "drain", "error", "chunk failed", {"code": "circuit_open"}, "Trace\n  x"
    )


@pytest.mark.parametrize(
    ("line", "level", "kind"),
    [
        ("START RequestId: 1 Version: $LATEST", "debug", "platform"),
        ('{"_aws": {}, "service": "drain", "drains": [1.0]}', "debug", "metrics"),
        ("plain words", "info", "log"),
        ("[ERROR] KeyError: 'x'", "error", "log"),
        ("[1, 2]", "info", "log"),
    ],
)
def test_every_line_of_a_function_is_something(line: str, level: str, kind: str) -> None:
    record = records.of_function("drain", line, NOON)
    assert (record.level, record.kind) == (level, kind)


@pytest.mark.parametrize(
    ("line", "level", "message"),
    [
        ("2026-03-01 12:00:00.250 UTC [7] FATAL:  no such role", "critical", "no such role"),
        ("2026-03-01 12:00:00.250 UTC [7] WARNING pooler error", "warning", "pooler error"),
        ("2026-03-01 12:00:00,250 INFO redis is healthy (pid 7)", "info", "redis is healthy (pid 7)"),
        ("8286:M 01 Mar 2026 12:00:00.250 # out of memory", "warning", "out of memory"),
    ],
)
def test_lines_of_servers(line: str, level: str, message: str) -> None:
    record = records.of_server("server", line, datetime.now(UTC))
    assert (record.at, record.level, record.message) == (NOON.replace(microsecond=250_000), level, message)


def test_the_emulator_s_echo_of_the_functions_is_not_shown() -> None:
    assert records.of_server("emulator", powertools(), NOON).level == "debug"


def test_the_emulator_s_bookkeeping_is_detail() -> None:
    line = "2026-03-01 12:00:00,250 {} [persistence] saved"
    assert records.of_server("emulator", line.format("INFO"), NOON).level == "debug"
    assert records.of_server("emulator", line.format("ERROR"), NOON).level == "error"


class FakeFunctions:
    """What a session has replaced; a deployment empties it."""

    def __init__(self) -> None:
        self.code: set[str] = set()
        self.layer: set[str] = set()

    @property
    def is_replaced(self) -> bool:
        return bool(self.layer)

    def replace_code(self, verb: str) -> None:
        self.code.add(verb)

    def replace_layer(self, verbs: list[str]) -> None:
        self.layer |= set(verbs)


@pytest.mark.parametrize("has_begun", [True, False])
def test_after_a_failed_deployment_what_was_saved_runs_on(sources: Sources, tmp_path: Path, *, has_begun: bool) -> None:
    functions, output = FakeFunctions(), StringIO()
    functions.replace_layer(sources.verbs())

    def deploy() -> None:
        if has_begun:  # it puts back what was deployed first
            functions.layer.clear()
        raise DevError("the deployment failed")

    (sources.functions / "drain" / "app.py").write_text("handler = print\n")
    (sources.root / "template.yaml").write_text("")
    loop = Loop(sources, functions, Console(file=output), Path(sys.executable), tmp_path, deploy)  # type: ignore[arg-type]
    loop.saved([sources.template])
    assert "not updated: the deployment failed" in output.getvalue()
    assert functions.layer == {"drain", "ingest"}
    assert functions.code == ({"drain", "ingest"} if has_begun else set())


def test_a_function_that_does_not_start_is_not_deployed_with_the_template(sources: Sources, tmp_path: Path) -> None:
    functions, output = FakeFunctions(), StringIO()
    deployments: list[int] = []
    (sources.functions / "drain" / "app.py").write_text("def (:\n")
    python, deploy = Path(sys.executable), lambda: deployments.append(1)
    loop = Loop(sources, functions, Console(file=output), python, tmp_path, deploy)  # type: ignore[arg-type]
    loop.saved([sources.template])
    assert "SyntaxError" in output.getvalue()
    assert "not updated: template.yaml would not start" in output.getvalue()
    assert deployments == []


def shown(wanted: Filter, *lines: Record) -> list[str]:
    output = StringIO()
    View(Console(file=output, width=80, highlight=False), wanted).show(list(lines))
    return [line.partition(" ")[2] for line in output.getvalue().splitlines()]


def test_lines_are_filtered_by_source_level_and_text() -> None:
    lines = [
        Record(NOON, "drain", "info", "drained", {"chunks": 4}),
        Record(NOON, "drain", "error", "chunk failed", {"code": "circuit_open"}, "Trace\n  line"),
        Record(NOON, "redis", "debug", "saved"),
        Record(NOON, "drain", "debug", "metrics", {"drains": 1}, kind="metrics"),
    ]
    drained = "drain         INFO     drained  chunks=4"
    assert shown(Filter(), *lines)[:2] == [drained, "drain         ERROR    chunk failed  code=circuit_open"]
    assert len(shown(Filter(), *lines)) == 4  # the traceback is expanded
    assert shown(Filter(text="CHUNKS=4"), *lines) == [drained]
    assert shown(Filter(only=frozenset(["redis"]), level="debug"), *lines) == ["redis         DEBUG    saved"]
    assert shown(Filter(level="critical", shows_metrics=True), *lines) == ["drain         DEBUG    metrics  drains=1"]


def test_log_text_is_never_taken_for_markup() -> None:
    assert shown(Filter(), Record(NOON, "drain", "info", "[red]x[/] [/oops]")) == [
        "drain         INFO     [red]x[/] [/oops]"
    ]


class LogGroup:
    """Stands for the CloudWatch Logs client: one page of events."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def write(self, *messages: str, stream: str = "s") -> None:
        stamp = int(NOON.timestamp() * 1000)
        self.events += [{"logStreamName": stream, "timestamp": stamp, "message": message} for message in messages]

    def get_paginator(self, _: str) -> "LogGroup":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"events": self.events}]


def test_what_a_function_logs_is_read_once() -> None:
    group = LogGroup()
    stream = FunctionStream(group, "drain", "/aws/lambda/drain", NOON)
    group.write("same", "same")
    assert [record.message for record in stream.read()] == ["same", "same"]
    assert list(stream.read()) == []
    group.write("same", stream="another invocation")
    group.write("same")
    assert [record.message for record in stream.read()] == ["same", "same"]


def test_a_traceback_is_one_record() -> None:
    group = LogGroup()
    lines = [
        "Traceback (most recent call last):",
        '  File "app.py", line 1, in handler',
        "    1 / 0",
        "ZeroDivisionError: x",
    ]
    group.write(*lines, "END RequestId: 1", "after")
    read = list(FunctionStream(group, "drain", "/aws/lambda/drain", NOON).read())
    assert [record.message for record in read] == ["\n".join(lines), "END RequestId: 1", "after"]


def test_a_server_log_is_followed_by_whole_lines_and_through_rotation(tmp_path: Path) -> None:
    file = tmp_path / "redis.log"
    file.write_text("old\n")
    stream = FileStream("redis", file, from_now=True)
    with file.open("a") as log:
        log.write("one\ntw")
    assert [record.message for record in stream.read()] == ["one"]
    with file.open("a") as log:
        log.write("o\n")
    assert [record.message for record in stream.read()] == ["two"]
    file.write_text("new\n")
    assert [record.message for record in stream.read()] == ["new"]
