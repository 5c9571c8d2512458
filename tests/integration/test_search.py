"""Reading back under row security."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from samples import record, stream_entry
from scratch import Scratch
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.model import Flag, Level
from sluice.entries.packing import pack_record
from sluice.runtime.postgres import Database
from sluice.search.model import Page, Visible
from sluice.search.parse import parse_query
from sluice.search.postgres import PostgresLogReader

START = datetime(2026, 5, 4, 10, tzinfo=UTC)
NOW = START + timedelta(hours=3)


class Shelf:
    """One application's stored records."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self.application_id = scratch.create_application()

    def put(self, *fields: dict[str, Any], received_at: datetime | None = None) -> UUID:
        """Stores one batch and returns its id."""
        records = [record(position, **item) for position, item in enumerate(fields)]
        times = [item.event_at for item in records]
        made = stream_entry(
            map(pack_record, records),
            application_id=self.application_id,
            received_at=received_at or datetime.now(UTC),
            event_from=min(times),
            event_to=max(times),
        )
        PostgresChunkStore(Database(self.scratch.url("sluice_writer"))).store([made])
        return made.batch_id

    @property
    def visible(self) -> Visible:
        return Visible({self.application_id: "shelf"})

    def reader(self, visible: Visible | None = None, **keywords: Any) -> PostgresLogReader:
        return PostgresLogReader(Database(self.scratch.url("sluice_reader")), visible or self.visible, **keywords)

    def search(self, visible: Visible | None = None, /, **parameters: str) -> Page:
        """Parameters as in a URL, "_" for the dot in metadata's."""
        named = {name.replace("metadata_", "metadata."): value for name, value in parameters.items()}
        return self.reader(visible).search(parse_query(named, NOW))

    def messages(self, **parameters: str) -> list[str]:
        return [item["message"] for item in self.search(**parameters).logs]


@pytest.fixture
def shelf(scratch: Scratch) -> Shelf:
    return Shelf(scratch)


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


def test_another_application_sees_nothing(scratch: Scratch, shelf: Shelf) -> None:
    batch_id = shelf.put({"message": "private"})
    other = Shelf(scratch)
    assert other.messages() == []
    for parameters in ({}, {"batch_id": batch_id.hex}, {"q": "private"}):
        assert other.search(**parameters).logs == []
        assert other.search(Visible({}), **parameters).logs == []
    admin = Visible({shelf.application_id: "shelf", other.application_id: "other"}, is_all=True)
    assert [item["message"] for item in other.search(admin, batch_id=batch_id.hex).logs] == ["private"]
