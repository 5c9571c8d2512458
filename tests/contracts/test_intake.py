"""One contract for admission and queue in one step: the two fakes one after the other, and one script in Redis."""

import itertools
import json
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis

from apps import load_app
from fakes import NOON, MemoryAdmission, MemoryIntake, MemoryKeyCache, MemoryKeyStore, MemoryQueue
from samples import PEPPER, key_record, record, submission
from sluice.admission.lease import LEASE_SECONDS
from sluice.admission.model import Rates
from sluice.admission.ports import Admission
from sluice.admission.redis import RedisAdmission, RedisUsageReader
from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Limits, Scope
from sluice.entries.usual import pack_single
from sluice.errors import RejectedInput, Throttled
from sluice.intake.ports import Intake
from sluice.intake.redis import RedisIntake
from sluice.runtime.posts import Post
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import IngestSettings
from sluice.streams.model import Submitted
from sluice.streams.ports import SubmissionQueue
from sluice.streams.redis import RedisQueue

RATES = Rates(requests_per_second=3, bytes_per_second=10_000, bytes_per_day=1_000_000, burst_seconds=1)
KEY = key_record(1)


@dataclass
class Both:
    """The two parts, and the two in one."""

    admission: Admission
    queue: Any
    intake: Intake


def memory(rates: Rates = RATES, limit: int = 10_000) -> Both:
    admission, queue = MemoryAdmission(rates=rates), MemoryQueue(shard_count=2, backlog_limit_bytes=limit)
    return Both(admission, queue, MemoryIntake(admission, queue))


def real(client: redis.Redis, rates: Rates = RATES, limit: int = 10_000) -> Both:
    admission = RedisAdmission(client, shard_count=2, rates=rates)
    queue = RedisQueue(client, shard_count=2, backlog_limit_bytes=limit)
    return Both(admission, queue, RedisIntake(client, admission, queue))


@pytest.fixture(params=["memory", "redis"])
def both(request: pytest.FixtureRequest) -> Both:
    return memory() if request.param == "memory" else real(request.getfixturevalue("redis_client"))


def test_what_is_admitted_is_queued_and_charged(both: Both) -> None:
    standing, submitted = both.intake.submit(KEY, 100, submission(application_id=1))
    assert submitted is not Submitted.REPLAYED
    assert both.queue.count_entries(1) == 1
    assert [balance.remaining for balance in standing.balances] == [2, 9_900, 999_900]


def test_what_is_not_admitted_is_not_queued(both: Both) -> None:
    both.intake.submit(KEY, 20_000, submission(application_id=1))
    with pytest.raises(Throttled) as caught:
        both.intake.submit(KEY, 1, submission(application_id=1))
    assert (caught.value.code, caught.value.policies) == ("byte_rate_exceeded", ("bytes",))
    assert both.queue.count_entries(1) == 1
    with pytest.raises(Throttled):
        both.admission.recall(KEY)


def test_a_body_above_a_days_quota_is_not_queued(both: Both) -> None:
    with pytest.raises(RejectedInput):
        both.intake.submit(KEY, 1_000_001, submission(application_id=1))
    assert both.queue.count_entries(1) == 0


def test_a_repetition_is_charged_and_not_queued_again(both: Both) -> None:
    sent = submission(application_id=1, batch_id=uuid4(), is_idempotent=True)
    both.intake.submit(KEY, 1, sent)
    standing, submitted = both.intake.submit(KEY, 1, sent)
    assert submitted is Submitted.REPLAYED
    assert standing.balances[0].remaining == 1
    assert both.queue.count_entries(1) == 1


def test_what_the_queue_refuses_says_where_the_application_stands(both: Both) -> None:
    lines = [record(number, uuid4().hex + uuid4().hex) for number in range(56)]
    both.intake.submit(KEY, 1, submission(lines[:28], application_id=1))
    with pytest.raises(Throttled) as caught:
        both.intake.submit(KEY, 1, submission(lines[28:], application_id=1))
    assert caught.value.code == "backlog_share_exceeded"
    assert caught.value.headers["RateLimit-Policy"].startswith('"requests";q=3')
    assert both.queue.count_entries(1) == 1


def single(both: Both, text: str = "m", body_bytes: int = 100) -> tuple[Any, Submitted, UUID]:
    """The headers, what became of it, and its batch."""
    part = pack_single(json.dumps({"message": text}, ensure_ascii=False).encode(), NOON)
    assert part is not None
    batch_id = uuid4()
    return *both.intake.submit_single(KEY, body_bytes, batch_id.bytes, NOON, part, dict), batch_id


def test_a_single_log_is_queued_as_a_batch_of_one_is(both: Both) -> None:
    headers, submitted, batch_id = single(both, "äöü " * 60)
    assert submitted is not Submitted.REPLAYED
    assert headers["RateLimit"].startswith('"requests";r=2;t=1, "bytes";r=9900;t=1, "daily-bytes";r=999900;t=')
    sent = submission([record(0, "äöü " * 60, event_at=NOON)], application_id=1, batch_id=uuid4(), received_at=NOON)
    standing, _ = both.intake.submit(KEY, 100, sent)
    assert headers["RateLimit-Policy"] == standing.headers()["RateLimit-Policy"]
    claimed = both.queue.claim(1, min_idle_seconds=9, max_records=9, max_bytes=10**6).entries
    one, other = both.queue.read(1, [entry.entry_id for entry in claimed])
    assert (one.batch_id, one.body_hash, one.traceparent) == (batch_id, batch_id.bytes, None)
    assert (one.first_sequence, other.first_sequence) == (1, 2)
    same = ("application_id", "retention_class", "part", "received_at", "event_from", "event_to", "record_count")
    assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
    assert one.lines.split(b"\t")[14:] == other.lines.split(b"\t")[14:]
    assert claimed[0].line_bytes == len(one.lines)


def test_a_single_log_is_refused_as_any_batch_is(both: Both) -> None:
    with pytest.raises(RejectedInput):
        single(both, body_bytes=1_000_001)
    single(both, body_bytes=20_000)
    with pytest.raises(Throttled) as caught:
        single(both, body_bytes=1)
    assert (caught.value.code, caught.value.policies) == ("byte_rate_exceeded", ("bytes",))
    assert caught.value.headers["RateLimit-Policy"].startswith('"requests";q=3')
    assert both.queue.count_entries(1) == 1
    with pytest.raises(Throttled):
        both.admission.recall(KEY)


def test_a_single_log_that_the_queue_refuses(both: Both) -> None:
    def text() -> str:
        return "x".join(uuid4().hex for _ in range(50))

    both.intake.submit(KEY, 1, submission([record(0, text())], application_id=1))
    with pytest.raises(Throttled) as caught:
        single(both, text())
    assert caught.value.code == "backlog_share_exceeded"
    assert caught.value.headers["RateLimit-Policy"].startswith('"requests";q=3')


def test_other_limits_of_a_key_hold_at_once(redis_client: redis.Redis) -> None:
    """What is kept of how its logs are sent goes with what it was made of."""
    both = real(redis_client)
    part = pack_single(b'{"message":"m"}', NOON)
    assert part is not None
    for limit in (2, 50):
        key = replace(KEY, limits=Limits(requests_per_second=limit))
        headers, _ = both.intake.submit_single(key, 1, uuid4().bytes, NOON, part, dict)
        assert f'"requests";q={limit};w=1' in headers["RateLimit-Policy"]


def quickly(both: Both, count: int, key: KeyRecord = KEY, later_seconds: float = 0) -> list[tuple[int, ...]]:
    """Sends so many logs of 10 bytes one by one at once, or that much later by the clock of what sends them; for each
    the remaining requests, bytes and bytes of the day."""
    later = timedelta(seconds=later_seconds)
    part = pack_single(b'{"message":"m"}', NOON)
    assert part is not None
    answers = []
    for _ in range(count):
        headers, _ = both.intake.submit_single(key, 10, uuid4().bytes, datetime.now(UTC) + later, part, dict)
        answers.append(tuple(map(int, re.findall(r";r=(\d+)", headers["RateLimit"]))))
    return answers


def test_a_log_that_was_paid_for_may_be_refused_by_the_queue(redis_url: str, redis_client: redis.Redis) -> None:
    both = real(connect_redis(redis_url), Rates(10_000, 10**9, 10**12, 1), limit=10_000)
    answered = []

    def send() -> None:
        for number in range(100):
            quickly(both, 1)
            answered.append(number)

    with pytest.raises(Throttled) as caught:
        send()
    assert caught.value.code == "backlog_share_exceeded"
    assert caught.value.headers["RateLimit-Policy"].startswith('"requests";q=10000')
    assert len(answered) == real(redis_client).queue.count_entries(1) > 4


def test_a_log_that_was_paid_for_wakes_the_drain(redis_url: str, redis_client: redis.Redis) -> None:
    rates, client = Rates(10_000, 10**9, 10**12, 1), connect_redis(redis_url)
    admission = RedisAdmission(client, shard_count=1, rates=rates)
    queue = RedisQueue(client, shard_count=1, backlog_limit_bytes=10**7, wake_seconds=60)
    intake = RedisIntake(client, admission, queue)
    part = pack_single(b'{"message":"m"}', NOON)
    assert part is not None

    def send() -> Submitted:
        answer, submitted = intake.submit_single(KEY, 10, uuid4().bytes, datetime.now(UTC), part, dict)
        assert answer["RateLimit"]
        return submitted

    assert [send() for _ in range(8)] == [Submitted.UNATTENDED, *[Submitted.QUEUED] * 7]
    redis_client.delete("logs:woken:{0}")
    told: list[Submitted] = []
    asked = counted(redis_client, lambda: told.append(send()), ("time",))
    assert (told, asked["time"]) == ([Submitted.UNATTENDED], 0), "nobody was asked about limits"


@pytest.mark.parametrize("name", ["memory", "redis"])
def test_each_of_many_single_logs_is_charged(request: pytest.FixtureRequest, name: str) -> None:
    """However seldom Redis is asked, clients are told where they stand, and the account is right."""
    rates = Rates(requests_per_second=1, bytes_per_second=10, bytes_per_day=1_000_000, burst_seconds=5_000)
    client: redis.Redis = request.getfixturevalue("redis_client")
    both = memory(rates, limit=10**7) if name == "memory" else real(client, rates, limit=10**7)
    left = quickly(both, 190)
    for number, (requests, size, day) in enumerate(left, start=1):
        assert 5_000 - number <= requests <= 5_000 - number + 10, "some seconds may have passed"
        assert 50_000 - 10 * number <= size <= 50_000 - 10 * number + 100
        assert day == 1_000_000 - 10 * number
    *_, day = quickly(both, 1, later_seconds=LEASE_SECONDS)[0]
    assert day == 1_000_000 - 10 * 191
    assert both.queue.count_entries(1) == 191


def test_redis_is_asked_about_one_of_many_single_logs(redis_client: redis.Redis) -> None:
    both = real(redis_client, Rates(10_000, 10**9, 10**12, 1), limit=10**7)
    asked = counted(redis_client, lambda: quickly(both, 500), ("time", "evalsha", "eval", "xadd"))
    assert asked["time"] <= 100
    assert asked["evalsha"] + asked["eval"] <= 502
    assert asked["xadd"] == 500
    usage = RedisUsageReader(redis_client, shard_count=2, rates=Rates(10_000, 10**9, 10**12, 1))
    for number in (1, 3):
        quickly(both, 1, later_seconds=number * LEASE_SECONDS)
    used = usage.used({1: KEY.limits})[1]
    assert (used.requests_today, used.bytes_today) == (502, 5_020)


def test_nothing_is_charged_ahead_where_little_is_left(redis_client: redis.Redis) -> None:
    """Who uses up its rate is refused at the request that is over it, in one process or in several."""
    rates = Rates(requests_per_second=1, bytes_per_second=10**6, bytes_per_day=10**9, burst_seconds=40)
    processes = [real(redis_client, rates, limit=10**7) for _ in range(4)]
    started, taken = time.monotonic(), 0
    with suppress(Throttled):
        for number in itertools.count():
            quickly(processes[number % 4], 1)
            taken += 1
    assert 40 <= taken <= 41 + time.monotonic() - started


def test_the_rate_holds_for_single_logs_of_many_processes(redis_client: redis.Redis, redis_url: str) -> None:
    """Each with what is charged ahead for it; they ignore every refusal."""
    seconds, rates = 2.0, Rates(400, 10**9, 10**12, 1)
    stop, taken = threading.Event(), [0] * 8

    def hammer(number: int) -> None:
        client = connect_redis(redis_url)
        both = real(client, rates, limit=10**8)
        while not stop.wait(0.001):
            with suppress(Throttled):
                quickly(both, 1)
                taken[number] += 1

    started = time.monotonic()
    with ThreadPoolExecutor(len(taken)) as pool:
        hammers = [pool.submit(hammer, number) for number in range(len(taken))]
        time.sleep(seconds)
        stop.set()
        for one in hammers:
            one.result()
    elapsed = time.monotonic() - started
    assert sum(taken) <= rates.requests_per_second * (elapsed + rates.burst_seconds) + 1
    assert sum(taken) >= rates.requests_per_second * seconds * 0.9


def test_what_is_charged_ahead_outlives_the_record_of_the_key(redis_client: redis.Redis) -> None:
    """Which is read anew every few seconds, and is equal then; other limits are another account."""
    both = real(redis_client, Rates(10_000, 10**9, 10**12, 1), limit=10**7)
    quickly(both, 100)
    asked = counted(redis_client, lambda: quickly(both, 20, replace(KEY)), ("time",))
    assert asked["time"] <= 4
    ((left, _, _),) = quickly(both, 1, replace(KEY, limits=Limits(requests_per_second=50)))
    assert left == 49, "of a bucket that is full to its new brim"
    assert both.queue.count_entries(1) == 121


def commands(client: redis.Redis) -> dict[str, int]:
    """How often each command was called, by clients and in scripts."""
    return {name: counted["calls"] for name, counted in client.info("commandstats").items()}


def counted(client: redis.Redis, act: Callable[[], object], names: tuple[str, ...]) -> dict[str, int]:
    before = commands(client)
    act()
    after = commands(client)
    return {name: after.get(f"cmdstat_{name}", 0) - before.get(f"cmdstat_{name}", 0) for name in names}


def test_a_request_with_a_few_logs_is_one_command(redis_client: redis.Redis, redis_url: str) -> None:
    """With its key known and the script loaded. A large one asks for admission before it is read: two."""
    client = connect_redis(redis_url)
    both = real(client, Rates(1_000, 10**9, 10**12, 1))
    text, parts = mint_key(PEPPER)
    known = KeyRecord(parts.key_id, hash_secret(parts.secret, PEPPER), 1, "shop", 1, frozenset([Scope.INGEST]), None)
    lookup = KeyLookup(MemoryKeyStore({parts.key_id: known}), MemoryKeyCache(), PEPPER, lambda: datetime.now(UTC))
    settings = IngestSettings("redis://r", "postgresql://d", PEPPER, 2, 10**6, 10**6, 5_000, 10**8, 1, 1, 1, 1)
    app = load_app("ingest")
    queue: SubmissionQueue = RedisQueue(client, shard_count=2, backlog_limit_bytes=10**8)
    intake = RedisIntake(client, both.admission, queue)  # type: ignore[arg-type]
    ingest = app.Ingest(lookup, both.admission, queue, intake, settings, lambda: datetime.now(UTC))
    small, large = b'{"message":"m"}', b'{"message":"' + b"m" * 600_000 + b'"}'

    def send(body: bytes) -> None:
        for _ in range(10):
            ingest.accept(Post(body, "", None, text, None), app.LOGS)

    send(small)
    send(large)
    names = ("evalsha", "eval", "script|load", "get", "set", "ping", "hello")
    assert counted(redis_client, lambda: send(small), names) == dict.fromkeys(names, 0) | {"evalsha": 10}
    assert counted(redis_client, lambda: send(large), names) == dict.fromkeys(names, 0) | {"evalsha": 20}
