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
from sluice.errors import RejectedInput
from sluice.runtime.postgres import Database
from sluice.search.model import Cursor, LogQuery
from sluice.search.parse import parse_query
from sluice.search.postgres import PostgresLogReader

START = datetime(2026, 5, 4, 10, tzinfo=UTC)


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

    def reader(self, visible: set[int] | str | None = "own") -> PostgresLogReader:
        allowed = {self.application_id} if isinstance(visible, str) else visible
        return PostgresLogReader(Database(self.scratch.url("sluice_reader")), allowed)

    def messages(self, **conditions: Any) -> list[str]:
        page = self.reader().search(LogQuery(application_id=self.application_id, **conditions))
        return [item["message"] for item in page.logs]


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
    (found,) = shelf.reader().search(LogQuery(application_id=shelf.application_id)).logs
    received_at = found.pop("received_at")
    assert datetime.fromisoformat(received_at).tzinfo
    assert found.pop("application").startswith("app-")
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
    assert shelf.messages(levels=(Level.ERROR, Level.CRITICAL)) == ["c", "b Connection REFUSED"]
    assert shelf.messages(since=START + timedelta(hours=1)) == ["c", "b Connection REFUSED"]
    assert shelf.messages(until=START + timedelta(hours=1)) == ["a 100% sure_thing"]
    assert shelf.messages(text="connection refused") == ["b Connection REFUSED"]
    assert shelf.messages(text="0% s") == ["a 100% sure_thing"]
    assert shelf.messages(text="sure%thing") == []
    assert shelf.messages(text="sureXthing") == []
    assert shelf.messages(text="\\") == []
    assert shelf.messages(since=START + timedelta(days=900)) == []


def test_a_late_log_is_found_by_its_event_time(shelf: Shelf) -> None:
    shelf.put({"message": "late", "event_at": START - timedelta(days=400)}, received_at=START)
    assert shelf.messages(since=START - timedelta(days=401), until=START - timedelta(days=399)) == ["late"]


def test_pages_visit_every_record_once(shelf: Shelf) -> None:
    for batch in range(7):
        shelf.put(*({"event_at": START + timedelta(seconds=number % 3)} for number in range(batch, batch + 10)))
    seen: list[str] = []
    cursor: Cursor | None = None
    while True:
        page = shelf.reader().search(LogQuery(application_id=shelf.application_id, limit=8, cursor=cursor))
        seen += [item["id"] for item in page.logs]
        if page.next_cursor is None:
            break
        cursor = Cursor.from_text(page.next_cursor.to_text())
    assert len(seen) == len(set(seen)) == 70


def test_another_application_sees_nothing(scratch: Scratch, shelf: Shelf) -> None:
    batch_id = shelf.put({"message": "private"})
    other = Shelf(scratch)
    assert other.messages() == []
    for query in (LogQuery(), LogQuery(batch_id=batch_id), LogQuery(application_id=shelf.application_id)):
        assert other.reader().search(query).logs == []
        assert other.reader(visible=set()).search(query).logs == []
    assert [item["message"] for item in other.reader(visible=None).search(LogQuery(batch_id=batch_id)).logs] == [
        "private"
    ]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"since": "yesterday"}, "invalid_since"),
        ({"until": "1e40"}, "invalid_until"),
        ({"level": "purple"}, "invalid_level"),
        ({"text": "a\x00"}, "invalid_text"),
        ({"batch_id": "xyz"}, "invalid_batch_id"),
        ({"limit": "0"}, "invalid_limit"),
        ({"limit": "1001"}, "invalid_limit"),
        ({"limit": "٣"}, "invalid_limit"),
        ({"limit": "9" * 5_000}, "invalid_limit"),
        ({"cursor": "nonsense"}, "invalid_cursor"),
        ({"cursor": "W10"}, "invalid_cursor"),
        ({"surprise": "1"}, "unknown_parameter"),
    ],
)
def test_a_bad_parameter_is_named(parameters: dict[str, str], code: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        parse_query(parameters, 1)
    assert caught.value.code == code


def test_parameters_become_a_query() -> None:
    query = parse_query({"since": "2026-05-04T10:00:00 02:00", "level": "error, warn", "limit": "5", "text": "x"}, 7)
    assert query == LogQuery(
        application_id=7,
        since=START - timedelta(hours=2),
        levels=(Level.ERROR, Level.WARNING),
        text="x",
        limit=5,
    )
