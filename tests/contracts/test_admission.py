"""One contract for admission: the in-memory fake and Redis with its own clock."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes import MemoryAdmission
from samples import key_record
from sluice.admission.model import DAY_SECONDS, Rates, Standing
from sluice.admission.ports import Admission
from sluice.admission.redis import RedisAdmission
from sluice.applications.model import KeyRecord, Limits
from sluice.errors import RejectedInput, Throttled, Unavailable
from sluice.runtime.redis import connect_redis

RATES = Rates(requests_per_second=10, bytes_per_second=1_000, bytes_per_day=10_000, burst_seconds=2)
STATE = "admission:{1}:1"
KEY = key_record(1)


@dataclass
class Door:
    """An admission and a way to let time pass in it: ours moves its clock, Redis's moves what it remembers."""

    admission: Admission
    pass_seconds: Callable[[float], object]

    def admit(self, body_bytes: int = 0, key: KeyRecord = KEY) -> Standing:
        return self.admission.admit(key, body_bytes)

    def refuse(self, body_bytes: int = 0, key: KeyRecord = KEY) -> Throttled:
        with pytest.raises(Throttled) as caught:
            self.admit(body_bytes, key)
        return caught.value


def memory_door() -> Door:
    admission = MemoryAdmission(rates=RATES)
    return Door(admission, admission.clock.advance)


@dataclass
class Stopwatch:
    """A monotonic clock that moves when told to."""

    now: float = 0

    def __call__(self) -> float:
        return self.now


def redis_door(client: redis.Redis) -> Door:
    stopwatch = Stopwatch()

    def age(seconds: float) -> None:
        stopwatch.now += seconds
        client.hincrbyfloat(STATE, "at", -seconds)
        if seconds >= DAY_SECONDS:
            client.hincrby(STATE, "day", -int(seconds // DAY_SECONDS))

    return Door(RedisAdmission(client, shard_count=2, rates=RATES, clock=stopwatch), age)


@pytest.fixture(params=["memory", "redis"])
def door(request: pytest.FixtureRequest) -> Door:
    if request.param == "memory":
        return memory_door()
    return redis_door(request.getfixturevalue("redis_client"))


def remaining(standing: Standing) -> list[int]:
    return [balance.remaining for balance in standing.balances]


def test_a_bucket_starts_full_and_every_request_takes_one(door: Door) -> None:
    standing = door.admit(100)
    assert remaining(standing) == [19, 1_900, 9_900]
    assert [balance.reset_seconds for balance in standing.balances][:2] == [1, 1]
    assert 0 < standing.balances[2].reset_seconds <= DAY_SECONDS


def test_requests_over_the_rate_are_refused_until_time_passes(door: Door) -> None:
    for _ in range(20):
        door.admit()
    refusal = door.refuse()
    assert (refusal.code, refusal.policies, refusal.retry_after_seconds) == ("request_rate_exceeded", ("requests",), 1)
    assert "'shop'" in refusal.detail
    door.pass_seconds(refusal.retry_after_seconds)
    for _ in range(10):
        door.admit()


def test_one_large_body_is_admitted_and_paid_for_afterwards(door: Door) -> None:
    assert remaining(door.admit(5_000))[1] == 0
    refusal = door.refuse(1)
    assert (refusal.code, refusal.policies) == ("byte_rate_exceeded", ("bytes",))
    assert refusal.retry_after_seconds in (3, 4), "3,000 bytes of debt at 1,000 a second"
    door.pass_seconds(2.5)
    assert door.refuse(1).retry_after_seconds == 1
    door.pass_seconds(1)
    door.admit(1)


def test_a_quota_of_bytes_is_for_one_day(door: Door) -> None:
    door.admit(9_000)
    door.pass_seconds(20)
    refusal = door.refuse(1_001)
    assert (refusal.code, refusal.policies) == ("daily_quota_exceeded", ("daily-bytes",))
    assert 0 < refusal.retry_after_seconds <= DAY_SECONDS
    door.admit(1_000)
    door.pass_seconds(DAY_SECONDS)
    assert remaining(door.admit(1))[2] == 9_999


def test_a_refusal_charges_nothing_and_names_all_that_it_violates(door: Door) -> None:
    for _ in range(19):
        door.admit()
    door.admit(9_500)
    for _ in range(5):
        refusal = door.refuse(600)
        assert refusal.policies == ("requests", "bytes", "daily-bytes")
        assert refusal.code == "daily_quota_exceeded", "the last to pass"
    door.pass_seconds(8.5)
    assert remaining(door.admit(500))[2] == 0


def test_a_refusal_is_recalled_while_it_holds_for_certain(door: Door) -> None:
    door.admission.recall(KEY)
    for _ in range(20):
        door.admit()
    door.admission.recall(KEY)
    told = door.refuse()
    door.pass_seconds(0.05)
    with pytest.raises(Throttled) as caught:
        door.admission.recall(KEY)
    again = caught.value
    assert (again.code, again.policies, again.detail) == (told.code, told.policies, told.detail)
    assert (again.retry_after_seconds, again.headers) == (told.retry_after_seconds, told.headers)
    door.admission.recall(key_record(3))
    door.admission.recall(key_record(1, Limits(requests_per_second=20)))
    door.refuse()
    door.pass_seconds(0.06)
    door.admission.recall(KEY)
    door.admit()


def test_a_long_refusal_is_recalled_for_a_second_and_counts_down(door: Door) -> None:
    door.admit(7_500)
    assert door.refuse(1).retry_after_seconds == 6
    door.pass_seconds(0.9)
    with pytest.raises(Throttled) as caught:
        door.admission.recall(KEY)
    assert caught.value.retry_after_seconds == 5
    door.pass_seconds(0.2)
    door.admission.recall(KEY)


def test_a_day_that_is_used_up_is_not_recalled(door: Door) -> None:
    """A smaller body may fit, and a refund may come."""
    door.admit(9_500)
    door.pass_seconds(10)
    door.refuse(600)
    door.admission.recall(KEY)
    door.admit(500)


def test_applications_do_not_share(door: Door) -> None:
    for _ in range(20):
        door.admit()
    door.refuse()
    door.admit(key=key_record(3))


def test_an_application_can_have_limits_of_its_own(door: Door) -> None:
    key = key_record(1, Limits(requests_per_second=1, bytes_per_day=50))
    assert [balance.policy.quota for balance in door.admit(key=key).balances] == [2, 2_000, 50]
    door.admit(key=key)
    assert door.refuse(key=key).policies == ("requests",)
    with pytest.raises(RejectedInput) as caught:
        door.admit(51, key)
    assert (caught.value.status, caught.value.policies) == (413, ("daily-bytes",))


def test_a_refund_is_for_the_day(door: Door) -> None:
    door.admit(900)
    door.admission.refund(KEY, 900)
    assert remaining(door.admit())[2] == 10_000


def test_idle_time_fills_no_more_than_the_bucket(door: Door) -> None:
    door.admit()
    door.pass_seconds(1_000)
    assert remaining(door.admit())[0] == 19


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.floats(0, 5), st.integers(0, 4_000)), min_size=5, max_size=40),
    st.integers(1, 50),
    st.integers(1, 2_000),
)
def test_the_average_holds_whatever_clients_do(
    request: pytest.FixtureRequest, door: Door, steps: list[tuple[float, int]], per_second: int, bytes_per_second: int
) -> None:
    """Never more than the bucket and what time brings, for bytes with one body more; and whoever waits as long as
    Retry-After says is admitted."""
    key = key_record(1, Limits(per_second, bytes_per_second, 10**9))
    if isinstance(door.admission, RedisAdmission):
        request.getfixturevalue("redis_client").flushdb()
    else:
        door.admission = MemoryAdmission(rates=RATES)
        door.pass_seconds = door.admission.clock.advance
    sizes: list[int] = []
    started, passed = time.monotonic(), 0.0
    for pause, size in steps:
        door.pass_seconds(pause if sizes else 0)
        passed += pause
        try:
            door.admit(size, key)
        except Throttled as refusal:
            door.pass_seconds(refusal.retry_after_seconds)
            passed += refusal.retry_after_seconds
            door.admit(size, key)
        sizes.append(size)
        elapsed = passed + (time.monotonic() - started) + 2  # the burst
        assert len(sizes) <= math.ceil(elapsed * per_second)
        assert sum(sizes[:-1]) <= elapsed * bytes_per_second + max(sizes)


def test_state_expires_when_it_says_no_more_than_none(redis_client: redis.Redis) -> None:
    door = redis_door(redis_client)
    door.admit()
    assert 2 * DAY_SECONDS <= int(redis_client.ttl(STATE)) <= 2 * DAY_SECONDS + 10
    redis_client.expire(STATE, DAY_SECONDS)
    door.admit()
    assert int(redis_client.ttl(STATE)) <= DAY_SECONDS, "said once a day"
    door.admit(9_000)
    assert 2 * DAY_SECONDS + 5 <= int(redis_client.ttl(STATE)) <= 2 * DAY_SECONDS + 15
    assert redis_client.keys() == [STATE.encode()]


def test_a_refusal_writes_nothing(redis_client: redis.Redis) -> None:
    door = redis_door(redis_client)
    door.admit(5_000)
    before = redis_client.hgetall(STATE)
    door.refuse()
    assert redis_client.hgetall(STATE) == before


def test_a_clock_that_was_set_back_locks_nobody_out(redis_client: redis.Redis) -> None:
    door = redis_door(redis_client)
    for _ in range(20):
        door.admit()
    door.pass_seconds(-3_600)
    assert remaining(door.admit())[0] == 19


def test_a_full_redis_is_unavailable(redis_client: redis.Redis) -> None:
    door = redis_door(redis_client)
    limit = str(redis_client.config_get("maxmemory")["maxmemory"])
    redis_client.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(Unavailable) as caught:
            door.admit()
        door.admission.refund(KEY, 1)
    finally:
        redis_client.config_set("maxmemory", limit)
    assert caught.value.code == "queue_unavailable"
    door.admit()


def test_an_unreachable_redis_is_unavailable() -> None:
    admission = RedisAdmission(connect_redis("redis://127.0.0.1:9/0"), shard_count=1, rates=RATES)
    with pytest.raises(Unavailable):
        admission.admit(KEY, 1)
    admission.refund(KEY, 1)


def test_sixteen_clients_at_once_get_the_rate_and_no_more(redis_client: redis.Redis, redis_url: str) -> None:
    """Three seconds of clients that ignore every refusal; ``tests/faults/test_limits.py`` has the minute."""
    seconds, rates = 3.0, Rates(200, 10**9, 10**12, 1)
    stop, admitted = threading.Event(), [0] * 16

    def hammer(number: int) -> None:
        admission = RedisAdmission(connect_redis(redis_url), shard_count=2, rates=rates)
        while not stop.wait(0.01):
            try:
                admission.admit(KEY, 1)
                admitted[number] += 1
            except Throttled:
                continue

    started = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        clients = [pool.submit(hammer, number) for number in range(16)]
        time.sleep(seconds)
        stop.set()
        for client in clients:
            client.result()
    elapsed = time.monotonic() - started
    assert sum(admitted) <= rates.requests_per_second * (elapsed + rates.burst_seconds) + 1
    assert sum(admitted) >= rates.requests_per_second * seconds * 0.98
