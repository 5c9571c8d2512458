"""F3: drains that ingest wakes: one at a time, killed at work, or not to be woken at all."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from faults.harness.lambdas import Doom
from faults.harness.load import deliver
from faults.harness.platform import Application, Platform, running_platform
from faults.harness.scores import Scoreboard
from scratch import Scratch

pytestmark = pytest.mark.timeout(120)

BATCH_SIZE = 20
PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 20.0


@contextmanager
def waking_platform(database: Scratch, redis_url: str, function: str = "drain") -> Iterator[Platform]:
    """A platform that nobody drains but those whom ingest wakes, at most once a second; they end before it does."""
    with running_platform(database, redis_url, DRAIN_FUNCTION=function) as platform:
        yield platform
        deadline = time.monotonic() + PATIENCE_SECONDS
        while platform.redis.exists("logs:attended:{0}"):
            assert time.monotonic() < deadline, "a drain lingers for ever"
            time.sleep(PAUSE_SECONDS)


def send_for(platform: Platform, application: Application, seconds: float) -> list[str]:
    """Batches in a steady stream; their ids."""
    end, batch_ids = time.monotonic() + seconds, []
    while time.monotonic() < end:
        batch_ids.append(str(deliver(platform, application, BATCH_SIZE).body["batch_id"]))
        time.sleep(PAUSE_SECONDS)
    return batch_ids


def test_one_drain_is_woken_and_stores_all_that_comes(
    fault_database: Scratch, fault_redis_url: str, scoreboard: Scoreboard
) -> None:
    woken: list[dict[str, Any]] = []

    def note(verb: str, event: dict[str, Any]) -> None:
        if verb == "drain":
            woken.append(event)

    with waking_platform(fault_database, fault_redis_url) as platform:
        platform.lambdas.doom = note
        recovery_seconds = platform.wait_until_stored(send_for(platform, platform.create_application(), 3))
        verdict = platform.oracle.judge()
        scoreboard.add("F3", "woken drain", verdict, rounds=1, hit=1, recovery_seconds=recovery_seconds)
        assert woken == [{"lingers": True, "tick_seconds": 1}]
        assert verdict.is_clean, verdict


def test_a_killed_drain_is_followed_by_another(
    fault_database: Scratch, fault_redis_url: str, scoreboard: Scoreboard
) -> None:
    doom, woken_at = Doom("drain.after_invoke"), []

    def kill_first(verb: str, event: dict[str, Any]) -> Doom | None:
        if verb != "drain":
            return None
        woken_at.append(time.monotonic())
        return doom if len(woken_at) == 1 else None

    with waking_platform(fault_database, fault_redis_url) as platform:
        platform.lambdas.doom = kill_first
        application = platform.create_application()
        batch_ids = send_for(platform, application, 3)
        recovery_seconds = platform.wait_until_stored(batch_ids)
        verdict, hits = platform.oracle.judge(), platform.lambdas.hits(doom)
        scoreboard.add("F3", "woken drain killed", verdict, rounds=1, hit=hits, recovery_seconds=recovery_seconds)
        assert hits == 1
        assert len(woken_at) == 2
        assert verdict.is_clean, verdict


def test_a_drain_that_cannot_be_woken_fails_no_request(
    fault_database: Scratch, fault_redis_url: str, scoreboard: Scoreboard
) -> None:
    with waking_platform(fault_database, fault_redis_url, function="absent") as platform:
        batch_ids = send_for(platform, platform.create_application(), 2)
        assert set(platform.statuses) == {202}
        assert platform.oracle.missing() >= set(batch_ids), "nobody drains"
        recovery_seconds = platform.drain_until_empty()  # as the schedule does each minute
        verdict = platform.oracle.judge()
        scoreboard.add("F3", "wake refused", verdict, rounds=1, hit=1, recovery_seconds=recovery_seconds)
        assert verdict.is_clean, verdict
        platform.oracle.assert_settled(verdict)
