"""Retention by level: each row is in its class's partition, and nothing else about it is different."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from samples import record, stream_entry
from scratch import Scratch
from sluice.chunks.postgres import PostgresChunkStore
from sluice.deadletters.model import Selection
from sluice.deadletters.postgres import PostgresDeadLetters
from sluice.entries.model import Level
from sluice.entries.packing import pack_record
from sluice.filters.postgres import PostgresFilterStore
from sluice.retention.parse import ClassChange, RetentionChange
from sluice.retention.postgres import PostgresRetention
from sluice.runtime.postgres import Database
from sluice.search.model import Filters, Visible
from sluice.search.parse import parse_query
from sluice.search.postgres import PostgresLogReader
from sluice.streams.model import StreamEntry
from sluice.tail.postgres import PostgresTail

NOW = datetime.now(UTC)
POISON = '{"a":"\\u0000"}'


class Cupboard:
    """An application whose errors are kept long and whose debug logs are not; its other levels are in its own class."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self.application_id = scratch.create_application()
        ((self.name,),) = scratch.rows("SELECT name FROM applications WHERE application_id = %s", self.application_id)
        owner = PostgresRetention(Database(scratch.url("sluice_owner", direct=True)))
        for name, days in (("errors", 90), ("debug", 1)):
            if name not in {item["name"] for item in owner.classes()}:
                owner.create(name, ClassChange({"hot_days": days}))
        owner.assign(self.name, RetentionChange(None, {Level.ERROR: "errors", Level.DEBUG: "debug"}))
        self.store = PostgresChunkStore(Database(scratch.url("sluice_writer")))

    def entry(self, levels: list[Level], **changes: Any) -> StreamEntry:
        lines = [
            pack_record(record(number, f"number {number} is {level.name.lower()}", event_at=NOW, level=level))
            for number, level in enumerate(levels)
        ]
        spans = {"event_from": NOW, "event_to": NOW, "received_at": NOW}
        return stream_entry(lines, application_id=self.application_id, **spans | changes)

    def rows(self) -> list[tuple[str, int]]:
        """Class and level of each stored row."""
        return self.scratch.rows(
            "SELECT class.name, level FROM log_entries JOIN retention_classes class USING (retention_class)"
            " WHERE application_id = %s ORDER BY batch_id, position",
            self.application_id,
        )

    def search(self, q: str) -> list[str]:
        visible = Visible({self.application_id: self.name})
        page = PostgresLogReader(Database(self.scratch.url("sluice_reader")), visible).search(
            parse_query({"q": q}, NOW)
        )
        return [log["message"] for log in page.logs]


@pytest.fixture
def cupboard(scratch: Scratch) -> Iterator[Cupboard]:
    yield Cupboard(scratch)
    scratch.rows("DELETE FROM retention_rules")


CLASSES = {Level.ERROR: "errors", Level.DEBUG: "debug"}
EVERY_LEVEL = [*Level] * 3


def test_rows_are_in_the_class_of_their_level(cupboard: Cupboard) -> None:
    result = cupboard.store.store([cupboard.entry(EVERY_LEVEL), cupboard.entry([Level.INFO])]).result
    assert result.stored == len(EVERY_LEVEL) + 1
    assert sorted(cupboard.rows()) == sorted(
        (CLASSES.get(level, "standard"), int(level)) for level in [*EVERY_LEVEL, Level.INFO]
    )


def test_each_row_once_however_often_it_is_delivered(cupboard: Cupboard) -> None:
    entry = cupboard.entry(EVERY_LEVEL)
    for _ in range(3):
        cupboard.store.store([entry])
    assert len(cupboard.rows()) == len(EVERY_LEVEL)
    assert cupboard.scratch.rows(
        "SELECT record_count, stored_count FROM ledger WHERE application_id = %s", cupboard.application_id
    ) == [(len(EVERY_LEVEL), len(EVERY_LEVEL))]


def test_a_rule_holds_where_it_is_known(cupboard: Cupboard, scratch: Scratch) -> None:
    """A warm environment learns of a change within seconds; until then rows are in the class of before."""
    cupboard.store.store([cupboard.entry([Level.ERROR])])
    scratch.rows("DELETE FROM retention_rules")
    cupboard.store.store([cupboard.entry([Level.ERROR])])
    PostgresChunkStore(Database(scratch.url("sluice_writer"))).store([cupboard.entry([Level.ERROR])])
    assert sorted(name for name, _ in cupboard.rows()) == ["errors", "errors", "standard"]


def test_what_cannot_be_stored_is_dead_lettered_alone(cupboard: Cupboard) -> None:
    lines = [
        pack_record(record(number, event_at=NOW, level=level, metadata=POISON if number % 2 else "{}"))
        for number, level in enumerate([Level.ERROR, Level.ERROR, Level.DEBUG, Level.DEBUG, Level.INFO, Level.INFO])
    ]
    # Neither has a position to be told from the other by; both must be kept.
    lines += [b"x\t2026\t40\t\\N\n", b"y\t2026\t10\t\\N\n"]
    spans = {"event_from": NOW, "event_to": NOW, "received_at": NOW}
    entry = stream_entry(lines, application_id=cupboard.application_id, **spans)
    result = cupboard.store.store([entry]).result
    assert (result.stored, result.dead_lettered) == (3, 5)
    dead = cupboard.scratch.rows(
        "SELECT class.name, position FROM dead_letters JOIN retention_classes class USING (retention_class)"
        " WHERE application_id = %s ORDER BY position",
        cupboard.application_id,
    )
    assert [name for name, position in dead if position >= 0] == ["errors", "debug", "standard"]
    assert len(dead) == 5

    letters = PostgresDeadLetters(Database(cupboard.scratch.url("sluice_owner", direct=True)))
    assert letters.redrive(Selection(application=cupboard.name)).redriven == 3
    assert sorted(name for name, _ in cupboard.rows()) == ["debug", "debug", "errors", "errors", "standard", "standard"]


def test_the_circuit_holds_whole_entries(cupboard: Cupboard, scratch: Scratch) -> None:
    """Entries are held as they were handed in, not in the pieces that they would be stored in."""
    bad = [
        pack_record(record(number, event_at=NOW, level=level, metadata=POISON)) for number, level in enumerate(Level)
    ]
    spans = {"event_from": NOW, "event_to": NOW, "received_at": NOW}
    entries = [
        stream_entry(bad, application_id=application_id, **spans)
        for application_id in (cupboard.application_id, scratch.create_application())
    ]
    good = cupboard.entry([Level.ERROR, Level.INFO] * 20)
    settled = cupboard.store.store([*entries, good])
    assert settled.held == ()  # most of one application's records are good
    more = [
        stream_entry(bad, application_id=application_id, **spans)
        for application_id in (cupboard.application_id, scratch.create_application())
    ]
    assert set(map(id, cupboard.store.store(more).held)) == set(map(id, more))


def test_words_are_found_in_every_class(cupboard: Cupboard) -> None:
    cupboard.store.store([cupboard.entry(EVERY_LEVEL)])
    filters = PostgresFilterStore(Database(cupboard.scratch.url("sluice_indexer")))
    while filters.advance(20_000).entries:
        pass
    made = cupboard.scratch.rows(
        "SELECT class.name, sum(row_count) FROM word_filters JOIN retention_classes class USING (retention_class)"
        " WHERE application_id = %s GROUP BY 1 ORDER BY 1",
        cupboard.application_id,
    )
    assert made == [("debug", 3), ("errors", 3), ("standard", 9)]
    for level in Level:
        assert len(cupboard.search(level.name.lower())) == 3


def test_the_tail_follows_every_class(cupboard: Cupboard) -> None:
    reader = Database(cupboard.scratch.url("sluice_reader"))
    tail = PostgresTail(reader, Visible({cupboard.application_id: cupboard.name}), Filters())
    place = tail.begin().place
    cupboard.store.store([cupboard.entry(EVERY_LEVEL)])
    assert [log["level"] for log in tail.read(place, 100).logs] == [level.name for level in EVERY_LEVEL]
