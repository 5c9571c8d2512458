"""functions/query as its clients see it, with fakes: each path's answer, and each refusal."""

import csv
import io
import json
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from apps import load_app
from aws import LambdaContext, rest_event
from fakes import NOON, ManualClock, MemoryKeyCache, MemoryKeyStore, MemoryLogs, MemoryQueue
from samples import PEPPER, record, stream_entry, submission
from sluice.admission.model import Rates, Usage
from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Limits, Scope
from sluice.entries.model import Level
from sluice.entries.packing import pack_record
from sluice.errors import RejectedInput, Unavailable
from sluice.ledger.model import SettledRanges
from sluice.ledger.ports import Sequences
from sluice.ledger.throughput import Settled, Throughput
from sluice.tail.model import Cursor, Page, Place

app = load_app("query")
NAMES = {1: "shop", 2: "bank"}
BATCH = UUID(int=7)
CURSOR = Cursor("7-1", Place(5)).to_text()
RATES = Rates(requests_per_second=10, bytes_per_second=1_000, bytes_per_day=10_000, burst_seconds=2)


@dataclass
class Platform:
    """What stands behind the function: logs of two applications, and numbers that are given."""

    logs: MemoryLogs = field(default_factory=MemoryLogs)
    store: MemoryKeyStore = field(default_factory=MemoryKeyStore)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    clock: ManualClock = field(default_factory=ManualClock)
    is_down: bool = False  # the database; keys are still in the cache

    def names(self, ids: Collection[int] | None) -> Mapping[int, str]:
        self.check()
        return NAMES if ids is None else {number: NAMES[number] for number in ids}

    def check(self) -> None:
        if self.is_down:
            raise Unavailable("database_unavailable", "down")

    def use_case(self) -> Any:
        lookup = KeyLookup(self.store, MemoryKeyCache(), PEPPER, self.clock)
        operations = app.Operations(lambda ids: Ledger(self, ids), self.check, self.queue, self.queue, app.logger)
        pipeline = app.Pipeline(self, self.limits, self, RATES, 10**6, "wake", app.logger, self.clock)
        reads = app.Reads(self.names, self.logs.reader, self.logs.counter, self.clock)
        order = Order(self)
        tail = app.Tail(reads, lambda *_: order, order, order, lambda: 0.0, lambda _: None)
        others = {"scrape": None, "templates": Unmined(), "diff": None, "batches": None, "anomalies": None}
        return app.Query(lookup, reads, operations, pipeline, tail, **others)

    def limits(self, ids: Collection[int] | None) -> Mapping[str, tuple[int, Limits]]:
        return {name: (number, Limits()) for number, name in self.names(ids).items()}

    def throughput(self) -> Throughput:
        self.check()
        return Throughput({NOON: Settled(stored=5)}, is_cut=False)

    def count_open_letters(self) -> tuple[int, bool]:
        self.check()
        return 3, False

    def used(self, limits: Mapping[int, Limits]) -> dict[int, Usage]:
        return dict.fromkeys(limits, Usage(700, 3, 9, 300))


class Unmined:
    """Templates of logs that have none; see integration/test_template_reads.py."""

    def of_log(self, key: KeyRecord, log: dict[str, Any]) -> None:
        return None


@dataclass
class Order:
    """The tail's order with one new log, a free seat and no news; see test_tail.py for how it waits."""

    platform: Platform

    def begin(self) -> Cursor:
        self.platform.check()
        return Cursor("7-1", Place(5))

    def check(self, cursor: Cursor) -> Place:
        if cursor.history != "7-1":
            raise RejectedInput("cursor_lost", "of another database", status=409)
        return cursor.place

    def read(self, place: Place, limit: int) -> Page:
        return Page([{"message": "new"}], Place(6), has_more=False, is_held_back=False)

    def take(self, application_id: int, seconds: float) -> Any:
        return nullcontext(True)

    def mark(self, application_ids: object) -> object:
        return None


@dataclass
class Ledger:
    """LedgerReader of what ``Platform`` stored."""

    platform: Platform
    ids: Collection[int] | None

    def application_names(self) -> dict[int, str]:
        return dict(self.platform.names(self.ids))

    def settled(self, accepted: Sequences) -> dict[tuple[int, int], SettledRanges]:
        self.platform.check()
        return {}


@dataclass
class Reader:
    """Asks the handler with one key."""

    platform: Platform

    def key(self, *scopes: Scope) -> str:
        text, parts = mint_key(PEPPER)
        secret_hash = hash_secret(parts.secret, PEPPER)
        self.platform.store.keys[parts.key_id] = KeyRecord(
            parts.key_id, secret_hash, 1, "shop", 1, frozenset(scopes), None
        )
        return text

    def answer(self, path: str, key: str | None = None, **query: str) -> dict[str, Any]:
        key = self.key(Scope.READ) if key is None else key
        named = {name.replace("metadata_", "metadata."): value for name, value in query.items()}
        event = rest_event("GET", path, headers={"X-API-Key": key} if key else {}, query=named)
        if path.startswith("/api/logs/"):
            resource = event["requestContext"]["resourcePath"] = "/api/logs/{id}"
            event |= {"resource": resource, "pathParameters": {"id": path.removeprefix("/api/logs/")}}
        answered: dict[str, Any] = app.handler(event, LambdaContext())
        return answered

    def get(self, path: str, key: str | None = None, **query: str) -> tuple[int, Any]:
        answer = self.answer(path, key, **query)
        return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    platform = Platform()
    use_case = platform.use_case()
    monkeypatch.setattr(app, "_dependencies", lambda: use_case)
    for application_id, word in ((1, "payment"), (2, "transfer")):
        records = [
            record(0, f"{word} failed", event_at=NOON - timedelta(minutes=3), level=Level.ERROR, service="api"),
            record(1, f"{word} done", event_at=NOON - timedelta(minutes=2), metadata='{"user":"=1+1"}'),
            record(2, "healthcheck", event_at=NOON - timedelta(minutes=1), service="api"),
        ]
        batch = UUID(int=BATCH.int + application_id - 1)
        lines = map(pack_record, records)
        platform.logs.store(stream_entry(lines, application_id=application_id, batch_id=batch, received_at=NOON))
    return platform


@pytest.fixture
def reader(platform: Platform) -> Reader:
    return Reader(platform)


def test_a_page_of_logs(reader: Reader) -> None:
    status, page = reader.get("/api/logs", q="-healthcheck", limit="1")
    assert (status, [log["message"] for log in page["logs"]], page["partial"]) == (200, ["payment done"], False)
    status, page = reader.get("/api/logs", q="-healthcheck", limit="1", cursor=page["next_cursor"])
    assert [log["message"] for log in page["logs"]] == ["payment failed"]
    assert page["next_cursor"] is None
    _, page = reader.get("/api/logs", q="-healthcheck", limit="1", cursor=page["previous_cursor"])
    assert [log["message"] for log in page["logs"]] == ["payment done"]


def test_an_export(reader: Reader) -> None:
    answer = reader.answer("/api/logs", format="ndjson", limit="2", fields="message,level")
    assert [json.loads(line) for line in answer["body"].splitlines()] == [
        {"message": "healthcheck", "level": "INFO"},
        {"message": "payment done", "level": "INFO"},
    ]
    assert answer["headers"]["Content-Type"] == "application/x-ndjson"
    cursor = answer["headers"]["Sluice-Next-Cursor"]
    rest = reader.answer("/api/logs", format="csv", limit="2", fields="message,metadata.user", cursor=cursor)
    assert list(csv.reader(io.StringIO(rest["body"]))) == [["message", "metadata.user"], ["payment failed", ""]]
    assert "Link" not in rest["headers"]
    formula = reader.answer("/api/logs", format="csv", fields="metadata.user", q="done")
    assert list(csv.reader(io.StringIO(formula["body"])))[1] == ["'=1+1"]


def test_one_log_among_its_neighbours(reader: Reader) -> None:
    status, found = reader.get(f"/api/logs/{BATCH.hex}-1", before="5", after="0")
    assert (status, found["log"]["message"]) == (200, "payment done")
    assert ([log["message"] for log in found["before"]], found["after"]) == (["payment failed"], [])
    assert found["template"] is None


def test_a_histogram(reader: Reader) -> None:
    status, counts = reader.get("/api/histogram", since="-4m", buckets="4")
    assert (status, counts["total"], counts["interval_seconds"], counts["partial"]) == (200, 3, 60, False)
    by_level = {series["value"]: series["counts"] for series in counts["series"]}
    assert by_level == {"INFO": [0, 0, 1, 1], "ERROR": [0, 1, 0, 0]}
    assert [series["value"] for series in reader.get("/api/histogram", by="none")[1]["series"]] == [None]


def test_facets(reader: Reader) -> None:
    status, facet = reader.get("/api/facets", field="service")
    assert (status, facet["values"], facet["missing_count"]) == (200, [{"value": "api", "count": 2}], 1)
    assert (facet["other_count"], facet["total"], facet["approximate"], facet["partial"]) == (0, 3, False, False)
    assert reader.get("/api/facets", field="metadata")[1]["values"] == [{"value": "user", "count": 1}]


def test_stats(reader: Reader) -> None:
    status, stats = reader.get("/api/stats", level="error,info")
    assert (status, stats["total"], stats["by_application"]) == (200, 3, {"shop": 3})
    assert (stats["by_level"]["ERROR"], stats["by_level"]["DEBUG"]) == (1, 0)
    assert stats["first_at"] == (NOON - timedelta(minutes=3)).isoformat()
    assert stats["message_bytes"] == len("payment failedpayment donehealthcheck")


def test_the_query_language_is_told_to_anybody(reader: Reader) -> None:
    status, language = reader.get("/api/query-language", "")
    assert status == 200
    assert {"level", "application", "has"} <= {item["name"] for item in language["fields"]}


def test_the_tail(reader: Reader) -> None:
    begun = {"logs": [], "cursor": CURSOR, "is_behind": False, "pause_seconds": 0}
    assert reader.get("/api/tail") == (200, begun)
    status, page = reader.get("/api/tail", cursor=CURSOR)
    assert (status, page["logs"], page["cursor"]) == (200, [{"message": "new"}], Cursor("7-1", Place(6)).to_text())
    lost = reader.get("/api/tail", cursor=Cursor("7-2", Place(5)).to_text())
    assert (lost[0], lost[1]["code"]) == (409, "cursor_lost")


def test_usage(reader: Reader) -> None:
    status, usage = reader.get("/api/usage")
    (shop,) = usage["applications"]
    assert (status, shop["application"], shop["bytes_today"], shop["requests_today"]) == (200, "shop", 700, 3)
    assert shop["limits"] == {"requests_per_second": 10, "bytes_per_second": 1_000, "bytes_per_day": 10_000}
    assert usage["day_ends_at"] == "2026-03-02T00:00:00+00:00"


def test_the_ledger_of_the_keys_application(reader: Reader) -> None:
    for application_id in NAMES:
        reader.platform.queue.submit(submission([record(0), record(1)], application_id=application_id))
    status, ledger = reader.get("/api/ledger")
    assert (status, [item["application"] for item in ledger["applications"]]) == (200, ["shop"])
    assert (ledger["total"]["accepted"], ledger["total"]["in_flight"], ledger["total"]["unaccounted"]) == (2, 2, 0)
    assert reader.get("/api/ledger", reader.key(Scope.READ, Scope.ADMIN))[1]["total"]["accepted"] == 4


def test_the_pipeline(reader: Reader) -> None:
    reader.platform.queue.note_start(is_woken=True)
    reader.platform.queue.submit(submission(application_id=1))
    status, shown = reader.get("/api/pipeline", reader.key(Scope.ADMIN))
    assert (status, shown["backlog"]["entries"], shown["dead_letters"]["open"]) == (200, 1, 3)
    noon = NOON.isoformat()
    assert shown["drain"] == {"mode": "wake", "is_lingering": False, "last_wake_at": noon, "last_start_at": None}
    assert shown["throughput"]["minutes"][-1] == {"minute": noon, "stored": 5, "duplicate": 0, "dead_lettered": 0}
    assert shown["shards"][0]["applications"][0]["application"] == "shop"


def test_the_pipeline_without_a_database(reader: Reader) -> None:
    reader.platform.is_down = True
    status, shown = reader.get("/api/pipeline", reader.key(Scope.ADMIN))
    assert (status, shown["dead_letters"], shown["throughput"]) == (200, None, None)


def test_an_admin_key_sees_all_applications(reader: Reader) -> None:
    admin = reader.key(Scope.READ, Scope.ADMIN)
    assert reader.get("/api/stats", admin)[1]["by_application"] == {"shop": 3, "bank": 3}
    assert reader.get("/api/stats", admin, application="bank")[1]["by_application"] == {"bank": 3}
    assert reader.get("/api/logs", admin, q="app:bank transfer")[1]["logs"][0]["application"] == "bank"


READ: tuple[tuple[str, dict[str, str]], ...] = (
    ("/api/logs", {}),
    (f"/api/logs/{BATCH.hex}-0", {}),
    ("/api/histogram", {}),
    ("/api/facets", {"field": "service"}),
    ("/api/stats", {}),
    ("/api/tail", {}),
    ("/api/usage", {}),
    ("/api/ledger", {}),
)


@pytest.mark.parametrize(("path", "query"), READ)
def test_who_may_read(reader: Reader, path: str, query: dict[str, str]) -> None:
    for key, status, code in (
        ("", 401, "missing_key"),
        ("slc_nobody", 401, "invalid_key"),
        (reader.key(Scope.INGEST), 403, "missing_scope"),
    ):
        answer = reader.get(path, key, **query)
        assert (answer[0], answer[1]["code"]) == (status, code)
    assert reader.get(path, **query)[0] == 200


@pytest.mark.parametrize(("path", "query"), READ)
def test_an_outage_is_a_503_that_says_when_to_come_again(reader: Reader, path: str, query: dict[str, str]) -> None:
    key = reader.key(Scope.READ)
    assert reader.get(path, key, **query)[0] == 200  # the key is in the cache now
    reader.platform.is_down = True
    answer = reader.answer(path, key, **query)
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (503, "database_unavailable")
    assert int(answer["headers"]["Retry-After"]) > 0
    assert answer["headers"]["Content-Type"] == "application/problem+json"


def test_the_pipeline_is_for_administrators(reader: Reader) -> None:
    assert reader.get("/api/pipeline")[1]["code"] == "missing_scope"


@pytest.mark.parametrize("path", ["/api/logs", "/api/histogram", "/api/facets", "/api/stats", "/api/tail"])
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"q": "level:eror"}, "invalid_query"),
        ({"q": '"'}, "invalid_query"),
        ({"since": "yesterday"}, "invalid_since"),
        ({"until": "-1y"}, "invalid_until"),
        ({"level": "eror"}, "invalid_level"),
        ({"text": "x" * 4_097}, "invalid_text"),
        ({"text": "\x00"}, "invalid_text"),
        ({"trace_id": "x" * 257}, "invalid_trace_id"),
        ({"session_id": "\ud800"}, "invalid_session_id"),
        ({"metadata_k": "\x00"}, "invalid_metadata"),
        ({"batch_id": "7"}, "invalid_batch_id"),
        ({"application": "bank"}, "unknown_application"),
        ({"colour": "red"}, "unknown_parameter"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_filters_that_cannot_be(reader: Reader, path: str, query: dict[str, str], code: str) -> None:
    more = {"field": "service"} if path == "/api/facets" else {}
    status, problem = reader.get(path, **more, **query)
    assert (status, problem["code"]) == (400, code)
    assert ("position" in problem) == ("expected" in problem) == (code == "invalid_query")


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/api/logs", {"limit": "1001"}, 400, "invalid_limit"),
        ("/api/logs", {"limit": "10001", "format": "csv"}, 400, "invalid_limit"),
        ("/api/logs", {"cursor": "x"}, 400, "invalid_cursor"),
        ("/api/logs", {"order": "up"}, 400, "invalid_order"),
        ("/api/logs", {"format": "xml"}, 400, "invalid_format"),
        ("/api/logs", {"fields": "secret"}, 400, "invalid_fields"),
        ("/api/logs", {"fields": ",".join(f"metadata.{number}" for number in range(65))}, 400, "invalid_fields"),
        (f"/api/logs/{BATCH.hex}-9", {}, 404, "unknown_log"),
        (f"/api/logs/{UUID(int=8).hex}-0", {}, 404, "unknown_log"),  # of another application
        ("/api/logs/x", {}, 404, "unknown_log"),
        (f"/api/logs/{BATCH.hex}-0", {"before": "201"}, 400, "invalid_before"),
        (f"/api/logs/{BATCH.hex}-0", {"after": "-1"}, 400, "invalid_after"),
        (f"/api/logs/{BATCH.hex}-0", {"q": "x"}, 400, "unknown_parameter"),
        ("/api/histogram", {"by": "colour"}, 400, "invalid_by"),
        ("/api/histogram", {"buckets": "0"}, 400, "invalid_buckets"),
        ("/api/histogram", {"since": "now"}, 400, "invalid_since"),
        ("/api/facets", {}, 400, "invalid_field"),
        ("/api/facets", {"field": "message"}, 400, "invalid_field"),
        ("/api/facets", {"field": "metadata.a\x00"}, 400, "invalid_field"),
        ("/api/facets", {"field": "metadata.\ud800"}, 400, "invalid_field"),
        ("/api/facets", {"field": "metadata." + "a" * 4_096}, 400, "invalid_field"),
        ("/api/facets", {"field": "level", "limit": "101"}, 400, "invalid_limit"),
        ("/api/tail", {"wait": "21"}, 400, "invalid_wait"),
        ("/api/tail", {"cursor": "x"}, 400, "invalid_cursor"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_cannot_be_asked(reader: Reader, path: str, query: dict[str, str], status: int, code: str) -> None:
    answer = reader.get(path, **query)
    assert (answer[0], answer[1]["code"]) == (status, code)


def test_a_queue_that_is_down_is_a_503(reader: Reader) -> None:
    reader.platform.queue.is_down = True
    for path, key in (("/api/ledger", None), ("/api/pipeline", reader.key(Scope.ADMIN)), ("/healthz", "")):
        status, problem = reader.get(path, key)
        assert (status, problem["code"]) == (503, "queue_unavailable")
