"""New entries have room in every claim, however much was left by runs that failed."""

import pytest
import redis

from fakes import MemoryQueue
from samples import record, submission
from sluice.streams.redis import RedisQueue

LEFT = 100


@pytest.fixture(params=["memory", "redis"])
def queue(request: pytest.FixtureRequest) -> MemoryQueue | RedisQueue:
    if request.param == "memory":
        return MemoryQueue()
    client: redis.Redis = request.getfixturevalue("redis_client")
    return RedisQueue(client, shard_count=1, backlog_limit_bytes=10**9)


def submit(queue: MemoryQueue | RedisQueue, count: int) -> None:
    for _ in range(count):
        queue.submit(submission([record(0), record(1)]))


def test_a_claim_of_what_was_left_has_new_entries_in_it(queue: MemoryQueue | RedisQueue) -> None:
    submit(queue, LEFT)
    left = queue.claim(0, min_idle_seconds=60, max_records=10**6, max_bytes=10**9).entries
    queue.release(0, left, is_forgiven=True)
    submit(queue, 10)
    claim = queue.claim(0, min_idle_seconds=60, max_records=40, max_bytes=10**9)
    assert 0 < claim.reclaimed_count < len(claim.entries)
    claim = queue.claim(0, min_idle_seconds=60, max_records=10**6, max_bytes=10**9)
    assert claim.reclaimed_count > 0, "and what was left is not forgotten"
