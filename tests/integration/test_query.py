"""functions/query on real servers: what a key may see, and what a reader gets back."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import redis

from aws import LambdaContext
from desk import RATES, Desk, app
from samples import key_record, record, submission
from sluice.admission.redis import RedisAdmission
from sluice.applications.model import ApplicationChange, Limits, Status
from sluice.errors import RejectedInput
from sluice.ledger.postgres import PostgresLedger
from sluice.ledger.postgres_throughput import PostgresPipeline
from sluice.runtime.postgres import Database

# Of the east of the world, and of the last moment that there is.
CURSOR = base64.urlsafe_b64encode(
    json.dumps(["2026-01-01T00:00:00+16:00", "0" * 32, 0, "9999-12-31T23:59:59.999999+00:00", 0]).encode()
).decode()


def test_the_logs_of_a_disabled_application_are_for_administrators(desk: Desk) -> None:
    (application_id, name), (_, operators) = desk.new_application(), desk.new_application()
    desk.store(application_id, "still there")
    own, admin = desk.new_key(name, "read"), desk.new_key(operators, "read", "admin")
    desk.applications.change(name, ApplicationChange(status=Status.DISABLED))
    assert desk.get("/api/logs", own)[1]["code"] == "invalid_key"
    assert [log["message"] for log in desk.get("/api/logs", admin, application=name)[1]["logs"]] == ["still there"]
    ledger = desk.get("/api/ledger", admin)[1]["applications"]
    assert name in {entry["application"] for entry in ledger}


def test_a_key_sees_its_own_application_and_an_admin_key_all(desk: Desk) -> None:
    (first_id, first), (second_id, second) = desk.new_application(), desk.new_application()
    batches = {first: desk.store(first_id, "one"), second: desk.store(second_id, "two")}
    own, admin = desk.new_key(first, "read"), desk.new_key(first, "read", "admin")
    assert [log["message"] for log in desk.get("/api/logs", own)[1]["logs"]] == ["one"]
    assert desk.get("/api/logs", own, batch_id=batches[second])[1]["logs"] == []
    assert desk.get("/api/logs", own, application=second)[1]["code"] == "unknown_application"
    assert [log["message"] for log in desk.get("/api/logs", admin, application=second)[1]["logs"]] == ["two"]
    assert [log["message"] for log in desk.get("/api/logs", admin, batch_id=batches[second])[1]["logs"]] == ["two"]


def test_the_ledger_is_limited_alike(desk: Desk) -> None:
    (first_id, first), (second_id, second) = desk.new_application(), desk.new_application()
    desk.store(first_id, "a", "b")
    desk.store(second_id, "c")
    _, mine = desk.get("/api/ledger", desk.new_key(first, "read"))
    assert [item["application"] for item in mine["applications"]] == [first]
    assert mine["total"]["accepted"] == mine["total"]["stored"] == 2
    _, everything = desk.get("/api/ledger", desk.new_key(first, "read", "admin"))
    assert {first, second} <= {item["application"] for item in everything["applications"]}
    assert everything["total"]["accepted"] >= 3


@pytest.mark.parametrize("path", ["/api/logs", "/api/histogram", "/api/facets", "/api/stats", "/api/ledger"])
def test_reading_takes_the_scope_read(desk: Desk, path: str) -> None:
    _, name = desk.new_application()
    assert desk.get(path)[0] == 401
    assert desk.get(path, "wrong")[0] == 401
    assert desk.get(path, desk.new_key(name, "ingest"))[1]["code"] == "missing_scope"


def test_a_page_that_would_be_too_large_for_an_answer_is_cut(desk: Desk) -> None:
    application_id, name = desk.new_application()
    key = desk.new_key(name, "read")
    desk.store(application_id, *["x" * 65_536] * 150)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    pages = 0
    while True:
        status, page = desk.get("/api/logs", key, limit="1000", **cursor)
        assert status == 200
        assert len(json.dumps(page)) < 5_000_000
        seen += [log["id"] for log in page["logs"]]
        pages += 1
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert pages > 1
    assert len(seen) == len(set(seen)) == 150


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"cursor": CURSOR}, None),
        ({"since": "0001-01-01T00:00:00+14:00"}, "invalid_since"),
        ({"limit": "1e3"}, "invalid_limit"),
        ({"level": "loud"}, "invalid_level"),
    ],
)
def test_strange_parameters_are_no_server_error(desk: Desk, query: dict[str, str], code: str | None) -> None:
    _, name = desk.new_application()
    status, answer = desk.get("/api/logs", desk.new_key(name, "read"), **query)
    assert (status, answer.get("code")) == ((200, None) if code is None else (400, code))


def test_the_scheduled_audit_leaves_totals(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    application_id, _ = desk.new_application()
    desk.store(application_id, "a")
    totals = app.handler({"action": "audit"}, LambdaContext())
    assert totals["accepted"] >= 1
    assert totals["unaccounted"] == 0
    assert '"ledger_unaccounted":[0.0]' in capsys.readouterr().out.replace(" ", "")


def test_the_queue_is_shown_to_whoever_may_invoke(desk: Desk) -> None:
    application_id, name = desk.new_application()
    desk.queue.submit(submission([record(0), record(1)], application_id=application_id))
    desk.queue.claim(0, min_idle_seconds=0, max_records=1, max_bytes=1)
    (shard,) = app.handler({"action": "queue"}, LambdaContext())["shards"]
    assert (shard["entry_count"], shard["record_count"], shard["group"]["pending_count"]) == (1, 2, 1)
    (share,) = shard["applications"]
    assert (share["application"], share["record_count"], share["accepted_count"]) == (name, 2, 2)
    (pending,) = shard["pending"]
    assert pending["header"] == {"application_id": application_id, "application": name, "record_count": 2}
    (brief,) = app.handler({"action": "queue", "max_entries": 0, "max_pending": 0}, LambdaContext())["shards"]
    assert (brief["entry_count"], brief["read_count"], list(brief["pending"])) == (1, 0, [])
    json.dumps(shard, allow_nan=False)


def test_the_queue_is_shown_without_the_database(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.queue.submit(submission(application_id=7))
    nowhere = Database("postgresql://nobody@127.0.0.1:9/none")
    away = replace(desk.use_case.operations, open_ledger=partial(PostgresLedger, nowhere))
    monkeypatch.setattr(app, "_dependencies", lambda: replace(desk.use_case, operations=away))
    (shard,) = app.handler({"action": "queue"}, LambdaContext())["shards"]
    assert [(share["application_id"], share["application"]) for share in shard["applications"]] == [(7, None)]


@pytest.mark.parametrize(
    "asked", [{"max_entries": -1}, {"max_entries": 10**9}, {"max_pending": True}, {"max_pending": "1"}]
)
def test_a_look_at_the_queue_has_bounds(desk: Desk, asked: dict[str, Any]) -> None:
    with pytest.raises(RejectedInput):
        app.handler({"action": "queue"} | asked, LambdaContext())


def test_health(desk: Desk) -> None:
    assert desk.get("/healthz") == (200, {"status": "ok"})


def test_one_log_among_its_neighbours(desk: Desk) -> None:
    (application_id, name), (other_id, _) = desk.new_application(), desk.new_application()
    batch_id = desk.store(application_id, *(f"line {number}" for number in range(9)))
    desk.store(other_id, "between")
    key = desk.new_key(name, "read")
    status, found = desk.get(f"/api/logs/{batch_id}-4", key, before="2", after="3")
    assert (status, found["log"]["message"]) == (200, "line 4")
    assert [log["message"] for log in found["before"]] == ["line 2", "line 3"]
    assert [log["message"] for log in found["after"]] == ["line 5", "line 6", "line 7"]
    assert len(desk.get(f"/api/logs/{batch_id}-8", key)[1]["before"]) == 8
    for absent in (f"{batch_id}-9", f"{batch_id}-x", "x", f"{'0' * 32}-0"):
        assert desk.get(f"/api/logs/{absent}", key)[0] == 404


def test_counts(desk: Desk) -> None:
    application_id, name = desk.new_application()
    desk.store(application_id, "payment failed", "payment done", "other")
    key = desk.new_key(name, "read")
    times = {"since": "2020-01-01T00:00:00Z", "until": "2040-01-01T00:00:00Z"}
    _, histogram = desk.get("/api/histogram", key, q="payment", **times)
    assert (histogram["total"], histogram["partial"], [item["value"] for item in histogram["series"]]) == (
        2,
        False,
        ["INFO"],
    )
    assert len(histogram["starts"]) == len(histogram["series"][0]["counts"])
    assert sum(histogram["series"][0]["counts"]) == 2
    assert [item["value"] for item in desk.get("/api/histogram", key, by="application", **times)[1]["series"]] == [name]
    assert [item["value"] for item in desk.get("/api/histogram", key, by="none", **times)[1]["series"]] == [None]
    _, facet = desk.get("/api/facets", key, field="application")
    assert (facet["values"], facet["other_count"], facet["total"]) == ([{"value": name, "count": 3}], 0, 3)
    _, facet = desk.get("/api/facets", key, field="service")
    assert (facet["values"], facet["missing_count"]) == ([], 3)
    assert desk.get("/api/facets", key, field="metadata")[1]["total"] == 3
    assert desk.get("/api/facets", key, field="metadata.a.b")[1]["missing_count"] == 3
    _, stats = desk.get("/api/stats", key)
    assert (stats["total"], stats["by_level"]["INFO"], stats["by_application"]) == (3, 3, {name: 3})
    assert stats["message_bytes"] == len("payment failedpayment doneother")


def test_the_pipeline_is_for_administrators(desk: Desk) -> None:
    _, name = desk.new_application()
    assert desk.get("/api/pipeline", desk.new_key(name, "read"))[1]["code"] == "missing_scope"


def test_the_pipeline_shows_what_waits_and_what_was_settled(desk: Desk) -> None:
    application_id, name = desk.new_application()
    admin = desk.new_key(name, "admin")
    before = sum(minute["stored"] for minute in desk.get("/api/pipeline", admin)[1]["throughput"]["minutes"])
    desk.store(application_id, "a", "b", "c")
    desk.queue.submit(submission([record(0, "waits")], application_id=application_id))
    status, shown = desk.get("/api/pipeline", admin)
    assert status == 200
    assert shown["drain"] == {"mode": "wake", "is_lingering": False, "last_wake_at": None, "last_start_at": None}
    desk.queue.note_start(is_woken=True)
    assert desk.get("/api/pipeline", admin)[1]["drain"]["last_wake_at"].startswith(f"{datetime.now(UTC):%Y-%m-%d}")
    assert shown["backlog"]["entries"] == 1
    assert shown["backlog"]["limit_bytes"] == 10**9
    assert 0 <= shown["backlog"]["lag_seconds"] < 60
    assert shown["shards"][0]["applications"][0]["application"] == name
    minutes = shown["throughput"]["minutes"]
    assert len(minutes) == 60
    assert sum(minute["stored"] for minute in minutes) == before + 3
    assert shown["throughput"]["is_cut"] is False
    assert shown["dead_letters"]["is_capped"] is False


def test_the_pipeline_is_shown_without_a_database(desk: Desk) -> None:
    _, name = desk.new_application()
    admin = desk.new_key(name, "admin")
    nowhere = Database("postgresql://nobody@127.0.0.1:9/none")
    desk.use_case = replace(
        desk.use_case,
        operations=replace(desk.use_case.operations, open_ledger=partial(PostgresLedger, nowhere)),
        pipeline=replace(desk.use_case.pipeline, settled=PostgresPipeline(nowhere)),
    )
    status, shown = desk.get("/api/pipeline", admin)
    assert status == 200
    assert shown["backlog"] == {"entries": 0, "bytes": 0, "limit_bytes": 10**9, "lag_seconds": None}
    assert (shown["dead_letters"], shown["throughput"]) == (None, None)


def test_usage_is_what_admission_counts(desk: Desk, redis_client: redis.Redis) -> None:
    (first_id, first), (_, second) = desk.new_application(), desk.new_application()
    desk.applications.change(first, ApplicationChange(limits={"bytes_per_second": 100}))
    admission = RedisAdmission(redis_client, shard_count=1, rates=RATES)
    admission.admit(key_record(first_id, Limits(bytes_per_second=100)), 700)
    status, shown = desk.get("/api/usage", desk.new_key(first, "read"))
    assert status == 200
    (used,) = shown["applications"]
    assert used["limits"] == {"requests_per_second": 10, "bytes_per_second": 100, "bytes_per_day": 10_000}
    assert (used["bytes_today"], used["requests_today"]) == (700, 1)
    assert -500 <= used["bytes_left"] < 0
    assert 19 <= used["requests_left"] <= 20
    every = {
        item["application"]: item
        for item in desk.get("/api/usage", desk.new_key(first, "read", "admin"))[1]["applications"]
    }
    assert every[second]["bytes_today"] == 0
    assert (every[second]["requests_left"], every[second]["bytes_left"]) == (20, 2_000)
