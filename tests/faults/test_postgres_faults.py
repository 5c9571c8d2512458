"""F5: Postgres crashes, is away, is full, or commits without the answer arriving."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from faults.harness.load import Sender, deliver, sending, ticking
from faults.harness.oracle import LedgerWatch
from faults.harness.platform import MIN_IDLE_SECONDS, TICK_SECONDS, Platform
from faults.harness.proxy import COMMIT, Proxy
from faults.harness.scores import Scoreboard
from faults.harness.sizes import SIZE
from scratch import Scratch
from stack import Stack

pytestmark = pytest.mark.timeout(900)

SLACK_SECONDS = {"smoke": 15.0, "ci": 5.0, "nightly": 5.0}[SIZE.name]  # most where other tests run beside
OUTAGE_SECONDS = {"smoke": 1.0, "ci": 4.0, "nightly": 120.0}[SIZE.name]
# How much faster than the load a backlog must be drained; least where other tests run beside.
CATCH_UP_FACTOR = {"smoke": 1.5, "ci": 3, "nightly": 3}[SIZE.name]


def finish(
    platform: Platform, scoreboard: Scoreboard, what: str, *, rounds: int, hit: int, recovery_seconds: float = 0
) -> None:
    """Nothing lost, nothing twice, and no good log in the dead letters: an outage is nobody's poison."""
    platform.drain_until_empty()
    verdict = platform.oracle.judge()
    scoreboard.add("F5", what, verdict, rounds=rounds, hit=hit, recovery_seconds=recovery_seconds)
    assert hit == rounds
    assert verdict.is_clean, verdict
    assert verdict.dead == 0
    platform.oracle.assert_settled(verdict)


def test_postgres_killed(platform: Platform, servers: Stack, scoreboard: Scoreboard) -> None:
    application, recovery_seconds = platform.create_application(), 0.0
    sender, watch = Sender(platform, application), LedgerWatch(platform.oracle)
    watch.start()
    with sending(sender), ticking(platform, tick_seconds=0.05):
        for _ in range(SIZE.outage_rounds):
            sender.wait_for(20)
            servers.kill("postgres")
            recovery_seconds = max(recovery_seconds, platform.wait_until_stored(set(sender.acknowledged_at)))
            assert recovery_seconds < MIN_IDLE_SECONDS + TICK_SECONDS + SLACK_SECONDS
    watch.stop()
    assert set(platform.statuses) == {202}  # a known key does not need the database
    finish(
        platform,
        scoreboard,
        "kill -9",
        rounds=SIZE.outage_rounds,
        hit=SIZE.outage_rounds,
        recovery_seconds=recovery_seconds,
    )


def test_postgres_away(proxied_platform: Platform, database_proxy: Proxy, scoreboard: Scoreboard) -> None:
    """The backlog of the outage is drained several times faster than new logs come."""
    platform = proxied_platform
    application = platform.create_application()
    sender, watch = Sender(platform, application), LedgerWatch(platform.oracle)
    deliver(platform, application, 10)
    platform.drain_until_empty()
    watch.start()
    with sending(sender), ticking(platform, tick_seconds=0.1):
        with database_proxy.down():
            sender.wait_for(10)
            time.sleep(OUTAGE_SECONDS)
            backlog = platform.oracle.missing()
        since = time.monotonic()
        recovery_seconds = platform.wait_until_stored(backlog)
        arrived = sum(at > since for at in list(sender.acknowledged_at.values()))
    watch.stop()
    assert set(platform.statuses) == {202}
    assert len(backlog) + arrived > CATCH_UP_FACTOR * arrived, f"{len(backlog)} in {recovery_seconds:.1f} s"
    finish(platform, scoreboard, f"away {OUTAGE_SECONDS:.0f} s", rounds=1, hit=1, recovery_seconds=recovery_seconds)


@contextmanager
def full_disk(database: Scratch) -> Iterator[None]:
    """COPY into today's partition is refused with the SQLSTATE of a full disk."""
    leaf = f"log_entries_1_{datetime.now(UTC):%Y%m%d}"
    database.rows(
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"""
    )
    database.rows(f"CREATE TRIGGER full_disk BEFORE INSERT ON {leaf} EXECUTE FUNCTION refuse()")
    yield
    database.rows("DROP FUNCTION refuse CASCADE")


def test_disk_full(platform: Platform, fault_database: Scratch, scoreboard: Scoreboard) -> None:
    application = platform.create_application()
    sender = Sender(platform, application)
    with sending(sender), ticking(platform, tick_seconds=0.1):
        sender.wait_for(10)
        with full_disk(fault_database):
            sender.wait_for(60)
            refused = platform.oracle.missing()
        recovery_seconds = platform.wait_until_stored(refused)
    assert len(refused) > 20
    finish(platform, scoreboard, "disk full", rounds=1, hit=1, recovery_seconds=recovery_seconds)


def test_reply_to_commit_lost(proxied_platform: Platform, database_proxy: Proxy, scoreboard: Scoreboard) -> None:
    """The outcome is unknown to process_chunk, so it acknowledges nothing; the next run finds everything stored."""
    platform = proxied_platform
    application = platform.create_application()
    deliver(platform, application, 10)
    platform.drain_until_empty()
    redelivered, recovery_seconds = 0, 0.0
    for _ in range(SIZE.rounds_per_point):
        deliver(platform, application, 10)
        database_proxy.lose_reply_to(COMMIT)
        assert platform.drain()["chunks_failed"] == 1
        report = platform.drain()
        redelivered += report["redelivered"]
        recovery_seconds = max(recovery_seconds, report["duration_ms"] / 1000)
    assert redelivered == 10 * SIZE.rounds_per_point
    finish(
        platform,
        scoreboard,
        "reply to COMMIT lost",
        rounds=SIZE.rounds_per_point,
        hit=database_proxy.cuts,
        recovery_seconds=recovery_seconds,
    )
