"""The circuit breaker, entries that kill, and a queue that lost its memory, on real servers."""

from typing import Any

import pytest
import redis

from apps import load_app
from samples import record, submission
from scratch import Scratch
from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.chunks.postgres import PostgresChunkStore
from sluice.errors import ChunkCrashed, ChunkFailed, ContractError, SluiceError
from sluice.ledger.audit import audit
from sluice.ledger.model import Totals
from sluice.ledger.postgres import PostgresLedger
from sluice.runtime.postgres import Database
from sluice.runtime.settings import DrainSettings
from sluice.streams.model import StreamEntry
from sluice.streams.redis import RedisQueue

drain_app = load_app("drain")
process_chunk = load_app("process_chunk")
POISON = '{"a":"\\u0000"}'


class Line:
    """Queue, drain, process_chunk and database; ``killers`` are messages whose entries kill whoever works on them."""

    def __init__(self, scratch: Scratch, client: redis.Redis) -> None:
        self.scratch = scratch
        self.queue = RedisQueue(client, shard_count=1, backlog_limit_bytes=10**9)
        self.worker = process_chunk.ProcessChunk(self.queue, PostgresChunkStore(Database(scratch.url("sluice_writer"))))
        self.killers: set[bytes] = set()
        self.errors: list[SluiceError] = []
        self.sizes: list[int] = []

    def run(self, task: ChunkTask) -> ChunkResult:
        """ChunkRunner, as Lambda would behave."""
        self.sizes.append(len(task.entry_ids))
        entries = self.queue.read(task.shard, task.entry_ids)
        lines = b"".join(entry.lines for entry in entries if isinstance(entry, StreamEntry))
        if any(killer in lines for killer in self.killers) and not task.is_condemned:
            raise ChunkCrashed("chunk_crashed", "out of memory")
        try:
            result: ChunkResult = self.worker.run(task)
        except SluiceError as error:
            self.errors.append(error)
            raise ChunkFailed(error.code, error.detail) from error
        return result

    def drain(self, *, is_forced: bool = False) -> Any:
        settings = DrainSettings("redis://r", 1, "f", 100, 10**7, 1, 30)
        report = drain_app.Report()
        drain_app.Drain(self.queue, self, settings, is_forced).drain(report, lambda: True)
        return report

    def submit(self, *messages: str, application_id: int, metadata: str = "{}") -> None:
        records = [record(position, message, metadata=metadata) for position, message in enumerate(messages)]
        assert self.queue.submit(submission(records, application_id=application_id))

    def totals(self, application_id: int) -> Totals:
        ledger = PostgresLedger(Database(self.scratch.url("sluice_reader")), None)
        return audit(self.queue, ledger, {application_id})[application_id]

    def reasons(self, application_id: int) -> list[tuple[str, int]]:
        return self.scratch.rows(
            "SELECT reason, attempts FROM dead_letters WHERE application_id = %s ORDER BY position", application_id
        )


@pytest.fixture
def line(scratch: Scratch, redis_client: redis.Redis) -> Line:
    return Line(scratch, redis_client)


@pytest.fixture
def applications(scratch: Scratch) -> list[int]:
    return [scratch.create_application() for _ in range(3)]


def test_one_failing_application_is_dead_lettered(line: Line, applications: list[int]) -> None:
    bad, good, _ = applications
    line.submit("x", "y", application_id=bad, metadata=POISON)
    line.submit("a", "b", application_id=good)
    line.drain()
    assert line.totals(bad) == Totals(accepted=2, dead_lettered=2)
    assert line.totals(good) == Totals(accepted=2, stored=2)


def test_two_failing_applications_open_the_circuit(line: Line, applications: list[int]) -> None:
    bad, worse, good = applications
    line.submit("x", "y", application_id=bad, metadata=POISON)
    line.submit("x", application_id=worse, metadata=POISON)
    line.submit("a", "b", application_id=good)
    report = line.drain()
    assert [error.code for error in line.errors] == ["circuit_open"]
    assert report.chunks_failed == 1
    assert line.totals(good) == Totals(accepted=2, stored=2), "good records are not held back"
    assert line.totals(bad) == Totals(accepted=2, in_flight=2), "nothing is dead-lettered"
    assert line.totals(worse) == Totals(accepted=1, in_flight=1)
    line.drain(is_forced=True)
    assert line.totals(bad) == Totals(accepted=2, dead_lettered=2)
    assert line.totals(worse) == Totals(accepted=1, dead_lettered=1)


def test_an_entry_that_kills_ends_alone_in_the_dead_letters(line: Line, applications: list[int]) -> None:
    deadly, good, _ = applications
    line.killers = {b"deadly"}
    for number in range(5):
        line.submit(f"innocent {number}", application_id=good)
    line.submit("deadly", application_id=deadly)
    for _ in range(5):
        line.submit("fresh", application_id=good)
        line.drain()
    assert line.totals(deadly) == Totals(accepted=1, dead_lettered=1)
    assert line.totals(good) == Totals(accepted=10, stored=10)
    assert line.reasons(deadly) == [("crashed", 4)]
    assert line.reasons(good) == []


def test_when_everything_dies_nothing_is_dead_lettered(line: Line, applications: list[int]) -> None:
    """A bad deploy, or no memory anywhere: not the entries' fault."""
    good, other, _ = applications
    line.killers = {b"log"}
    line.submit("log a", application_id=good)
    line.submit("log b", application_id=other)
    for _ in range(12):
        line.drain()
    assert line.totals(good) == Totals(accepted=1, in_flight=1)
    line.killers = set()
    line.drain()
    line.drain()
    assert line.totals(good) == Totals(accepted=1, stored=1)
    assert line.totals(other) == Totals(accepted=1, stored=1)


def test_chunks_that_always_fail_do_not_keep_new_entries_out(line: Line, applications: list[int]) -> None:
    """More of them than one claim holds, and older than everything else."""
    bad, worse, good = applications
    for _ in range(100):
        line.submit("x", "y", application_id=bad, metadata=POISON)
        line.submit("x", "y", application_id=worse, metadata=POISON)
    for tick in range(4):
        line.submit(*["a"] * 50, application_id=good)
        line.drain()
        assert line.totals(good).stored >= 50 * tick, "at most one tick late"
    assert line.totals(bad) == Totals(accepted=200, in_flight=200)


def test_an_outage_is_not_held_against_anyone(line: Line, applications: list[int]) -> None:
    good, *_ = applications
    line.submit("a", application_id=good)
    store, line.worker = (
        line.worker,
        process_chunk.ProcessChunk(line.queue, PostgresChunkStore(Database("postgresql://nobody@127.0.0.1:9/none"))),
    )
    for _ in range(10):
        line.drain()
    line.worker = store
    line.submit("b", application_id=good)
    line.drain()
    assert line.totals(good) == Totals(accepted=2, stored=2)
    assert line.reasons(good) == []


def test_an_emptied_queue_is_reported_and_the_equation_holds(
    line: Line, applications: list[int], redis_client: redis.Redis
) -> None:
    application_id, *_ = applications
    line.submit("a", "b", "c", application_id=application_id)
    line.drain()
    redis_client.flushdb()
    assert line.totals(application_id) == Totals(accepted=3, stored=3, queue_rolled_back=True)
    line.submit("d", application_id=application_id)
    line.drain()
    assert line.totals(application_id) == Totals(accepted=4, stored=4, queue_rolled_back=True)
    line.submit(*"efgh", application_id=application_id)
    assert line.totals(application_id) == Totals(accepted=6, stored=4, in_flight=2, queue_rolled_back=True)
    line.drain()
    assert line.totals(application_id) == Totals(accepted=8, stored=8, queue_rolled_back=True)


def test_a_lost_group_costs_nothing(line: Line, applications: list[int], redis_client: redis.Redis) -> None:
    application_id, *_ = applications
    line.submit("a", application_id=application_id)
    line.queue.claim(0, min_idle_seconds=60, max_records=10, max_bytes=10**6)
    redis_client.xgroup_destroy("logs:queue:{0}", "log_consumers")
    line.submit("b", application_id=application_id)
    line.drain()
    assert line.totals(application_id) == Totals(accepted=2, stored=2)


def test_pending_data_that_vanished_is_noticed(line: Line, applications: list[int], redis_client: redis.Redis) -> None:
    application_id, *_ = applications
    line.submit("a", application_id=application_id)
    claim = line.queue.claim(0, min_idle_seconds=60, max_records=10, max_bytes=10**6)
    line.queue.release(0, claim.entries, is_forgiven=True)
    redis_client.xtrim("logs:queue:{0}", maxlen=0, approximate=False)
    assert line.drain().vanished_entries == 1
    assert line.totals(application_id) == Totals(accepted=1, unaccounted=1)


def test_circuit_open_is_an_error_of_the_function(line: Line, applications: list[int]) -> None:
    for application_id in applications:
        line.submit("x", application_id=application_id, metadata=POISON)
    claim = line.queue.claim(0, min_idle_seconds=60, max_records=10, max_bytes=10**6)
    with pytest.raises(ContractError, match="circuit_open"):
        line.worker.run(ChunkTask(0, tuple(entry.entry_id for entry in claim.entries)))
