"""The benchmark's pure parts: what it promises to show, and how it computes it."""

import fcntl
import json
import os
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import IO

import psycopg2
import pytest
from rich.console import Console

from benchmarks import program, report
from benchmarks.__main__ import GROUPS
from benchmarks.bench import Bench
from benchmarks.clients import wait_until_stored
from benchmarks.contender import Contender, ContenderFailed
from benchmarks.deployed import environments
from benchmarks.figures import FIGURES, FUNCTIONS, INPUTS, BenchError, Figure, Measured
from benchmarks.logs import BATCH, COLUMNS, batch, content_bytes, make_logs, rows
from benchmarks.rounds import interleave, ratio
from benchmarks.store import FAIR_SHARE_OF_COPY, require_fair
from deploy.connections import KEYS
from stack import BUILD

README = Path(__file__).parents[1] / "benchmarks" / "README.md"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MEASURED = {figure.key: Measured(figure.target) for figure in FIGURES} | {key: Measured(1) for key in INPUTS}


def test_readme_names_every_figure_with_its_target() -> None:
    lines = re.findall(r"^\| `(\w+)` \| .+ \| ([≥≤] [\d.,]+) \|$", README.read_text(), re.MULTILINE)
    assert [(key, goal.replace(",", "")) for key, goal in lines] == [(figure.key, figure.goal) for figure in FIGURES]


def test_every_figure_is_measured_by_one_group() -> None:
    keys = [key for group in GROUPS.values() for key in group.keys]
    assert [key for key in keys if key not in INPUTS] == [figure.key for figure in FIGURES]
    assert sorted(key for key in keys if key in INPUTS) == sorted(INPUTS)


def test_what_a_group_needs_is_started_first() -> None:
    for group in GROUPS.values():
        assert all(isinstance(getattr(Bench, need), cached_property) for need in group.needs)


def test_waiting_ends_when_all_is_stored_and_fails_when_there_is_more() -> None:
    counts = iter([1, 2, 3])
    wait_until_stored(3, lambda: next(counts))
    assert next(counts, None) is None
    with pytest.raises(BenchError, match="2 logs were accepted, 3 are stored"):
        wait_until_stored(2, lambda: 3)


def test_cold_starts_are_those_of_every_function() -> None:
    folders = {path.parent.name for path in (README.parents[2] / "functions").glob("*/app.py")}
    assert folders == {*FUNCTIONS}


def test_a_figure_meets_its_target_from_the_right_side() -> None:
    assert Figure("rate", 5).is_met(5.1)
    assert not Figure("rate", 5).is_met(4.9)
    assert Figure("delay", 5, is_ceiling=True).is_met(4.9)
    assert not Figure("delay", 5, is_ceiling=True).is_met(5.1)


def test_report_has_every_key_and_rows_only_when_they_are_fewer(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    report.write(file, report.document(MEASURED, None))
    assert json.loads(file.read_text()) == {figure.key: figure.target for figure in FIGURES} | dict.fromkeys(INPUTS, 1)
    assert report.document(MEASURED, 7)["rows"] == 7
    with pytest.raises(KeyError):
        report.document({}, None)


def test_table_shows_value_target_and_absolute_figures() -> None:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(report.table({"store_vs_copy": Measured(0.5, "1/s against 2/s")}))
    assert captured.get().splitlines()[1].split() == ["store_vs_copy", "0.5", "≥", "0.75", "1/s", "against", "2/s"]


# A contender whose child holds a lock as long as it lives.
WITH_A_CHILD = """
import fcntl, multiprocessing, sys, time
from benchmarks.contender import serve

def hold(held):
    lock = open(sys.argv[1], "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    held.set()
    time.sleep(60)

def actions():
    context = multiprocessing.get_context("fork")
    held = context.Event()
    context.Process(target=hold, args=(held,), daemon=True).start()
    held.wait()
    return {"add": lambda one, other: one + other}

serve(actions)
"""


def test_a_contender_ends_with_all_its_processes(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    command = [sys.executable, "-c", WITH_A_CHILD, str(lock)]
    environ = os.environ | {"PYTHONPATH": str(README.parents[1])}
    with lock.open("w") as mine, Contender(command, environ, tmp_path / "log") as contender:
        assert contender.ask("add", one=1, other=2) == 3
        with pytest.raises(BlockingIOError):
            fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.open("w") as mine:
        deadline = time.monotonic() + 10
        while not _is_free(mine):
            assert time.monotonic() < deadline, "a process of it is alive"
            time.sleep(0.01)


def _is_free(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_contenders_take_turns_and_ratios_are_of_one_round() -> None:
    calls: list[str] = []

    def contender(name: str, *rates: float) -> tuple[str, Callable[[int], float]]:
        def run(number: int) -> float:
            calls.append(name)
            return rates[number]

        return name, run

    rates = interleave(3, dict([contender("ours", 10, 40, 90), contender("theirs", 1, 2, 3)]))
    assert calls == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert ratio(rates, "ours", "theirs").value == 20


def test_logs_are_realistic_and_their_ids_are_new_in_every_block() -> None:
    logs = make_logs(BATCH)
    assert 200 < content_bytes(logs) < 260
    block = batch(logs, NOON)
    first, second = (json.loads(block.vary(seed))["logs"] for seed in (1, 2))
    assert len(first) == BATCH
    assert first[0]["level"] == logs[0].level
    traces = {log["trace_id"] for body in (first, second) for log in body}
    assert len(traces) == 2 * BATCH
    assert all(re.fullmatch("[0-9a-f]{32}", trace) for trace in traces)


def test_rows_are_text_for_copy_with_the_columns_of_the_reference_table() -> None:
    columns = re.findall(r"^    (\w+) +\w+", (README.parent / "reference.sql").read_text(), re.MULTILINE)
    assert ", ".join(columns) == " ".join(COLUMNS.split())
    lines = rows(make_logs(10)).rows(1, NOON).decode("ascii").splitlines()
    fields = dict(zip(columns, lines[3].split("\t"), strict=True))
    assert fields["position"] == "3"
    assert NOON < datetime.fromisoformat(fields["event_at"]) < datetime.fromisoformat(fields["received_at"])
    assert json.loads(fields["metadata"])


def test_functions_get_the_settings_they_are_deployed_with() -> None:
    settings = environments({name: name for name in KEYS})
    assert settings.keys() == {*FUNCTIONS}
    assert settings["process_chunk"]["DATABASE_URL"] == "writer_database_url"
    assert int(settings["drain"]["CHUNK_CONCURRENCY"]) > 0
    assert settings["ingest"]["SHARD_COUNT"] == "1"


def test_a_run_with_a_slow_baseline_is_invalid() -> None:
    assert FAIR_SHARE_OF_COPY == 0.035
    require_fair(Measured(0.036))
    with pytest.raises(BenchError, match="invalid"):
        require_fair(Measured(0.034))


def test_a_second_run_disturbs_no_first() -> None:
    name = "bench-stack-of-a-test"
    lock = BUILD / f"{name}.lock"
    with lock.open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        with pytest.raises(BenchError, match=f"another run uses .*{name}: wait"), program.servers(name):
            pass
    lock.unlink()


@pytest.mark.parametrize("error", [BenchError("is worth\nnothing"), ContenderFailed("ended"), psycopg2.Error("gone")])
def test_what_ends_a_run_early_is_told_without_a_traceback(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    assert program.exit_code("bench", fail) == 1
    assert capsys.readouterr().out == f"bench: {error}\n"


def test_an_interrupted_run_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    assert program.exit_code("bench", interrupt) == 130
    assert "interrupted" in capsys.readouterr().out
    assert program.exit_code("bench", lambda: None) == 0


def test_a_mistake_in_the_benchmark_keeps_its_traceback() -> None:
    def err() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        program.exit_code("bench", err)
