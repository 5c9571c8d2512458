"""One contract for reading logs: the in-memory fake, and Postgres under row security."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from fakes import MemoryLogs
from samples import record, stream_entry
from scratch import Scratch
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.model import Flag, Level
from sluice.entries.packing import pack_record
from sluice.runtime.postgres import Database
from sluice.search.counts import parse_facet, parse_histogram
from sluice.search.model import Page, Visible
from sluice.search.parse import parse_filters, parse_query
from sluice.search.ports import LogCounter, LogReader
from sluice.search.postgres import PostgresLogReader
from sluice.search.postgres_counts import PostgresLogCounter

START = datetime(2026, 5, 4, 10, tzinfo=UTC)
NOW = START + timedelta(hours=3)
_ids = count(1)


class Shelf:
    """One application's stored records."""

    def __init__(self, logs: MemoryLogs | Scratch) -> None:
        self.logs = logs
        self.application_id = logs.create_application() if isinstance(logs, Scratch) else next(_ids)

    def put(self, *fields: dict[str, Any], received_at: datetime | None = None, first: int = 0) -> UUID:
        """Stores one batch, whose positions begin with ``first``, and returns its id."""
        records = [record(position, **item) for position, item in enumerate(fields, first)]
        times = [item.event_at for item in records]
        made = stream_entry(
            map(pack_record, records),
            application_id=self.application_id,
            received_at=received_at or datetime.now(UTC),
            event_from=min(times),
            event_to=max(times),
        )
        if isinstance(self.logs, Scratch):
            PostgresChunkStore(Database(self.logs.url("sluice_writer"))).store([made])
        else:
            self.logs.store(made)
        return made.batch_id

    @property
    def visible(self) -> Visible:
        return Visible({self.application_id: "shelf"})

    def reader(self, visible: Visible | None = None) -> LogReader:
        seen = visible or self.visible
        logs = self.logs
        return PostgresLogReader(_reading(logs), seen) if isinstance(logs, Scratch) else logs.reader(seen)

    def counter(self) -> LogCounter:
        logs = self.logs
        return (
            PostgresLogCounter(_reading(logs), self.visible)
            if isinstance(logs, Scratch)
            else logs.counter(self.visible)
        )

    def search(self, visible: Visible | None = None, /, **parameters: str) -> Page:
        """Parameters as in a URL, "_" for the dot in metadata's."""
        return self.reader(visible).search(parse_query(_named(parameters), NOW))

    def messages(self, **parameters: str) -> list[str]:
        return [item["message"] for item in self.search(**parameters).logs]


def _reading(scratch: Scratch) -> Database:
    return Database(scratch.url("sluice_reader"))


def _named(parameters: dict[str, str]) -> dict[str, str]:
    return {name.replace("metadata_", "metadata."): value for name, value in parameters.items()}


@pytest.fixture(params=["memory", "postgres"])
def logs(request: pytest.FixtureRequest) -> MemoryLogs | Scratch:
    if request.param == "memory":
        return MemoryLogs()
    scratch: Scratch = request.getfixturevalue("scratch")
    return scratch


@pytest.fixture
def shelf(logs: MemoryLogs | Scratch) -> Shelf:
    return Shelf(logs)


def test_a_record_comes_back_as_it_was(shelf: Shelf) -> None:
    batch_id = shelf.put(
        {
            "message": "tab\tnewline\nback\\slash \\N ünï 🎉",
            "metadata": '{"nested":{"a":[1,2.5,null,"x\\n"]},"k":"\\\\"}',
            "event_at": START,
            "level": Level.ERROR,
            "flags": Flag.CLOCK_SKEWED | Flag.LEVEL_UNKNOWN,
            "trace_id": "t-1",
            "severity_text": "weird",
        }
    )
    (found,) = shelf.search().logs
    received_at = found.pop("received_at")
    assert datetime.fromisoformat(received_at).tzinfo
    assert found.pop("application") == "shelf"
    assert found == {
        "id": f"{batch_id.hex}-0",
        "timestamp": "2026-05-04T10:00:00+00:00",
        "level": "ERROR",
        "message": "tab\tnewline\nback\\slash \\N ünï 🎉",
        "metadata": {"nested": {"a": [1, 2.5, None, "x\n"]}, "k": "\\"},
        "flags": ["level_unknown", "clock_skewed"],
        "trace_id": "t-1",
        "severity_text": "weird",
    }


_TRACE_ID = 4 * "4bf92f35"
_LIKE_TRACE_IDS = (
    *("", _TRACE_ID[1:], f"{_TRACE_ID}0", _TRACE_ID.upper(), f"{{{_TRACE_ID}}}", str(UUID(_TRACE_ID)), "é" * 32),
    *(f" {_TRACE_ID}", f"{_TRACE_ID}\n", f"{_TRACE_ID[:-1]}g", f"{_TRACE_ID[:-1]}\t", "\\N", "٠" * 32, "\ufffd" * 16),
)


@pytest.mark.parametrize("others", [(), *((text,) for text in _LIKE_TRACE_IDS), _LIKE_TRACE_IDS], ids=ascii)
def test_trace_ids_are_what_was_sent(shelf: Shelf, others: tuple[str, ...]) -> None:
    """However they are stored: rows of a batch are all in one form."""
    sent = [_TRACE_ID, None, "0" * 32, *others]
    texts = Counter(text for text in sent if text is not None)
    shelf.put(*({"event_at": START, "trace_id": text} for text in sent))
    logs = shelf.search(limit="50").logs
    assert Counter(log["trace_id"] for log in logs if "trace_id" in log) == texts
    facet = shelf.counter().facet(parse_facet({"field": "trace_id", "since": "2026-05-04T00:00:00Z"}, NOW))
    assert (Counter(dict(facet.values)), facet.missing) == (texts, 1)
    assert [log["trace_id"] for log in shelf.search(trace_id=_TRACE_ID).logs] == [_TRACE_ID]
    begins = [text for text in texts if text.startswith(_TRACE_ID[:9])]
    assert sorted(log["trace_id"] for log in shelf.search(q=f"trace:{_TRACE_ID[:9]}*").logs) == sorted(begins)
    assert len(shelf.search(q="has:trace").logs) == len(texts)


@pytest.mark.parametrize("first", [0, 32_766, 32_767, 32_768, 2**31 - 2])
def test_positions_are_what_was_sent(shelf: Shelf, first: int) -> None:
    """However they are stored."""
    batch_id = shelf.put({"message": "a"}, {"message": "b"}, first=first)
    ids = [f"{batch_id.hex}-{first}", f"{batch_id.hex}-{first + 1}"]
    assert [log["id"] for log in shelf.search().logs] == ids[::-1]
    found = shelf.reader().find(batch_id, first, before=5, after=5)
    assert found is not None
    assert (found.log["id"], [log["id"] for log in found.after], found.before) == (ids[0], ids[1:], [])


def test_conditions(shelf: Shelf) -> None:
    shelf.put(
        {"message": "a 100% sure_thing", "event_at": START, "level": Level.INFO},
        {"message": "b Connection REFUSED", "event_at": START + timedelta(hours=1), "level": Level.ERROR},
        {"message": "c", "event_at": START + timedelta(hours=2), "level": Level.CRITICAL},
    )
    assert shelf.messages() == ["c", "b Connection REFUSED", "a 100% sure_thing"]
    assert shelf.messages(level="error,critical") == ["c", "b Connection REFUSED"]
    assert shelf.messages(since="-2h") == ["c", "b Connection REFUSED"]
    assert shelf.messages(until="2026-05-04T11:00:00Z") == ["a 100% sure_thing"]
    assert shelf.messages(text="connection refused") == ["b Connection REFUSED"]
    assert shelf.messages(text="0% s") == ["a 100% sure_thing"]
    assert shelf.messages(text="sure%thing") == []
    assert shelf.messages(text="sureXthing") == []
    assert shelf.messages(text="\\") == []
    assert shelf.messages(since="2029-01-01T00:00:00Z") == []


def test_a_late_log_is_found_by_its_event_time(shelf: Shelf) -> None:
    shelf.put({"message": "late", "event_at": START - timedelta(days=400)}, received_at=START)
    assert shelf.messages(since="-401d", until="-399d") == ["late"]


def put_many(shelf: Shelf, batches: int = 7) -> None:
    for batch in range(batches):
        shelf.put(*({"event_at": START + timedelta(seconds=number % 3)} for number in range(batch, batch + 10)))


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_pages_visit_every_record_once_in_both_directions(shelf: Shelf, order: str) -> None:
    put_many(shelf)
    whole = [item["id"] for item in shelf.search(order=order, limit="1000").logs]
    assert len(set(whole)) == 70
    pages = [shelf.search(order=order, limit="8")]
    while (cursor := pages[-1].next_cursor) is not None:
        pages.append(shelf.search(order=order, limit="8", cursor=cursor.to_text()))
    assert [item["id"] for page in pages for item in page.logs] == whole
    assert len(pages) == 9
    back = [pages[-1]]
    while back[-1].logs:
        assert back[-1].previous_cursor is not None
        back.append(shelf.search(order=order, limit="8", cursor=back[-1].previous_cursor.to_text()))
    assert [item["id"] for page in reversed(back) for item in page.logs] == whole


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_an_empty_page_leads_back(shelf: Shelf, order: str) -> None:
    put_many(shelf, 1)
    page = shelf.search(order=order, limit="10")
    assert page.previous_cursor
    newer = shelf.search(order=order, cursor=page.previous_cursor.to_text())
    assert newer.logs == []
    assert newer.previous_cursor == page.previous_cursor
    assert newer.next_cursor
    assert shelf.search(order=order, cursor=newer.next_cursor.to_text()).logs == page.logs


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_records_that_arrive_meanwhile_disturb_no_walk(shelf: Shelf, order: str) -> None:
    put_many(shelf)
    before = {item["id"] for item in shelf.search(limit="1000").logs}
    seen: list[str] = []
    page = shelf.search(order=order, limit="8")
    while True:
        seen += [item["id"] for item in page.logs]
        shelf.put(*({"event_at": START + timedelta(seconds=second)} for second in (-1, 0, 1, 2, 3)))
        if page.next_cursor is None or len(seen) > 500:
            break
        page = shelf.search(order=order, limit="8", cursor=page.next_cursor.to_text())
        if before <= set(seen):
            break
    assert before <= set(seen)
    assert len(seen) == len(set(seen))


def test_another_application_sees_nothing(logs: MemoryLogs | Scratch, shelf: Shelf) -> None:
    batch_id = shelf.put({"message": "private"})
    other = Shelf(logs)
    assert other.messages() == []
    for parameters in ({}, {"batch_id": batch_id.hex}, {"q": "private"}):
        assert other.search(**parameters).logs == []
        assert other.search(Visible({}), **parameters).logs == []
    admin = Visible({shelf.application_id: "shelf", other.application_id: "other"}, is_all=True)
    assert [item["message"] for item in other.search(admin, batch_id=batch_id.hex).logs] == ["private"]


def put_various(shelf: Shelf) -> UUID:
    hour = timedelta(hours=1)
    return shelf.put(
        {"message": "Connection refused by db-1", "event_at": START, "level": Level.ERROR, "service": "shop"},
        {
            "message": "reconnection done",
            "event_at": START + hour,
            "service": "shopping",
            "metadata": '{"user":{"id":42}}',
        },
        {"message": "payment 4711 failed", "event_at": START + 2 * hour, "level": Level.CRITICAL, "trace_id": "t1"},
        {"message": "ok", "event_at": START + 2 * hour, "level": Level.DEBUG, "metadata": '{"user.id":"42","k":true}'},
    )


@pytest.mark.parametrize(
    ("q", "positions"),
    [
        ("", [0, 1, 2, 3]),
        ("connection", [0]),
        ("CONNECTION OR done", [0, 1]),
        ("recon*", [1]),
        ('"refused by"', [0]),
        ("-refused", [1, 2, 3]),
        ("level:>=error", [0, 2]),
        ("level:>=error -level:critical", [0]),
        ("service:shop", [0]),
        ("service:shop*", [0, 1]),
        ("-service:shop", [1, 2, 3]),
        ("has:service", [0, 1]),
        ("trace:t1", [2]),
        ("metadata.user.id:42", [1, 3]),
        ("metadata.k:true", [3]),
        ("has:metadata.k", [3]),
        ("app:shelf ok", [3]),
        ("app:other", []),
        ("(refused OR failed) level:error", [0]),
    ],
)
def test_what_the_query_language_finds(shelf: Shelf, q: str, positions: list[int]) -> None:
    put_various(shelf)
    found = shelf.search(q=q, order="asc").logs
    assert sorted(int(log["id"].partition("-")[2]) for log in found) == positions
    assert shelf.counter().stats(parse_filters({"q": q}, NOW)).rows or not positions


def test_a_log_among_its_neighbours(shelf: Shelf) -> None:
    batch_id = put_various(shelf)
    found = shelf.reader().find(batch_id, 1, before=5, after=1)
    assert found is not None
    assert found.log["message"] == "reconnection done"
    assert [log["message"] for log in found.before] == ["Connection refused by db-1"]
    assert [log["message"] for log in found.after] == ["payment 4711 failed"]
    assert shelf.reader().find(batch_id, 9, before=1, after=1) is None


def test_chosen_fields(shelf: Shelf) -> None:
    put_various(shelf)
    query = replace(parse_query({"q": "ok"}, NOW), fields=("level", "service", "metadata.k"))
    assert shelf.reader().search(query).logs == [{"level": "DEBUG", "metadata.k": True}]


def test_counts(shelf: Shelf) -> None:
    put_various(shelf)
    times = {"since": "-4h", "until": "now"}
    histogram = shelf.counter().histogram(parse_histogram({**times, "buckets": "4"}, NOW))
    by_level = {("ERROR", 7): 1, ("INFO", 8): 1, ("CRITICAL", 9): 1, ("DEBUG", 9): 1}
    assert {(level, start.hour - 3): number for start, level, number in histogram.rows} == by_level
    stats = shelf.counter().stats(parse_filters({"q": "service:shop*"}, NOW))
    assert sorted(stats.rows) == [
        ("ERROR", "shelf", 1, START, START, 26),
        ("INFO", "shelf", 1, START + timedelta(hours=1), START + timedelta(hours=1), 17),
    ]
    series = shelf.counter().series(parse_filters(times, NOW), ("level", "service"), 3_600, max_groups=10)
    assert sorted((start.hour - 3, *values, number) for start, values, number in series.rows) == [
        (7, "error", "shop", 1),
        (8, "info", "shopping", 1),
        (9, "critical", "", 1),
        (9, "debug", "", 1),
    ]
    assert not series.is_cut
    assert shelf.counter().series(parse_filters(times, NOW), ("level",), 3_600, max_groups=3).is_cut
    (whole,) = shelf.counter().series(parse_filters(times, NOW), (), 86_400, max_groups=1).rows
    assert whole[1:] == ((), 4)
    facet = shelf.counter().facet(parse_facet({"field": "service"}, NOW))
    assert (dict(facet.values), facet.total, facet.missing) == ({"shop": 1, "shopping": 1}, 4, 2)
    keys = shelf.counter().facet(parse_facet({"field": "metadata"}, NOW))
    assert (dict(keys.values), keys.total, keys.missing) == ({"user": 1, "user.id": 1, "k": 1}, 4, 2)
