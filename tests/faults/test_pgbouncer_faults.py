"""F6: PgBouncer pauses, reconnects, crashes, or has one connection for all."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from faults.harness.load import Sender, deliver, sending, ticking
from faults.harness.oracle import LedgerWatch
from faults.harness.platform import MIN_IDLE_SECONDS, TICK_SECONDS, TIMEOUTS, Platform, running_platform
from faults.harness.pooler import Pooler
from faults.harness.scores import Scoreboard
from faults.harness.sizes import SIZE
from scratch import Scratch

pytestmark = pytest.mark.timeout(600)

SLACK_SECONDS = {"smoke": 15.0, "ci": 5.0, "nightly": 5.0}[SIZE.name]  # most where other tests run beside
CHUNK_TIMEOUT_SECONDS = 0.7
PAUSE_SECONDS = 7 * CHUNK_TIMEOUT_SECONDS  # more time-outs in a row than an entry that kills would be granted

Start = Callable[[int], tuple[Platform, Pooler]]


@pytest.fixture
def pooled(fault_database: Scratch, fault_redis_url: str, tmp_path: Path) -> Iterator[Start]:
    """Starts a platform behind a PgBouncer of its own with a pool of the given size."""
    with ExitStack() as running:

        def start(pool_size: int) -> tuple[Platform, Pooler]:
            pooler = running.enter_context(Pooler(fault_database, tmp_path, pool_size=pool_size))
            platform = running_platform(
                fault_database, fault_redis_url, functions_database_url=pooler.url, CHUNK_CONCURRENCY="4"
            )
            return running.enter_context(platform), pooler

        yield start


def finish(
    platform: Platform, scoreboard: Scoreboard, what: str, *, rounds: int, recovery_seconds: float = 0.0
) -> None:
    platform.drain_until_empty()
    verdict = platform.oracle.judge()
    scoreboard.add("F6", what, verdict, rounds=rounds, hit=rounds, recovery_seconds=recovery_seconds)
    assert verdict.is_clean, verdict
    assert verdict.dead == 0
    platform.oracle.assert_settled(verdict)


def test_pause(pooled: Start, scoreboard: Scoreboard) -> None:
    """Chunks hang until Lambda kills them, again and again; that must not be held against their logs."""
    platform, pooler = pooled(20)
    platform.lambdas.timeouts = TIMEOUTS | {"process_chunk": CHUNK_TIMEOUT_SECONDS}
    sender, watch = Sender(platform, platform.create_application()), LedgerWatch(platform.oracle)
    watch.start()
    with sending(sender), ticking(platform, tick_seconds=0.1):
        sender.wait_for(10)
        pooler.order("PAUSE")
        time.sleep(PAUSE_SECONDS)
        hanging = platform.oracle.missing()
        pooler.order("RESUME")
        recovery_seconds = platform.wait_until_stored(hanging)
        assert recovery_seconds < MIN_IDLE_SECONDS + TICK_SECONDS + SLACK_SECONDS
    watch.stop()
    assert len(hanging) > 20
    finish(platform, scoreboard, f"PAUSE {PAUSE_SECONDS:.0f} s", rounds=1, recovery_seconds=recovery_seconds)


def test_reconnect(pooled: Start, scoreboard: Scoreboard) -> None:
    platform, pooler = pooled(20)
    sender = Sender(platform, platform.create_application())
    with sending(sender), ticking(platform, tick_seconds=0.05):
        for _ in range(SIZE.rounds_per_point):
            sender.wait_for(5)
            pooler.order("RECONNECT")
        recovery_seconds = platform.wait_until_stored(set(sender.acknowledged_at))
    finish(platform, scoreboard, "RECONNECT", rounds=SIZE.rounds_per_point, recovery_seconds=recovery_seconds)


def test_pgbouncer_killed(pooled: Start, scoreboard: Scoreboard) -> None:
    platform, pooler = pooled(20)
    sender, watch = Sender(platform, platform.create_application()), LedgerWatch(platform.oracle)
    recovery_seconds = 0.0
    watch.start()
    with sending(sender), ticking(platform, tick_seconds=0.05):
        for _ in range(SIZE.rounds_per_point):
            sender.wait_for(10)
            pooler.kill()
            sender.wait_for(10)
            pooler.start()
            recovery_seconds = max(recovery_seconds, platform.wait_until_stored(set(sender.acknowledged_at)))
            assert recovery_seconds < MIN_IDLE_SECONDS + TICK_SECONDS + SLACK_SECONDS
    watch.stop()
    finish(platform, scoreboard, "kill -9", rounds=SIZE.rounds_per_point, recovery_seconds=recovery_seconds)


def test_pool_of_one(pooled: Start, scoreboard: Scoreboard) -> None:
    """Chunks in parallel, of several drains, take turns on the one connection."""
    platform, _ = pooled(1)
    application = platform.create_application()
    for _ in range(SIZE.overlap_rounds):
        for _ in range(40):
            deliver(platform, application, 25)
        with ThreadPoolExecutor(3) as pool:
            reports = list(pool.map(lambda _: platform.drain(), range(3)))
        assert sum(report["chunks_failed"] for report in reports) == 0
    finish(platform, scoreboard, "pool of 1", rounds=SIZE.overlap_rounds)
