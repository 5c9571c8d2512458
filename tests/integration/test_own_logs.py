"""What the functions say of themselves: nothing of what customers sent, and little."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis

from aws import FunctionRunner, load_app
from own_lines import OwnLines
from own_lines import own_lines as caught
from real_stage import RealStage
from samples import poison, record, submission, submission_of
from scratch import Scratch
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.packing import pack_record
from sluice.runtime.postgres import Database
from sluice.streams.redis import RedisQueue
from sluice.templates.postgres import PostgresClusterer
from sluice_cli.own_logs import Line, own_logs

CANARY = "kanarienvogel"
LOG = {
    "message": f"{CANARY} sings 17 times",
    "metadata": {CANARY: CANARY, "a": {"b": CANARY}},
    **dict.fromkeys(("trace_id", "span_id", "session_id", "logger", "host", "service", "version"), CANARY),
    CANARY: CANARY,
}
BAD_LOGS: list[Any] = [
    LOG | {"level": CANARY},
    LOG | {"level": [CANARY]},
    LOG | {"timestamp": CANARY},
    LOG | {"metadata": CANARY},
    {CANARY: CANARY},
    CANARY,
    LOG | {"message": None},
    LOG | {"severity_number": CANARY, "severity_text": CANARY},
]
BAD_BODIES = [
    f'{{"{CANARY}',
    f'{{"message": "{CANARY}"}} {CANARY}',
    f'{{"message": "{CANARY}\\ud800\\u0000"}}',
    f"\udcff{CANARY}",
    CANARY,
    f'[{{"{CANARY}": {"[" * 600}',
    f'{{"logs": {{"{CANARY}": 1}}}}',
    f'{{"{CANARY}": 1{"0" * 500}}}',
]
BAD_HEADERS = [
    {"X-API-Key": CANARY},
    {"Content-Type": f"{CANARY}/{CANARY}"},
    {"Content-Type": "text/plain"},
    {"Content-Encoding": CANARY},
    {"Content-Encoding": "gzip"},
    {"Idempotency-Key": CANARY},
    {"Idempotency-Key": CANARY * 50},
    {"traceparent": CANARY, "User-Agent": CANARY, "Cookie": f"sluice_session={CANARY}"},
    {"Authorization": f"Bearer {CANARY}", "X-API-Key": ""},
]
QUERIES: list[tuple[str, dict[str, str]]] = [
    ("/api/logs", {"q": CANARY}),
    ("/api/logs", {"q": f"{CANARY}:("}),
    ("/api/logs", {"cursor": CANARY}),
    ("/api/logs", {"since": CANARY}),
    ("/api/logs", {"application": CANARY}),
    ("/api/logs", {f"metadata.{CANARY}": CANARY}),
    ("/api/logs", {CANARY: CANARY}),
    ("/api/histogram", {"q": CANARY, "by": "template"}),
    ("/api/facets", {"field": f"metadata.{CANARY}"}),
    ("/api/facets", {"field": CANARY}),
    ("/api/stats", {"text": CANARY}),
    ("/api/templates", {"q": CANARY}),
    ("/api/tail", {"cursor": CANARY}),
    ("/api/diff", {"version": CANARY}),
]
RULE = {
    "name": CANARY,
    "kind": "threshold",
    "query": CANARY,
    "window_seconds": 60,
    "for_seconds": 0,
    "above": 0,
    "severity": "warning",
    "labels": {"team": CANARY},
}
CHANNEL = {"name": CANARY, "kind": "webhook", "target": {"url": f"https://{CANARY}.invalid/{CANARY}"}}


@pytest.fixture(scope="module")
def database(migrated_database: Callable[[], Scratch]) -> Scratch:
    """One without rules of other tests, some of which nobody can judge."""
    return migrated_database()


@pytest.fixture
def stage(
    database: Scratch,
    redis_url: str,
    redis_client: redis.Redis,
    function_runner: FunctionRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> RealStage:
    return RealStage(database, redis_url, redis_client, function_runner, monkeypatch)


@pytest.fixture
def lines(stage: RealStage, capsys: pytest.CaptureFixture[str]) -> Iterator[OwnLines]:
    with caught(capsys) as lines:
        yield lines


def check(lines: OwnLines) -> None:
    told = [line for line in lines.text.splitlines() if CANARY in line.lower()]
    assert told == []


def test_nothing_of_a_request_is_told(stage: RealStage, lines: OwnLines) -> None:
    assert stage.post([LOG] * 3 + BAD_LOGS)[0] == 202
    for body in BAD_BODIES:
        for path in ("/api/ingest", "/v1/logs"):
            for kind in ("application/json", "application/x-ndjson", "application/x-protobuf"):
                headers = {"Content-Type": kind}
                stage.post(body.encode("utf-8", "surrogateescape"), path=path, headers=headers)
    statuses = [stage.post([LOG], headers=headers)[0] for headers in BAD_HEADERS]
    assert {202, 400, 401, 415} <= set(statuses)
    assert len(lines.text.splitlines()) > 50
    check(lines)


def test_nothing_of_a_log_is_told_on_its_way(stage: RealStage, lines: OwnLines, redis_client: redis.Redis) -> None:
    queue = RedisQueue(redis_client, shard_count=1, backlog_limit_bytes=10**9)
    bad = [
        poison(1).replace(b"checkout", CANARY.encode()),
        b"far out\t" + CANARY.encode() + b"\n",
        CANARY.encode() + b"\n",
    ]
    sent = submission_of([pack_record(record(0, CANARY)), *bad], application_id=stage.application_id)
    queue.submit(sent)
    reused = submission(
        [record(0, CANARY)], application_id=stage.application_id, batch_id=sent.batch_id, body_hash=b"x" * 16
    )
    queue.submit(reused)
    redis_client.xadd("logs:queue:{0}", {CANARY: CANARY, "batch": CANARY, "application": CANARY})
    stage.post([LOG] * 20)
    for _ in range(2):
        stage.drain()
    for _ in range(2):
        stage.runner.invoke("index", {})
    assert stage.call("admin", "GET", "/api/dead-letters", reason=CANARY)[0] == 200
    stage.call("admin", "POST", "/api/dead-letters/redrive", {"application": stage.application})
    stage.call("admin", "POST", "/api/dead-letters/redrive", {"reason": CANARY, "status": CANARY})
    found = lines.text
    assert '"chunk stored"' in found
    assert '"records dead-lettered"' in found
    check(lines)


def test_nothing_of_a_search_or_a_rule_is_told(stage: RealStage, lines: OwnLines) -> None:
    stage.post([LOG | {"level": "error"}] * 20)
    stage.drain()
    for path, query in QUERIES:
        stage.get(path, **query)
    for parent in ("/api/logs/", "/api/templates/", "/api/batches/"):
        assert stage.get(f"{parent}{CANARY}", parent=parent)[0] in (400, 404)
    body = {"application": stage.application} | RULE
    assert stage.call("alerts", "POST", "/api/rules", body)[0] == 201
    assert stage.call("alerts", "POST", "/api/rules", body | {"query": f"{CANARY}:("})[0] == 400
    stage.call("alerts", "POST", "/api/channels", {"application": stage.application} | CHANNEL)
    for _ in range(2):
        stage.runner.invoke("watch", {})
    check(lines)


def test_nothing_of_an_unexpected_error_is_told(
    stage: RealStage, lines: OwnLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages of exceptions quote what they stumbled over."""

    def stumbles(*_: object, **__: object) -> Any:
        try:
            raise ValueError(CANARY)
        except ValueError as error:
            error.add_note(CANARY)
            raise LookupError(CANARY) from error

    stage.post([LOG])
    chunk = load_app("process_chunk")
    monkeypatch.setattr(chunk._dependencies().clusterer.__class__, "cluster", stumbles)
    stage.drain()
    assert [line["exception_name"] for line in lines.about('"clustering failed"')] == ["LookupError"]
    assert "test_own_logs.py" in lines.about('"clustering failed"')[0]["exception"], "where it happened is told"
    stage.post([LOG])
    monkeypatch.setattr(chunk._dependencies().store.__class__, "store", stumbles)
    stage.drain()
    assert [line["code"] for line in lines.about('"chunk failed"')] == ["chunk_crashed"]
    monkeypatch.setattr(load_app("ingest"), "_dependencies", stumbles)
    monkeypatch.setattr(load_app("query"), "_dependencies", stumbles)
    assert stage.post([LOG])[0] == stage.get("/api/stats")[0] == 500
    assert len(lines.about('"unexpected error"')) == 2
    check(lines)


class Shipper:
    """`sluice own-logs`, with the lines that these tests catch for CloudWatch, and the stage for the API."""

    def __init__(self, stage: RealStage, lines: OwnLines) -> None:
        self.stage, self.lines = stage, lines
        self._read = 0

    def ship(self) -> int:
        """Stores what was written since the last time; how many logs that were."""
        new = self.lines.text.splitlines()[self._read :]
        self._read += len(new)
        told = [
            Line(number, "drain" if '"batch_ids"' in text else "process-chunk", "s", text)
            for number, text in enumerate(new)
        ]
        found = list(own_logs(told, self.stage.application_id))
        for identity, log in found:
            assert self.stage.post([log], headers={"Idempotency-Key": f"own-{identity}"})[0] == 202
        return len(found)


def test_own_logs_do_not_feed_themselves(
    stage: RealStage, lines: OwnLines, monkeypatch: pytest.MonkeyPatch, redis_client: redis.Redis
) -> None:
    """Neither when they are stored, nor while the database is away and what waits is tried again and again."""
    shipper, other = Shipper(stage, lines), stage.scratch.create_application()
    queue = RedisQueue(redis_client, shard_count=1, backlog_limit_bytes=10**9)
    queue.submit(submission([record(0)], application_id=other))
    chunk, works = load_app("process_chunk"), load_app("process_chunk")._dependencies()
    down = Database("postgresql://nobody@127.0.0.1:9/none")
    broken = replace(works, store=PostgresChunkStore(down), clusterer=PostgresClusterer(down))
    monkeypatch.setattr(chunk, "_dependencies", lambda: broken)
    stage.drain()
    assert shipper.ship() == 2, "a stranger's log got no template, and could not be stored"
    waiting = [entry.entry_id for entry in queue.inspect(0, max_entries=100, max_pending=100).pending]
    queue.acknowledge(0, queue.read(0, waiting))
    for _ in range(3):
        stage.drain()
        assert shipper.ship() == 0, "only own logs wait, and nothing is told of them"
    monkeypatch.setattr(chunk, "_dependencies", lambda: works)
    stage.drain()
    stage.runner.invoke("index", {})
    assert shipper.ship() == 0, "they are stored without a word"
    assert stage.get("/api/stats", application=stage.application)[1]["total"] == 2


# Bytes of own log for a million stored ones, by how many come in a request; the logs themselves are 200 MB.
@pytest.mark.parametrize(("batch", "budget"), [(1_000, 1_000_000), (100, 5_000_000), (1, 450_000_000)])
def test_own_logs_have_a_budget(stage: RealStage, lines: OwnLines, batch: int, budget: int) -> None:
    requests = min(20_000 // batch, 300)
    for number in range(requests):
        stage.post([{"message": f"order {number} of {position}", "level": "error"} for position in range(batch)])
    stage.drain()
    stage.runner.invoke("index", {})
    stored = sum(line["stored"] for line in lines.about('"chunk stored"') if "stored" in line)
    assert stored == requests * batch
    written = len(lines.text.encode())
    assert written / stored * 1_000_000 < budget
