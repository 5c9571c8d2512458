"""Who wakes the drain: one contract for the in-memory fake and Redis."""

import time
from collections.abc import Callable

import pytest
import redis

from fakes import MemoryQueue
from samples import submission
from sluice.runtime.redis import connect_redis
from sluice.streams.model import Submitted
from sluice.streams.redis import RedisQueue

Queue = MemoryQueue | RedisQueue
WAKE_SECONDS = 0.3
Make = Callable[..., Queue]


@pytest.fixture(params=["memory", "redis"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes the queue with the ``wake_seconds`` it is called with."""

    def make(*, wake_seconds: float = WAKE_SECONDS) -> Queue:
        if request.param == "memory":
            return MemoryQueue(shard_count=3, wake_seconds=wake_seconds)
        client: redis.Redis = request.getfixturevalue("redis_client")
        return RedisQueue(client, shard_count=3, backlog_limit_bytes=10_000_000, wake_seconds=wake_seconds)

    return make


def submit(queue: Queue, application_id: int = 3) -> Submitted:
    return queue.submit(submission(application_id=application_id))


def let_pass(queue: Queue, seconds: float) -> None:
    if isinstance(queue, MemoryQueue):
        queue.clock.advance(seconds)
    else:
        time.sleep(seconds)


def test_one_submitter_in_the_time_of_a_wake_is_asked_whatever_its_shard(make: Make) -> None:
    queue = make()
    asked = [submit(queue, application_id) for application_id in (4, 3, 5, 4, 3, 5)]
    assert asked == [Submitted.UNATTENDED] + [Submitted.QUEUED] * 5
    let_pass(queue, WAKE_SECONDS + 0.05)
    assert {submit(queue, application_id) for application_id in (3, 4, 5)} == {Submitted.UNATTENDED, Submitted.QUEUED}


def test_nobody_is_asked_while_a_drain_is_at_work(make: Make) -> None:
    queue = make()
    queue.attend(60)
    assert [submit(queue, application_id) for application_id in (3, 4, 5)] == [Submitted.QUEUED] * 3
    queue.leave()
    assert submit(queue) is Submitted.UNATTENDED


def test_the_mark_of_a_dead_drain_lapses(make: Make) -> None:
    queue = make()
    queue.attend(WAKE_SECONDS)
    assert submit(queue) is Submitted.QUEUED
    let_pass(queue, WAKE_SECONDS + 0.05)
    assert submit(queue) is Submitted.UNATTENDED


def test_nobody_is_asked_where_the_drain_comes_by_itself(make: Make) -> None:
    assert submit(make(wake_seconds=0)) is Submitted.QUEUED


def test_a_replay_is_not_asked(make: Make) -> None:
    queue = make()
    sent = submission(is_idempotent=True)
    assert [queue.submit(sent), queue.submit(sent)] == [Submitted.UNATTENDED, Submitted.REPLAYED]


def test_a_full_redis_takes_no_mark_and_that_is_nobodys_failure(redis_client: redis.Redis) -> None:
    queue = RedisQueue(redis_client, shard_count=1, backlog_limit_bytes=10_000_000, wake_seconds=WAKE_SECONDS)
    limit = int(redis_client.config_get("maxmemory")["maxmemory"] or 0)
    redis_client.config_set("maxmemory", 1)
    try:
        queue.attend(60)
        queue.leave()
    finally:
        redis_client.config_set("maxmemory", limit)


def test_marks_and_wakes_are_kept_beside_their_shard(redis_client: redis.Redis) -> None:
    """On a cluster a script reaches only keys of its own slot."""
    queue = RedisQueue(redis_client, shard_count=3, backlog_limit_bytes=10_000_000, wake_seconds=60)
    submit(queue, 4)
    queue.attend(60)
    expected = [*(f"logs:attended:{{{shard}}}" for shard in range(3)), "logs:woken:{0}", "logs:woken:{1}"]
    assert redis_client.exists(*expected) == len(expected)


def test_an_unreachable_queue_fails_no_mark() -> None:
    queue = RedisQueue(connect_redis("redis://127.0.0.1:9/0"), shard_count=1)
    queue.attend(60)
    queue.leave()
