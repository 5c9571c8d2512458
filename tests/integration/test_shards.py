"""Several streams, and a change of their number while they hold a backlog, on real servers."""

from typing import Any
from uuid import uuid4

import pytest
import redis

from apps import load_app
from samples import record, submission
from scratch import Scratch
from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.chunks.postgres import PostgresChunkStore
from sluice.ledger.audit import audit
from sluice.ledger.model import Totals
from sluice.ledger.postgres import PostgresLedger
from sluice.runtime.postgres import Database
from sluice.runtime.settings import DrainSettings
from sluice.streams.redis import RedisQueue

drain_app = load_app("drain")
process_chunk = load_app("process_chunk")
SHARDS = 4


class Deployment:
    """The functions behind ingest as they are deployed with ``shard_count``."""

    def __init__(self, scratch: Scratch, client: redis.Redis, shard_count: int) -> None:
        self.scratch = scratch
        self.queue = RedisQueue(client, shard_count=shard_count, backlog_limit_bytes=10**9)
        self.worker = process_chunk.ProcessChunk(self.queue, PostgresChunkStore(Database(scratch.url("sluice_writer"))))
        self.shards: set[int] = set()  # of chunks that ran
        self.settings = DrainSettings("redis://r", shard_count, "f", 6, 10**7, 1, 30)

    def run(self, task: ChunkTask) -> ChunkResult:
        """ChunkRunner."""
        self.shards.add(task.shard)
        result: ChunkResult = self.worker.run(task)
        return result

    def drain(self) -> Any:
        report = drain_app.Report()
        drain_app.Drain(self.queue, self, self.settings).drain(report, lambda: True)
        return report

    def send(self, application_id: int, **fields: Any) -> None:
        """One batch of three."""
        assert self.queue.submit(submission(map(record, range(3)), application_id=application_id, **fields))

    def totals(self, application_id: int) -> Totals:
        ledger = PostgresLedger(Database(self.scratch.url("sluice_reader")), None)
        return audit(self.queue, ledger, {application_id})[application_id]


@pytest.fixture
def applications(scratch: Scratch) -> list[int]:
    """One for each shard, and some more."""
    made = [scratch.create_application()]
    while len({application_id % SHARDS for application_id in made}) < SHARDS:
        made.append(scratch.create_application())
    return made


def stored(scratch: Scratch, application_id: int) -> int:
    ((count,),) = scratch.rows("SELECT count(*) FROM log_entries WHERE application_id = %s", application_id)
    return int(count)


def test_one_drain_serves_all_shards(scratch: Scratch, redis_client: redis.Redis, applications: list[int]) -> None:
    deployment = Deployment(scratch, redis_client, SHARDS)
    for application_id in 3 * applications:
        deployment.send(application_id)
    report = deployment.drain()
    assert deployment.shards == {0, 1, 2, 3}
    assert (report.result.stored, report.backlog_entries) == (9 * len(applications), 0)
    for application_id in applications:
        assert deployment.totals(application_id) == Totals(accepted=9, stored=9)
        assert stored(scratch, application_id) == 9


def test_another_count_while_there_is_a_backlog_loses_nothing(
    scratch: Scratch, redis_client: redis.Redis, applications: list[int]
) -> None:
    one, four = Deployment(scratch, redis_client, 1), Deployment(scratch, redis_client, SHARDS)
    for deployment in (one, four, one):
        for application_id in applications:
            deployment.send(application_id)
    claimed = four.queue.claim(3, min_idle_seconds=60, max_records=1, max_bytes=1)
    assert claimed.entries, "a drain of four shards is at work when the count becomes one again"
    for application_id in applications:
        assert one.totals(application_id) == four.totals(application_id) == Totals(accepted=9, in_flight=9)
    one.drain()
    four.queue.release(3, claimed.entries, is_forgiven=True)
    report = one.drain()
    assert (one.shards, report.backlog_entries) == ({0, 1, 2, 3}, 0)
    for application_id in applications:
        assert one.totals(application_id) == four.totals(application_id) == Totals(accepted=9, stored=9)
        assert stored(scratch, application_id) == 9


def test_a_retry_that_meets_another_count_is_stored_once(
    scratch: Scratch, redis_client: redis.Redis, applications: list[int]
) -> None:
    one, four = Deployment(scratch, redis_client, 1), Deployment(scratch, redis_client, SHARDS)
    moved = next(application_id for application_id in applications if application_id % SHARDS)
    batch_id = uuid4()
    for deployment in (one, four):
        deployment.send(moved, batch_id=batch_id, is_idempotent=True)
    four.drain()
    assert four.totals(moved) == Totals(accepted=6, stored=3, duplicate=3)
    assert stored(scratch, moved) == 3
