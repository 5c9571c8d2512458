"""One contract for looking at the queue: the in-memory fake and Redis Streams; and what only Redis can show."""

from typing import Any

import pytest
import redis

from fakes import MemoryQueue
from samples import record, submission
from sluice.errors import Unavailable
from sluice.runtime.redis import connect_redis
from sluice.streams.inspection import Header, ShardState
from sluice.streams.model import StreamEntry
from sluice.streams.redis import GROUP, RedisQueue

Queue = MemoryQueue | RedisQueue
LIMIT = 10_000_000
STREAM = "logs:queue:{1}"


@pytest.fixture(params=["memory", "redis"])
def queue(request: pytest.FixtureRequest) -> Queue:
    if request.param == "memory":
        return MemoryQueue(shard_count=2, backlog_limit_bytes=LIMIT)
    return RedisQueue(request.getfixturevalue("redis_client"), shard_count=2, backlog_limit_bytes=LIMIT)


@pytest.fixture
def redis_queue(redis_client: redis.Redis) -> RedisQueue:
    return RedisQueue(redis_client, shard_count=2, backlog_limit_bytes=LIMIT)


def inspect(queue: Queue, *, max_entries: int = 1_000, max_pending: int = 10) -> ShardState:
    return queue.inspect(1, max_entries=max_entries, max_pending=max_pending)


def claim(queue: Queue, max_records: int = 10**9) -> list[str]:
    claimed = queue.claim(1, min_idle_seconds=60, max_records=max_records, max_bytes=10**9)
    return [entry.entry_id for entry in claimed.entries]


def fill(queue: Queue, *application_ids: int) -> None:
    for application_id in application_ids:
        queue.submit(submission([record(0), record(1)], application_id=application_id))


def test_an_empty_shard(queue: Queue) -> None:
    state = inspect(queue)
    assert (state.shard, state.entry_count, state.record_count, state.size_bytes) == (1, 0, 0, 0)
    assert (state.oldest_seconds, state.group, state.pending, state.applications) == (None, None, (), ())


def test_when_drains_began(queue: Queue) -> None:
    state = queue.drain_state()
    assert (state.is_lingering, state.last_wake_at, state.last_start_at) == (False, None, None)
    queue.note_start(is_woken=False)
    queue.note_start(is_woken=True)
    queue.attend(60)
    state = queue.drain_state()
    assert state.is_lingering
    assert state.last_wake_at is not None
    assert state.last_start_at is not None
    assert state.last_start_at <= state.last_wake_at
    queue.leave()
    assert not queue.drain_state().is_lingering


def test_a_backlog_is_shared_out_among_applications(queue: Queue) -> None:
    fill(queue, 1, 3, 1, 2)
    state = inspect(queue)
    assert (state.entry_count, state.read_count, state.record_count) == (3, 3, 6), "application 2 is of another shard"
    first, second = state.applications
    assert (first.application_id, first.entry_count, first.record_count, first.accepted_count) == (1, 2, 4, 4)
    assert (second.application_id, second.entry_count, second.record_count, second.accepted_count) == (3, 1, 2, 2)
    assert first.size_bytes + second.size_bytes == state.size_bytes
    assert first.size_bytes > second.size_bytes > 0
    assert state.group is None, "nobody has drained yet"


def test_what_a_drain_holds_is_pending(queue: Queue) -> None:
    fill(queue, 1, 3)
    first, _ = claim(queue)
    fill(queue, 1)
    state = inspect(queue, max_pending=1)
    assert state.group is not None
    assert (state.group.pending_count, state.group.lag_count) == (2, 1)
    assert [(member.name, member.pending_count) for member in state.group.consumers] == [("drain", 2)]
    (oldest,) = state.pending
    assert (oldest.entry_id, oldest.consumer, oldest.deliveries) == (first, "drain", 0)
    assert oldest.header == Header(1, 2)
    assert 0 <= oldest.idle_seconds < 60
    assert inspect(queue, max_pending=0).pending == ()


def test_what_is_acknowledged_is_gone_and_stays_accepted(queue: Queue) -> None:
    fill(queue, 1)
    queue.acknowledge(1, [entry for entry in queue.read(1, claim(queue)) if isinstance(entry, StreamEntry)])
    state = inspect(queue)
    assert (state.entry_count, state.record_count, state.size_bytes, state.pending) == (0, 0, 0, ())
    assert state.group is not None
    assert (state.group.pending_count, state.group.lag_count) == (0, 0)
    (share,) = state.applications
    assert (share.entry_count, share.size_bytes, share.accepted_count) == (0, 0, 2)


def test_of_a_long_queue_the_beginning_is_read(queue: Queue) -> None:
    fill(queue, *[1] * 30)
    claim(queue)
    state = inspect(queue, max_entries=10, max_pending=20)
    assert (state.entry_count, state.read_count, state.record_count) == (30, 10, 20)
    assert [entry.header is not None for entry in state.pending] == [True] * 10 + [False] * 10
    assert inspect(queue, max_entries=0).oldest_seconds is None


def test_looking_changes_nothing(queue: Queue) -> None:
    fill(queue, 1, 1)
    inspect(queue)
    assert len(claim(queue)) == 2
    assert inspect(queue) == inspect(queue) or isinstance(queue, RedisQueue)
    assert [entry.deliveries for entry in inspect(queue).pending] == [0, 0]


def test_entries_that_nobody_of_ours_wrote_are_counted(redis_queue: RedisQueue, redis_client: redis.Redis) -> None:
    hostile: list[dict[str, str | bytes]] = [
        {"x": "y"},
        {"application": "1e5", "count": "many", "sequence": "-1"},
        {"application": "9" * 400, "count": "9" * 400, "sequence": "9" * 400},
        {"application": b"\xff\x00", "count": "", "sequence": "٣"},
    ]
    for fields in hostile:
        redis_client.xadd(STREAM, fields)  # type: ignore[arg-type]
    redis_client.xadd(STREAM, {"x": "from the future"}, id=f"{2**63}-0")
    redis_client.hset("logs:backlog:{1}", mapping={"nobody": "x", "7": "-5"})
    redis_client.xgroup_create(STREAM, GROUP, id="0")
    redis_client.xreadgroup(GROUP, b"\x1b[2J\xff", {STREAM: ">"})  # type: ignore[arg-type]
    state = inspect(redis_queue)
    assert (state.entry_count, state.read_count, state.record_count) == (5, 5, 0)
    assert [entry.header for entry in state.pending] == [Header(None, None)] * 5
    assert state.pending[-1].age_seconds == 0
    assert next(share for share in state.applications if share.application_id is None).entry_count == 5
    assert redis_queue.queued_ranges() == []


def test_a_pending_entry_that_was_deleted_has_no_header(redis_queue: RedisQueue, redis_client: redis.Redis) -> None:
    fill(redis_queue, 1, 1)
    first, _ = claim(redis_queue)
    redis_client.xdel(STREAM, first)
    state = inspect(redis_queue)
    assert state.entry_count == 1
    assert [entry.header is not None for entry in state.pending] == [False, True]


def test_a_lag_that_redis_cannot_tell(redis_queue: RedisQueue, redis_client: redis.Redis) -> None:
    fill(redis_queue, 1, 1, 1)
    claim(redis_queue, max_records=0)
    entries: Any = redis_client.xrange(STREAM)
    redis_client.xreadgroup(GROUP, "drain", {STREAM: ">"}, count=1)
    redis_client.xdel(STREAM, entries[1][0])
    state = inspect(redis_queue)
    assert state.group is not None
    assert state.group.lag_count is None


def test_consumers_of_others_have_a_bound(redis_queue: RedisQueue, redis_client: redis.Redis) -> None:
    claim(redis_queue)
    for number in range(300):
        redis_client.xgroup_createconsumer(STREAM, GROUP, f"c{number}")
    group = inspect(redis_queue).group
    assert group is not None
    assert len(group.consumers) == 100


def test_an_unreachable_queue_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        inspect(RedisQueue(connect_redis("redis://127.0.0.1:9/0"), shard_count=2))
