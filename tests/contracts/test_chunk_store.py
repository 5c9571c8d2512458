"""One contract for storing chunks: the in-memory fake and Postgres through PgBouncer."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from fakes import MemoryChunkStore
from samples import record, stream_entry
from scratch import Scratch
from sluice.chunks.model import ChunkResult, DeadLettered
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.packing import pack_record
from sluice.errors import Unavailable
from sluice.runtime.postgres import Database
from sluice.streams.model import StreamEntry, UnreadableEntry


class Store:
    """A store under test, and what is in it."""

    def __init__(self, scratch: Scratch | None) -> None:
        self._scratch = scratch
        self._memory = MemoryChunkStore()
        self.store = self._memory if scratch is None else PostgresChunkStore(Database(scratch.url("sluice_writer")))

    def positions(self, batch_id: UUID) -> list[int]:
        """The positions stored of a batch, each as often as it is stored."""
        if self._scratch is None:
            return sorted(position for batch, position in self._memory.rows if batch == batch_id)
        rows = self._scratch.rows("SELECT position FROM log_entries WHERE batch_id = %s ORDER BY 1", batch_id.hex)
        return [position for (position,) in rows]


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    return Store(None if request.param == "memory" else request.getfixturevalue("scratch"))


def entry(positions: range = range(3), **changes: object) -> StreamEntry:
    """A readable entry of a batch of its own."""
    return stream_entry((pack_record(record(position)) for position in positions), **changes)


def test_stores_every_record(store: Store) -> None:
    first, second = entry(range(3)), entry(range(2))
    assert store.store.store([first, second]).result == ChunkResult(stored=5)
    assert store.positions(first.batch_id) == [0, 1, 2]
    assert store.positions(second.batch_id) == [0, 1]


def test_an_empty_chunk(store: Store) -> None:
    assert store.store.store([]).result == ChunkResult()


def test_a_redelivery_is_a_no_op(store: Store) -> None:
    first, new = entry(range(3)), entry(range(1))
    store.store.store([first])
    assert store.store.store([first, new]).result == ChunkResult(stored=1, redelivered=3)
    assert store.positions(first.batch_id) == [0, 1, 2]


def test_a_clients_repetition_is_counted_once_and_not_stored(store: Store) -> None:
    first = entry(range(3))
    again = replace(first, entry_id="1-1", first_sequence=4)
    store.store.store([first])
    assert store.store.store([again]).result == ChunkResult(duplicate=3)
    assert store.store.store([again]).result == ChunkResult(redelivered=3)
    assert store.positions(first.batch_id) == [0, 1, 2]


def test_a_repetition_in_the_same_chunk(store: Store) -> None:
    first = entry(range(3))
    again = replace(first, entry_id="1-2", first_sequence=4)
    assert store.store.store([first, again]).result == ChunkResult(stored=3, duplicate=3)
    assert store.positions(first.batch_id) == [0, 1, 2]


def test_another_body_under_the_same_batch_id_is_dead_lettered(store: Store) -> None:
    first = entry(range(3))
    other = replace(first, entry_id="1-3", body_hash=b"o" * 16, first_sequence=4)
    store.store.store([first])
    assert store.store.store([other]).result == ChunkResult(dead_lettered=3)
    assert store.store.store([other]).result == ChunkResult(redelivered=3)
    assert store.positions(first.batch_id) == [0, 1, 2]


def test_an_unreadable_entry_does_not_hold_back_the_others(store: Store) -> None:
    good = entry()
    bad = UnreadableEntry(f"{uuid4().int >> 80}-1", 0, b"\x00garbage", "KeyError: b'version'")
    assert store.store.store([bad, good]).result == ChunkResult(stored=3, dead_lettered=1)


def test_what_was_dead_lettered_is_told_by_batch_and_reason(store: Store) -> None:
    first = entry(range(2))
    reused = replace(first, entry_id="2-0", body_hash=b"another body 16b")
    settlement = store.store.store([first, reused, UnreadableEntry("3-0", 0, b"?", "nonsense")])
    assert set(settlement.dead) == {
        DeadLettered(first.batch_id.hex, "batch_id_reused", 2),
        DeadLettered(None, "unreadable_entry", 1),
    }
    assert store.store.store([entry(range(1))]).dead == ()


def test_parts_of_one_batch_are_entries_of_their_own(store: Store) -> None:
    first = entry(range(2))
    second = entry(range(2, 4), batch_id=first.batch_id, part=1, application_id=first.application_id, first_sequence=3)
    assert store.store.store([second, first]).result == ChunkResult(stored=4)
    assert store.positions(first.batch_id) == [0, 1, 2, 3]


def test_unreachable() -> None:
    with pytest.raises(Unavailable):
        PostgresChunkStore(Database("postgresql://nobody@127.0.0.1:9/none")).store([entry()])
