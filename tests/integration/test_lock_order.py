"""Chunks that share entries wait for each other; they never deadlock, in whatever order the queue names the entries."""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

from psycopg2.extensions import cursor

from samples import record, stream_entry
from scratch import Scratch
from sluice.chunks.model import ChunkResult
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.packing import pack_record
from sluice.runtime.postgres import Database
from sluice.streams.model import StreamEntry

PATIENCE_SECONDS = 10
_INSERT = """
INSERT INTO ledger (batch_id, part, application_id, shard, retention_class, first_sequence, record_count, stored_count,
                    received_at, stream_id, body_hash)
VALUES (%s, 0, 1000002, 0, 1, 1, 1, 1, now(), '1-0', '')"""
# Of any session of the server: what others do is not shown to the database's owner.
_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"


def entry(batch_id: UUID) -> StreamEntry:
    return stream_entry([pack_record(record(0))], application_id=1_000_002, batch_id=batch_id)


def wait_for_a_lock(scratch: Scratch) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while scratch.rows(_WAITING) == [(0,)]:
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.02)


def take(other: cursor, batch_id: UUID) -> None:
    """Another run's ledger row; raises at once if somebody holds it."""
    other.execute("SET LOCAL lock_timeout = '500ms'")
    other.execute(_INSERT, (batch_id.hex,))


def test_a_chunk_holds_nothing_that_comes_after_what_it_waits_for(scratch: Scratch) -> None:
    low, high = sorted((uuid4(), uuid4()))
    store = PostgresChunkStore(Database(scratch.url("sluice_writer")))
    store.store([entry(uuid4())])  # creates the day's partition
    other = Database(scratch.url("sluice_writer"))
    with ThreadPoolExecutor(1) as pool:
        with other.transaction() as open_cursor:
            take(open_cursor, low)
            run = pool.submit(store.store, [entry(high), entry(low)])
            wait_for_a_lock(scratch)
            take(open_cursor, high)
            open_cursor.connection.rollback()
        assert run.result(PATIENCE_SECONDS).result == ChunkResult(stored=2)
