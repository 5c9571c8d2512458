"""F4: Redis crashes, loses replies, memory, the group, or is full."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from faults.harness.lambdas import Doom, FunctionDied, FunctionFailed
from faults.harness.load import Sender, deliver, log_body, sending, ticking
from faults.harness.oracle import LedgerWatch, Verdict, assert_possible
from faults.harness.platform import MIN_IDLE_SECONDS, TICK_SECONDS, Platform
from faults.harness.proxy import Proxy, script_call
from faults.harness.scores import Scoreboard
from faults.harness.sizes import SIZE, not_in_smoke
from sluice.streams.redis import GROUP
from stack import Stack

pytestmark = pytest.mark.timeout(600)

STREAM = "logs:queue:{0}"
# Both most where other tests run beside.
FIRST_202_SECONDS = {"smoke": 10.0, "ci": 2.0, "nightly": 2.0}[SIZE.name]
SLACK_SECONDS = {"smoke": 15.0, "ci": 3.0, "nightly": 3.0}[SIZE.name]
EVERYSEC_LOSS_SECONDS = 2.0  # a write that waits for a running fsync is held back for at most that long


def leave_pending(platform: Platform, batch_id: str) -> None:
    """A drain claims what is queued, and dies."""
    with pytest.raises(FunctionDied):
        platform.drain(doom=Doom("drain.after_claim"))
    assert batch_id in platform.oracle.missing()


def finish(
    platform: Platform, scoreboard: Scoreboard, what: str, *, rounds: int, hit: int, recovery_seconds: float = 0
) -> Verdict:
    platform.drain_until_empty()
    verdict = platform.oracle.judge()
    scoreboard.add("F4", what, verdict, rounds=rounds, hit=hit, recovery_seconds=recovery_seconds)
    assert hit == rounds
    assert verdict.is_clean, verdict
    assert verdict.dead == 0
    return verdict


@pytest.mark.parametrize("fsync", ["everysec", pytest.param("always", marks=not_in_smoke)])
def test_redis_killed(platform: Platform, servers: Stack, scoreboard: Scoreboard, fsync: str) -> None:
    """What was acknowledged is there when Redis is back; meanwhile clients are told to come back."""
    application, recovery_seconds, lost_by_redis = platform.create_application(), 0.0, 0
    sender = Sender(platform, application)
    for _ in range(SIZE.outage_rounds):
        platform.redis.config_set("appendfsync", fsync)
        pending = deliver(platform, application, 20).body["batch_id"]
        leave_pending(platform, pending)
        platform.statuses.clear()
        with sending(sender):
            sender.wait_for(20)
            with ticking(platform):
                sender.wait_for(5)
                servers.kill("redis")
                assert sender.wait_for(5) < FIRST_202_SECONDS
                up = list(sender.acknowledged_at)[-5:]
                assert platform.wait_until_stored(up) < TICK_SECONDS + SLACK_SECONDS
                recovery_seconds = max(recovery_seconds, platform.wait_until_stored([pending]))
                assert recovery_seconds < MIN_IDLE_SECONDS + TICK_SECONDS + SLACK_SECONDS
        assert platform.statuses[503] > 0
        if fsync == "everysec":
            platform.drain_until_empty()
            lost_by_redis += forget_last_second(platform, sender)
    what = f"kill -9, {fsync}" + (f": {lost_by_redis} lost by Redis" if lost_by_redis else "")
    verdict = finish(
        platform,
        scoreboard,
        what,
        rounds=SIZE.outage_rounds,
        hit=SIZE.outage_rounds,
        recovery_seconds=recovery_seconds,
    )
    if not lost_by_redis:
        platform.oracle.assert_settled(verdict)


def forget_last_second(platform: Platform, sender: Sender) -> int:
    """Under everysec Redis may lose what it acknowledged last; nothing older. Returns how many batches it lost."""
    missing = platform.oracle.missing()
    if missing:
        times = [sender.acknowledged_at[batch_id] for batch_id in missing]
        assert max(times) - min(times) <= EVERYSEC_LOSS_SECONDS
    platform.oracle.forget(missing)
    return len(missing)


def test_reply_to_ingest_lost(proxied_platform: Platform, redis_proxy: Proxy, scoreboard: Scoreboard) -> None:
    """The client hears 503 although the batch is queued; its repetition is recognised."""
    platform = proxied_platform
    application = platform.create_application()
    deliver(platform, application, 10)
    for _ in range(SIZE.rounds_per_point):
        body, token = log_body(10), secrets.token_hex(8)
        redis_proxy.lose_reply_to(script_call("intake"))
        assert platform.post(application.key, body, token).status == 503
        response = platform.post(application.key, body, token)
        assert (response.status, response.headers.get("Idempotency-Replayed")) == (202, "true")
    verdict = finish(platform, scoreboard, "reply to ingest lost", rounds=SIZE.rounds_per_point, hit=redis_proxy.cuts)
    assert verdict.stored == 10 * (SIZE.rounds_per_point + 1)
    platform.oracle.assert_settled(verdict)


@pytest.mark.parametrize("script", [pytest.param("claim", marks=not_in_smoke), "acknowledge"])
def test_reply_to_the_pipeline_lost(
    proxied_platform: Platform, redis_proxy: Proxy, scoreboard: Scoreboard, script: str
) -> None:
    """A claim without an answer is claimed again when it is old enough, a chunk without one at once."""
    platform = proxied_platform
    application = platform.create_application()
    deliver(platform, application, 10)
    platform.drain()
    for _ in range(SIZE.rounds_per_point):
        deliver(platform, application, 10)
        redis_proxy.lose_reply_to(script_call(script))
        if script == "acknowledge":
            assert platform.drain()["chunks_failed"] == 1
        else:
            with pytest.raises(FunctionFailed):
                platform.drain()
    recovery_seconds = platform.drain_until_empty()
    verdict = finish(
        platform,
        scoreboard,
        f"reply to {script} lost",
        rounds=SIZE.rounds_per_point,
        hit=redis_proxy.cuts,
        recovery_seconds=recovery_seconds,
    )
    platform.oracle.assert_settled(verdict)


def test_memory_lost(platform: Platform, scoreboard: Scoreboard) -> None:
    """After FLUSHALL what was queued is gone; what comes later flows, and repetitions of what is stored stay known."""
    application = platform.create_application()
    body, token = log_body(10), secrets.token_hex(8)
    platform.post(application.key, body, token)
    platform.drain_until_empty()
    sender = Sender(platform, application)
    with sending(sender), ticking(platform):
        sender.wait_for(20)
        platform.redis.flushall()
        flushed_at = time.monotonic()
        sender.wait_for(20)
        # A request that was answered around the moment of the flush may have been queued before it.
        new = [batch_id for batch_id, at in sender.acknowledged_at.items() if at > flushed_at + 0.2]
        recovery_seconds = platform.wait_until_stored(new)
        assert recovery_seconds < TICK_SECONDS + SLACK_SECONDS
    repeated = platform.post(application.key, body, token)
    assert (repeated.status, "Idempotency-Replayed" in repeated.headers) == (202, False)
    platform.drain_until_empty()
    survivors = set(new)
    platform.oracle.forget(platform.oracle.missing() - survivors)
    finish(platform, scoreboard, "FLUSHALL", rounds=1, hit=1, recovery_seconds=recovery_seconds)
    totals = platform.oracle.totals()
    assert totals.queue_rolled_back
    assert_possible(totals)


def test_group_deleted(platform: Platform, scoreboard: Scoreboard) -> None:
    """Everything is handed out again, and stored once."""
    application = platform.create_application()
    sender, watch = Sender(platform, application), LedgerWatch(platform.oracle)
    watch.start()
    pending = deliver(platform, application, 20).body["batch_id"]
    leave_pending(platform, pending)
    hit = 0
    with sending(sender), ticking(platform, tick_seconds=0.05):
        for _ in range(SIZE.rounds_per_point):
            sender.wait_for(10)
            hit += platform.redis.xgroup_destroy(STREAM, GROUP)
        recovery_seconds = platform.wait_until_stored([pending])
    watch.stop()
    verdict = finish(
        platform,
        scoreboard,
        "group deleted",
        rounds=SIZE.rounds_per_point,
        hit=hit,
        recovery_seconds=recovery_seconds,
    )
    platform.oracle.assert_settled(verdict)


@contextmanager
def full_memory(platform: Platform) -> Iterator[None]:
    limit = str(platform.redis.config_get("maxmemory")["maxmemory"])
    platform.redis.config_set("maxmemory", 1)
    yield
    platform.redis.config_set("maxmemory", limit)


def test_memory_full(platform: Platform, scoreboard: Scoreboard) -> None:
    """Clients are told to come back, also those whose key no cache knows; the drain goes on, which is what helps."""
    application, sent = platform.create_application(), log_body(10)
    for _ in range(20):
        deliver(platform, application, 50)
    with full_memory(platform):
        for _ in range(2):
            refused = platform.post(application.key, sent)
            assert (refused.status, int(refused.headers["Retry-After"]) > 0) == (503, True)
            platform.lambdas.freeze_over()
        recovery_seconds = platform.drain_until_empty()
    assert platform.post(application.key, sent).status == 202
    verdict = finish(platform, scoreboard, "maxmemory", rounds=1, hit=1, recovery_seconds=recovery_seconds)
    platform.oracle.assert_settled(verdict)
