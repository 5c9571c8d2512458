"""One contract for the queue: the in-memory fake and Redis Streams."""

from collections.abc import Iterable
from dataclasses import replace
from uuid import uuid4

import pytest
import redis

from fakes import MemoryQueue
from samples import record, submission
from sluice.entries.packing import unpack_records
from sluice.errors import RejectedInput, Throttled, Unavailable
from sluice.runtime.redis import connect_redis
from sluice.streams.model import Claim, QueuedRange, StreamEntry
from sluice.streams.redis import RedisQueue

Queue = MemoryQueue | RedisQueue
LIMIT = 2_000_000


@pytest.fixture(params=["memory", "redis"])
def queue(request: pytest.FixtureRequest) -> Queue:
    if request.param == "memory":
        return MemoryQueue(shard_count=2, backlog_limit_bytes=LIMIT)
    client: redis.Redis = request.getfixturevalue("redis_client")
    return RedisQueue(client, shard_count=2, backlog_limit_bytes=LIMIT)


def claim(queue: Queue, shard: int = 1, *, min_idle_seconds: float = 60, max_records: int = 10**9) -> Claim:
    return queue.claim(shard, min_idle_seconds=min_idle_seconds, max_records=max_records, max_bytes=10**9)


def claimed(queue: Queue, shard: int = 1, *, min_idle_seconds: float = 60) -> list[StreamEntry]:
    ids = [entry.entry_id for entry in claim(queue, shard, min_idle_seconds=min_idle_seconds).entries]
    return [entry for entry in queue.read(shard, ids) if isinstance(entry, StreamEntry)]


def test_what_goes_in_comes_out(queue: Queue) -> None:
    sent = submission([record(0, "tab\tand\\slash"), record(1)], application_id=7)
    assert queue.submit(sent)
    (header,) = claim(queue).entries
    (entry,) = queue.read(1, [header.entry_id])
    assert isinstance(entry, StreamEntry)
    assert (header.application_id, header.record_count, header.line_bytes) == (7, 2, len(entry.lines))
    assert (entry.shard, entry.application_id, entry.retention_class, entry.batch_id, entry.part) == (
        1,
        7,
        1,
        sent.batch_id,
        0,
    )
    assert (entry.received_at, entry.body_hash) == (sent.received_at, sent.body_hash)
    assert (entry.event_from, entry.event_to) == (sent.parts[0].event_from, sent.parts[0].event_to)
    assert [item.message for item in unpack_records(entry.lines)] == ["tab\tand\\slash", "checkout finished"]


def test_a_request_brings_its_trace_and_its_batch(queue: Queue) -> None:
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    traced, plain = submission(application_id=1, traceparent=traceparent), submission(application_id=1)
    for sent in (traced, plain):
        queue.submit(sent)
    assert [item.batch_id for item in queue.queued_ranges()] == [traced.batch_id, plain.batch_id]
    headers = claim(queue).entries
    assert [header.batch_id for header in headers] == [traced.batch_id.hex, plain.batch_id.hex]
    entries = queue.read(1, [header.entry_id for header in headers])
    assert [entry.traceparent for entry in entries if isinstance(entry, StreamEntry)] == [traceparent, None]


def test_sequences_number_each_application_without_gaps(queue: Queue) -> None:
    for application_id in (1, 3, 1):
        queue.submit(submission([record(position) for position in range(1_500)], application_id=application_id))
    assert [(entry.application_id, entry.first_sequence, entry.record_count) for entry in claimed(queue)] == [
        (1, 1, 1_000),
        (1, 1_001, 500),
        (3, 1, 1_000),
        (3, 1_001, 500),
        (1, 1_501, 1_000),
        (1, 2_501, 500),
    ]
    assert queue.accepted() == {(1, 1): 3_000, (3, 1): 1_500}


def test_queued_ranges_are_what_is_in_the_queue(queue: Queue) -> None:
    for application_id in (1, 2):
        queue.submit(submission([record(0), record(1)], application_id=application_id))
    first, *_ = claimed(queue)
    expected = {QueuedRange(1, 1, 1, 2), QueuedRange(2, 0, 1, 2)}
    assert set(queue.queued_ranges()) == expected
    queue.acknowledge(1, [first])
    assert set(queue.queued_ranges()) == {QueuedRange(2, 0, 1, 2)}
    assert queue.accepted() == {(1, 1): 2, (2, 0): 2}


def test_queued_ranges_of_more_than_a_page(queue: Queue) -> None:
    for _ in range(100):
        queue.submit(submission())
    assert [item.first_sequence for item in queue.queued_ranges()] == list(range(1, 101))


def test_claims_are_disjoint(queue: Queue) -> None:
    for _ in range(50):
        queue.submit(submission())
    first, second = claim(queue, max_records=20), claim(queue)
    ids = [entry.entry_id for entry in (*first.entries, *second.entries)]
    assert len(ids) == len(set(ids)) == 50
    assert claim(queue).entries == ()


def test_a_claim_stops_at_its_limit(queue: Queue) -> None:
    for _ in range(60):
        queue.submit(submission([record(0), record(1)]))
    assert 10 <= len(claim(queue, max_records=20).entries) < 60
    assert 1 <= len(queue.claim(1, min_idle_seconds=60, max_records=10**6, max_bytes=1).entries) < 50


def test_what_a_dead_run_held_is_claimed_again(queue: Queue) -> None:
    queue.submit(submission())
    queue.submit(submission())
    before = claim(queue)
    assert before.reclaimed_count == 0
    again = claim(queue, min_idle_seconds=0)
    assert again.reclaimed_count == 2
    assert {entry.entry_id for entry in again.entries} == {entry.entry_id for entry in before.entries}


def test_released_entries_are_claimable_at_once(queue: Queue) -> None:
    queue.submit(submission())
    queue.release(1, claim(queue).entries, is_forgiven=True)
    queue.release(1, (), is_forgiven=True)
    assert claim(queue, min_idle_seconds=60).reclaimed_count == 1


def test_deliveries_are_counted_unless_forgiven(queue: Queue) -> None:
    queue.submit(submission())
    seen = []
    for is_forgiven in (False, False, True, False):
        entries = claim(queue).entries
        seen += [entry.deliveries for entry in entries]
        queue.start(1, entries)
        queue.release(1, entries, is_forgiven=is_forgiven)
    seen += [entry.deliveries for entry in claim(queue).entries]
    assert seen == [1, 2, 3, 1, 2]


def test_a_claim_that_starts_no_run_is_no_delivery(queue: Queue) -> None:
    for _ in range(20):  # more than a claim reads at once
        queue.submit(submission())
    queue.start(1, claim(queue, max_records=1).entries[:1])
    for _ in range(3):
        seen = [entry.deliveries for entry in claim(queue, min_idle_seconds=0).entries]
    assert sorted(seen) == [1] * 19 + [2]


def test_a_start_begins_the_idle_time_anew_and_brings_nothing_back(queue: Queue) -> None:
    queue.start(1, ())
    for _ in range(2):
        queue.submit(submission())
    started, _ = entries = claim(queue).entries
    queue.release(1, entries, is_forgiven=True)
    queue.start(1, [started])
    queue.acknowledge(1, [entry for entry in queue.read(1, [started.entry_id]) if isinstance(entry, StreamEntry)])
    queue.start(1, [started])
    (left,) = claim(queue, min_idle_seconds=60).entries
    assert left.entry_id != started.entry_id
    queue.release(1, [left], is_forgiven=True)
    queue.start(1, [left])
    assert claim(queue, min_idle_seconds=60).entries == ()


def test_acknowledged_entries_are_gone(queue: Queue) -> None:
    queue.submit(submission())
    entries = claimed(queue)
    assert queue.acknowledge(1, entries) == 1
    assert queue.acknowledge(1, entries) == 0
    assert queue.acknowledge(1, []) == 0
    assert queue.read(1, [entries[0].entry_id]) == []
    assert claim(queue, min_idle_seconds=0).entries == ()
    assert queue.count_entries(1) == 0


def test_trim_keeps_everything_that_is_not_acknowledged(queue: Queue) -> None:
    queue.trim(0)
    for _ in range(3):
        queue.submit(submission())
    first, second, third = claimed(queue)
    queue.submit(submission())
    queue.acknowledge(1, [first, third])
    queue.trim(1)
    assert queue.read(1, [second.entry_id]) == [second]
    assert queue.count_entries(1) == 2
    assert len(claim(queue).entries) == 1


def test_an_idempotent_submission_is_queued_once(queue: Queue) -> None:
    batch_id = uuid4()
    sent = submission([record(0), record(1)], batch_id=batch_id, is_idempotent=True)
    assert queue.submit(sent)
    assert not queue.submit(sent)
    assert queue.count_entries(1) == 1
    with pytest.raises(RejectedInput) as caught:
        queue.submit(submission(batch_id=batch_id, is_idempotent=True, body_hash=b"other body hash!"))
    assert (caught.value.status, caught.value.code) == (422, "idempotency_key_reused")
    assert queue.accepted() == {(1, 1): 2}


def with_shards(queue: Queue, count: int) -> Queue:
    """The same queue where the setting is another."""
    if isinstance(queue, MemoryQueue):
        return replace(queue, shard_count=count)
    return RedisQueue(queue._client, shard_count=count, backlog_limit_bytes=LIMIT)


def test_shards_are_those_in_use_and_those_that_ever_were(queue: Queue) -> None:
    assert queue.shards() == [0, 1]
    fewer = with_shards(queue, 1)
    assert fewer.shards() == [0]
    queue.submit(submission([record(0), record(1)], application_id=7))
    assert fewer.shards() == [0, 1]
    assert fewer.queued_ranges() == [QueuedRange(7, 1, 1, 2)]
    fewer.submit(submission(application_id=7))
    assert fewer.accepted() == {(7, 1): 2, (7, 0): 1}
    fewer.acknowledge(1, claimed(fewer))
    assert fewer.accepted() == {(7, 1): 2, (7, 0): 1}, "what was accepted there is still accounted for"
    with_shards(queue, 64).submit(submission(application_id=63))
    assert fewer.shards() == [0, 1, 63]


def fill(queue: Queue, application_ids: Iterable[int]) -> None:
    """Submits batches of 1,000 records that hardly compress."""
    for application_id in application_ids:
        lines = [record(number, uuid4().hex + uuid4().hex) for number in range(1_000)]
        queue.submit(submission(lines, application_id=application_id))


def test_one_application_cannot_fill_the_queue(queue: Queue) -> None:
    with pytest.raises(Throttled) as caught:
        fill(queue, [1] * 200)
    assert caught.value.code == "backlog_share_exceeded"
    assert queue.submit(submission(application_id=3)), "others go on"


def test_a_full_queue_takes_nothing_until_it_is_drained(queue: Queue) -> None:
    with pytest.raises(Unavailable) as caught:
        fill(queue, range(1, 1_000, 2))
    assert caught.value.code == "backlog_full"
    accepted = sum(queue.accepted().values())
    entries = claimed(queue)
    assert sum(entry.record_count for entry in entries) == accepted, "a refused batch leaves nothing behind"
    queue.acknowledge(1, entries)
    assert queue.submit(submission())


def test_an_unreachable_queue_is_unavailable() -> None:
    queue = RedisQueue(connect_redis("redis://127.0.0.1:9/0"), shard_count=1, backlog_limit_bytes=LIMIT)
    with pytest.raises(Unavailable):
        queue.submit(submission())
    with pytest.raises(Unavailable):
        queue.accepted()
