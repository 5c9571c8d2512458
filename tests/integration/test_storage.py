"""Storing through PgBouncer in transaction mode: poison, partitions, parallel chunks, killed functions."""

import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
import redis
from backports import zstd

from apps import load_app
from counted import CountedCursor, CountingDatabase
from fakes import NOON
from samples import NOBODY, by_column, record, stream_entry, submission
from scratch import Scratch
from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.packing import pack_record
from sluice.entries.usual import pack_usual
from sluice.errors import Unavailable
from sluice.ledger.audit import audit
from sluice.ledger.model import Totals
from sluice.ledger.postgres import PostgresLedger
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.streams.model import NewerEntriesError, StreamEntry
from sluice.streams.parts import compressed_parts
from sluice.streams.redis import RedisQueue

process_chunk = load_app("process_chunk")


def good(position: int) -> bytes:
    return pack_record(record(position))


def poison(position: int) -> bytes:
    """A record that ingest would never let through: jsonb refuses U+0000."""
    return pack_record(record(position, metadata='{"a":"\\u0000"}'))


@pytest.fixture
def store(scratch: Scratch) -> PostgresChunkStore:
    return PostgresChunkStore(Database(scratch.url("sluice_writer")))


def positions(scratch: Scratch, batch_id: UUID, table: str = "log_entries") -> list[int]:
    return [
        row[0] for row in scratch.rows(f"SELECT position FROM {table} WHERE batch_id = %s ORDER BY 1", batch_id.hex)
    ]


@pytest.mark.parametrize("form", [stream_entry, lambda lines: by_column(stream_entry(lines))], ids=["lines", "table"])
@pytest.mark.parametrize("bad", [{500}, {0}, {999}, set(range(0, 1_000, 2)), set(range(1_000))])
def test_every_bad_record_is_dead_lettered_once_and_every_good_one_stored(
    scratch: Scratch, store: PostgresChunkStore, bad: set[int], form: Callable[[list[bytes]], StreamEntry]
) -> None:
    lines = [poison(position) if position in bad else good(position) for position in range(1_000)]
    mixed, clean = form(lines), form([good(0)])
    result = store.store([mixed, clean]).result
    assert result == ChunkResult(stored=1_001 - len(bad), dead_lettered=len(bad))
    assert store.store([mixed, clean]).result == ChunkResult(redelivered=1_001)
    assert positions(scratch, mixed.batch_id) == sorted(set(range(1_000)) - bad)
    assert positions(scratch, mixed.batch_id, "dead_letters") == sorted(bad)
    assert positions(scratch, clean.batch_id) == [0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"metadata": '{"a":"\\u0000"}'}, "sqlstate_22p05"),
        ({"metadata": "{"}, "sqlstate_22p02"),
        ({"severity_number": 10**6}, "sqlstate_22003"),
        ({"message": "a\x00b"}, "sqlstate_22021"),
    ],
)
def test_a_dead_letter_says_why_and_keeps_the_queued_bytes(
    scratch: Scratch, store: PostgresChunkStore, changes: dict[str, Any], reason: str
) -> None:
    line = pack_record(record(7, **changes))
    made = stream_entry([line])
    store.store([made])
    ((kept_reason, detail, queued, application_id, received_at),) = scratch.rows(
        "SELECT reason, detail, queued, application_id, received_at FROM dead_letters WHERE batch_id = %s",
        made.batch_id.hex,
    )
    assert (kept_reason, bytes(queued), application_id, received_at) == (reason, line, NOBODY, made.received_at)
    assert detail


def test_a_day_without_a_partition_gets_one(scratch: Scratch, store: PostgresChunkStore) -> None:
    long_ago = datetime(2020, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)
    made = stream_entry([good(0)], received_at=long_ago)
    late = stream_entry([good(0)], received_at=long_ago + timedelta(microseconds=1))
    assert store.store([made, late]).result == ChunkResult(stored=2)
    assert scratch.rows("SELECT count(*) FROM log_entries_1_20200229") == [(1,)]
    assert scratch.rows("SELECT count(*) FROM log_entries_1_20200301") == [(1,)]


def test_a_chunk_over_several_days_and_applications(scratch: Scratch, store: PostgresChunkStore) -> None:
    now = datetime.now(UTC)
    entries = [
        stream_entry([good(0), good(1)], application_id=900 + number % 3, received_at=now - timedelta(days=number % 2))
        for number in range(12)
    ]
    assert store.store(entries).result == ChunkResult(stored=24)
    bounds = scratch.rows(
        "SELECT application_id, count(*) FROM event_time_bounds WHERE application_id BETWEEN 900 AND 902 GROUP BY 1"
    )
    assert sorted(bounds) == [(900, 2), (901, 2), (902, 2)]


def test_event_time_bounds_widen_and_never_shrink(scratch: Scratch, store: PostgresChunkStore) -> None:
    application_id = scratch.create_application()
    for hours in (0, 5, -3, 1):
        moment = NOON + timedelta(hours=hours, minutes=30)
        store.store([stream_entry([good(0)], application_id=application_id, event_from=moment, event_to=moment)])
    ((event_from, event_until),) = scratch.rows(
        "SELECT event_from, event_until FROM event_time_bounds WHERE application_id = %s", application_id
    )
    assert (event_from, event_until) == (NOON - timedelta(hours=3), NOON + timedelta(hours=6))


def test_the_same_chunk_in_parallel_is_stored_once(scratch: Scratch) -> None:
    entries = [stream_entry([good(0), good(1)]) for _ in range(40)]
    results: list[ChunkResult] = []

    def run(order: int) -> None:
        own = PostgresChunkStore(Database(scratch.url("sluice_writer")))
        results.append(own.store(entries[order:] + entries[:order]).result)

    threads = [threading.Thread(target=run, args=(order,)) for order in (0, 13, 26)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.stored for result in results) == 80
    assert sum(result.redelivered for result in results) == 160
    assert all(positions(scratch, made.batch_id) == [0, 1] for made in entries)


def test_nothing_leaks_into_the_next_user_of_the_pooled_connection(scratch: Scratch) -> None:
    PostgresLedger(Database(scratch.url("sluice_reader")), {1, 2}).application_names()
    for _ in range(5):
        with Database(scratch.url("sluice_reader")).transaction() as cursor:
            cursor.execute("SELECT current_setting('sluice.applications', true)")
            assert cursor.fetchone() in [(None,), ("",)]


class Pipeline:
    """Queue and store on real servers, with one application."""

    def __init__(self, scratch: Scratch, client: redis.Redis, redis_url: str) -> None:
        self.scratch, self.redis_url = scratch, redis_url
        self.queue = RedisQueue(client, shard_count=1, backlog_limit_bytes=10**9)
        self.application_id = scratch.create_application()
        self.batches: list[UUID] = []

    def submit(self, count: int = 3, *, batch_id: UUID | None = None) -> None:
        sent = submission(map(record, range(count)), application_id=self.application_id, batch_id=batch_id)
        self.batches.append(sent.batch_id)
        assert self.queue.submit(sent)

    def claim(self) -> ChunkTask:
        claim = self.queue.claim(0, min_idle_seconds=0, max_records=10**6, max_bytes=10**9)
        return ChunkTask(0, tuple(item.entry_id for item in claim.entries))

    def process(self, task: ChunkTask) -> ChunkResult:
        store = PostgresChunkStore(Database(self.scratch.url("sluice_writer")))
        result: ChunkResult = process_chunk.ProcessChunk(self.queue, store).run(task)
        return result

    def totals(self) -> Totals:
        ledger = PostgresLedger(Database(self.scratch.url("sluice_reader")), None)
        return audit(self.queue, ledger, {self.application_id})[self.application_id]


@pytest.fixture
def pipeline(scratch: Scratch, redis_client: redis.Redis, redis_url: str) -> Pipeline:
    return Pipeline(scratch, redis_client, redis_url)


def test_the_ledger_balances_at_every_step(pipeline: Pipeline) -> None:
    pipeline.submit(3)
    pipeline.submit(2)
    assert pipeline.totals() == Totals(accepted=5, in_flight=5)
    task = pipeline.claim()
    assert pipeline.totals() == Totals(accepted=5, in_flight=5)
    pipeline.submit(4)
    pipeline.process(task)
    assert pipeline.totals() == Totals(accepted=9, stored=5, in_flight=4)
    pipeline.submit(3, batch_id=pipeline.batches[0])
    pipeline.process(pipeline.claim())
    assert pipeline.totals() == Totals(accepted=12, stored=9, duplicate=3)


def test_the_ledger_notices_a_loss(pipeline: Pipeline, redis_client: redis.Redis) -> None:
    pipeline.submit(3)
    pipeline.submit(2)
    (stream,) = redis_client.keys("logs:queue:*")
    redis_client.xtrim(stream, maxlen=1, approximate=False)
    assert pipeline.totals() == Totals(accepted=5, in_flight=2, unaccounted=3)


def test_what_is_committed_but_not_acknowledged_is_stored_not_in_flight(pipeline: Pipeline) -> None:
    pipeline.submit(3)
    task = pipeline.claim()
    PostgresChunkStore(Database(pipeline.scratch.url("sluice_writer"))).store(pipeline.queue.read(0, task.entry_ids))
    assert pipeline.totals() == Totals(accepted=3, stored=3)


KILLED = """
import os, signal, sys
sys.path[:0] = {paths!r}
from apps import load_app
from sluice.chunks.model import ChunkTask
from sluice.chunks.postgres import PostgresChunkStore
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.runtime.redis import connect_redis
from sluice.streams.redis import RedisQueue

class Doomed(RedisQueue):
    def acknowledge(self, shard, entries):
        os.kill(os.getpid(), signal.SIGKILL)

queue = Doomed(connect_redis({redis_url!r}), shard_count=1)
store = PostgresChunkStore(Database({database_url!r}))
load_app("process_chunk").ProcessChunk(queue, store).run(ChunkTask(0, {entry_ids!r}))
"""


def test_killed_between_commit_and_acknowledge(pipeline: Pipeline) -> None:
    """The rows are there once after the next drain, and the ledger balances all the way."""
    pipeline.submit(1_500)
    pipeline.submit(1)
    task = pipeline.claim()
    script = KILLED.format(
        paths=[str(Path(__file__).parents[1])],
        redis_url=pipeline.redis_url,
        database_url=pipeline.scratch.url("sluice_writer"),
        entry_ids=task.entry_ids,
    )
    killed = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    assert pipeline.totals() == Totals(accepted=1_501, stored=1_501)
    assert pipeline.queue.count_entries(0) == 3
    again = pipeline.claim()
    assert set(again.entry_ids) == set(task.entry_ids)
    assert pipeline.process(again) == ChunkResult(redelivered=1_501, acknowledged=3)
    assert positions(pipeline.scratch, pipeline.batches[0]) == list(range(1_500))
    assert positions(pipeline.scratch, pipeline.batches[1]) == [0]
    assert pipeline.totals() == Totals(accepted=1_501, stored=1_501)


def test_an_entry_nobody_of_ours_wrote(pipeline: Pipeline, redis_client: redis.Redis) -> None:
    pipeline.submit(2)
    (stream,) = redis_client.keys("logs:queue:*")
    redis_client.xadd(stream, {"message": b"by hand\x00"})
    assert pipeline.process(pipeline.claim()) == ChunkResult(stored=2, dead_lettered=1, acknowledged=2)
    ((queued,),) = pipeline.scratch.rows(
        "SELECT queued FROM dead_letters WHERE reason = 'unreadable_entry' AND detail <> '' ORDER BY dead_letter_id"
    )[-1:]
    assert b"by hand\x00" in bytes(queued)


def test_a_full_redis_still_drains(pipeline: Pipeline, redis_client: redis.Redis) -> None:
    """At maxmemory nothing more is taken, and what is there can be claimed, stored, acknowledged and trimmed."""
    pipeline.submit(500)
    limit = str(redis_client.config_get("maxmemory")["maxmemory"])
    redis_client.config_set("maxmemory", 1)
    try:
        with pytest.raises(Exception, match="queue_unavailable"):
            pipeline.submit(1)
        assert pipeline.process(pipeline.claim()).stored == 500
        pipeline.queue.trim(0)
    finally:
        redis_client.config_set("maxmemory", limit)
    assert pipeline.totals() == Totals(accepted=500, stored=500)


def test_a_database_that_hangs_is_one_that_is_down(scratch: Scratch) -> None:
    database = Database(scratch.url("sluice_writer"), deadline_seconds=0.2)
    with pytest.raises(Unavailable), database.transaction() as cursor:
        cursor.execute("SELECT pg_sleep(60)")
    with database.transaction() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_each_transaction_has_its_own_deadline_and_no_thread_of_its_own(scratch: Scratch) -> None:
    database = Database(scratch.url("sluice_writer"), deadline_seconds=0.5)
    threads = set()
    for _ in range(3):
        with database.transaction() as cursor:
            threads |= set(threading.enumerate())
            cursor.execute("SELECT pg_sleep(0.3)")
    assert len(threads - set(threading.enumerate())) <= 1  # it stays no longer than a deadline
    with pytest.raises(Unavailable), database.transaction() as cursor:
        cursor.execute("SELECT pg_sleep(60)")


def only_entry(client: redis.Redis) -> tuple[bytes, dict[Any, Any]]:
    ((entry_id, fields),) = cast(Any, client.xrange("logs:queue:{0}"))
    return entry_id, fields


def take_out(client: redis.Redis) -> dict[Any, Any]:
    """Removes the only entry of the queue and returns its fields, to be put back with others."""
    entry_id, fields = only_entry(client)
    client.xdel("logs:queue:{0}", entry_id)
    return fields


@pytest.mark.parametrize(
    "damage",
    [
        {"part": 2**40},
        {"application": 2**40},
        {"count": -1},
        {"count": "x"},
        {"sequence": 2**70},
        {"retention_class": 99},
        {"batch": "nonsense"},
        {"records": b"nonsense"},
        {"received_at": "9" * 30},
    ],
)
def test_a_damaged_entry_does_not_block_its_neighbours(
    pipeline: Pipeline, redis_client: redis.Redis, damage: dict[str, Any]
) -> None:
    pipeline.submit(3)
    _, fields = only_entry(redis_client)
    redis_client.xadd("logs:queue:{0}", fields | {b"batch": uuid4().hex} | damage)
    result = pipeline.process(pipeline.claim())
    assert (result.stored, result.acknowledged) == (3, 2)
    assert result.dead_lettered >= 1
    assert pipeline.totals().stored == 3


def test_positions_that_are_none_are_dead_lettered_each(scratch: Scratch, store: PostgresChunkStore) -> None:
    lines = [line.replace(b"0\t", b"far out\t", 1) for line in (good(0), good(0))]
    made = stream_entry([*lines, good(2)])
    assert store.store([made]).result == ChunkResult(stored=1, dead_lettered=2)
    assert len(positions(scratch, made.batch_id, "dead_letters")) == 2


def test_an_entry_whose_records_are_damaged_is_accounted_for(pipeline: Pipeline, redis_client: redis.Redis) -> None:
    pipeline.submit(3)
    fields = take_out(redis_client)
    redis_client.xadd("logs:queue:{0}", {**fields, b"records": fields[b"records"][:-9]})
    pipeline.submit(2)
    assert pipeline.process(pipeline.claim()).dead_lettered == 3
    assert pipeline.totals() == Totals(accepted=5, stored=2, dead_lettered=3)
    assert redis_client.hgetall("logs:backlog:{0}") == {}


@pytest.mark.parametrize("version", [b"1", b"2"])
def test_entries_of_the_versions_before_are_read(pipeline: Pipeline, redis_client: redis.Redis, version: bytes) -> None:
    """They wait in the queue while functions are replaced."""
    pipeline.submit(3)
    fields = take_out(redis_client)
    if version == b"1":
        fields[b"records"] = zlib.compress(zstd.decompress(fields[b"records"]), 1)
    redis_client.xadd("logs:queue:{0}", fields | {b"version": version})
    assert pipeline.process(pipeline.claim()).stored == 3


@pytest.mark.parametrize("is_beside_a_damaged_one", [False, True])
def test_an_entry_of_a_newer_version_waits_and_holds_up_no_other(
    pipeline: Pipeline, redis_client: redis.Redis, is_beside_a_damaged_one: bool
) -> None:
    pipeline.submit(3)
    fields = take_out(redis_client)
    redis_client.xadd("logs:queue:{0}", fields | {b"version": b"4", b"records": b"of no form that is known"})
    pipeline.submit(2)
    if is_beside_a_damaged_one:
        redis_client.xadd("logs:queue:{0}", {"not": "ours"})
    task = pipeline.claim()
    for _ in range(2):
        with pytest.raises(NewerEntriesError):
            pipeline.process(task)
        assert pipeline.totals() == Totals(accepted=5, stored=2, in_flight=3)
    assert redis_client.xlen("logs:queue:{0}") == 1


@pytest.mark.parametrize("count", [3, 2, 4])
def test_an_entry_by_column_is_stored_or_accounted_for(
    pipeline: Pipeline, redis_client: redis.Redis, count: int
) -> None:
    pipeline.submit(3)
    fields = take_out(redis_client)
    packed = pack_usual(b'{"message":"m"}\n' * count, NOON, max_records=count)
    assert packed is not None
    (part,) = compressed_parts(packed)
    redis_client.xadd("logs:queue:{0}", fields | {b"records": part.packed})
    pipeline.process(pipeline.claim())
    assert pipeline.totals() == (Totals(accepted=3, stored=3) if count == 3 else Totals(accepted=3, dead_lettered=3))


def test_a_deadline_holds_while_an_idle_connection_is_checked(scratch: Scratch) -> None:
    database = Database(scratch.url("sluice_writer"), deadline_seconds=0.3)
    with database.transaction() as cursor:
        cursor.execute("SELECT 1")
    database._used_at -= 60
    database._check = lambda idle: time.sleep(0.5)  # type: ignore[method-assign]  # a server that hangs meanwhile
    with pytest.raises(Unavailable), database.transaction():
        pass


def test_a_damaged_repetition_is_accounted_for(pipeline: Pipeline, redis_client: redis.Redis) -> None:
    pipeline.submit(3)
    _, fields = only_entry(redis_client)
    pipeline.process(pipeline.claim())
    redis_client.hincrby("logs:accepted:{0}", str(pipeline.application_id), 3)
    redis_client.xadd("logs:queue:{0}", fields | {b"sequence": b"4", b"records": fields[b"records"][:-9]})
    pipeline.process(pipeline.claim())
    assert pipeline.totals() == Totals(accepted=6, stored=3, duplicate=3)


def test_a_connection_that_died_while_frozen_is_replaced(scratch: Scratch) -> None:
    database = Database(scratch.url("sluice_writer"))
    with database.transaction() as cursor:
        cursor.execute("SELECT 1")
    database._used_at -= 60
    assert database._connection is not None
    database._connection.close()
    with database.transaction() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_a_chunk_takes_a_round_trip_for_each_step_however_large(
    scratch: Scratch, redis_client: redis.Redis, redis_url: str
) -> None:
    """And the drain gets no records of it."""
    queue = RedisQueue(connect_redis(redis_url), shard_count=1, backlog_limit_bytes=10**8)
    store = PostgresChunkStore(CountingDatabase(scratch.url("sluice_writer")))
    application_id, found = scratch.create_application(), []
    for entries, records in ((1, 1), (1, 1), (5, 400)):  # the first makes the partition
        for _ in range(entries):
            messages = [record(n, token_hex(32)) for n in range(records)]
            assert queue.submit(submission(messages, application_id=application_id))
        before = redis_client.info("stats")["total_net_output_bytes"]
        claim = queue.claim(0, min_idle_seconds=60, max_records=10**6, max_bytes=10**9)
        sent = redis_client.info("stats")["total_net_output_bytes"] - before
        CountedCursor.asked.clear()
        scripts = redis_client.info("commandstats")["cmdstat_evalsha"]["calls"]
        process_chunk.ProcessChunk(queue, store).run(ChunkTask(0, tuple(entry.entry_id for entry in claim.entries)))
        scripts = redis_client.info("commandstats")["cmdstat_evalsha"]["calls"] - scripts
        found.append((CountedCursor.asked[:], scripts))
    assert found[1] == found[2] == (["INSERT", "SAVEPOINT", "COPY", "RELEASE", "INSERT"], 2)
    assert sum(entry.record_count for entry in claim.entries) == 2_000
    assert sent < 20_000  # of 128,000 digits of messages, which nothing compresses below a half
