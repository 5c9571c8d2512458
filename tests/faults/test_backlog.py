"""F12: a backlog as large as the drain's lookahead, beside a neighbour with little, and held by a drain that dies."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from faults.harness.lambdas import SIGKILLED, Doom, FunctionDied
from faults.harness.platform import MIN_IDLE_SECONDS, Application, Platform, running_platform
from faults.harness.scores import Scoreboard
from faults.harness.sizes import SIZE, not_in_smoke
from samples import record
from scratch import Scratch
from sluice.entries.packing import pack_record

pytestmark = [pytest.mark.timeout(600), not_in_smoke]

CHUNK_RECORDS = 5_000 if SIZE.name == "nightly" else 200  # what is deployed, or a small likeness of it
CONCURRENCY = 4
ENTRY_RECORDS = CHUNK_RECORDS // 10
BACKLOG = 10 * CONCURRENCY * CHUNK_RECORDS  # records
CHUNKS = BACKLOG // CHUNK_RECORDS


@pytest.fixture
def platform(fault_database: Scratch, fault_redis_url: str) -> Iterator[Platform]:
    with running_platform(
        fault_database,
        fault_redis_url,
        CHUNK_MAX_RECORDS=str(CHUNK_RECORDS),
        CHUNK_MAX_BYTES="8388608",
        CHUNK_CONCURRENCY=str(CONCURRENCY),
    ) as running:
        yield running


def fill(platform: Platform, application: Application) -> None:
    lines = [pack_record(record(position)) for position in range(ENTRY_RECORDS)]
    for _ in range(BACKLOG // ENTRY_RECORDS):
        platform.submit(application, lines)


def test_a_dead_drain_brings_nothing_under_suspicion(platform: Platform, scoreboard: Scoreboard) -> None:
    """What two drains held one after the other and never ran is stored in as many chunks as if they had not lived."""
    application, doom = platform.create_application(), Doom("drain.after_claim")
    fill(platform, application)
    for _ in range(2):
        with pytest.raises(FunctionDied):
            platform.drain(doom=doom)
        time.sleep(MIN_IDLE_SECONDS)
    started, report = time.monotonic(), platform.drain()
    recovery_seconds = time.monotonic() - started + platform.drain_until_empty()
    verdict = platform.oracle.judge()
    scoreboard.add(
        "F12",
        f"2 drains died with {BACKLOG} logs: {report['chunks']} chunks",
        verdict,
        rounds=2,
        hit=platform.lambdas.hits(doom),
        recovery_seconds=recovery_seconds,
    )
    assert [death.exit_code for death in platform.lambdas.deaths] == [SIGKILLED] * 2
    assert report["reclaimed_entries"] >= BACKLOG // ENTRY_RECORDS
    assert report["chunks"] <= 2 * CHUNKS, "a few entries may have been idle for long enough again"
    assert verdict.is_clean, verdict
    platform.oracle.assert_settled(verdict)


class Trickle:
    """Queues one log of an application with every tenth chunk that starts; counts the chunks until each is run."""

    def __init__(self, platform: Platform, application: Application) -> None:
        self.platform, self.application = platform, application
        self.chunks = 0
        self.waits: list[int] = []
        self._queued: dict[str, int] = {}
        self._lock = threading.Lock()

    def send(self) -> None:
        self.platform.submit(self.application, [pack_record(record(0))])
        newest: Any = self.platform.redis.xrevrange("logs:queue:{0}", count=1)
        self._queued[newest[0][0].decode()] = self.chunks

    def watch(self, verb: str, event: dict[str, Any]) -> None:
        """As a doom that spares everybody."""
        if verb == "process_chunk":
            with self._lock:
                self.chunks += 1
                found = [self._queued.pop(entry_id) for entry_id in event["entry_ids"] if entry_id in self._queued]
                self.waits += [self.chunks - queued for queued in found]
                if self.chunks % 10 == 0:
                    self.send()


def test_a_trickle_beside_a_backlog(platform: Platform, scoreboard: Scoreboard) -> None:
    """A log runs in the round after the next at the latest, however much of another application waits."""
    noisy, quiet = platform.create_application(), platform.create_application()
    fill(platform, noisy)
    trickle = Trickle(platform, quiet)
    trickle.send()
    platform.lambdas.doom = trickle.watch
    recovery_seconds = platform.drain_until_empty()
    verdict = platform.oracle.judge()
    scoreboard.add(
        "F12",
        f"trickle beside {BACKLOG} logs: {max(trickle.waits)} chunks",
        verdict,
        rounds=len(trickle.waits),
        hit=len(trickle.waits),
        recovery_seconds=recovery_seconds,
    )
    assert trickle.chunks >= CHUNKS
    assert len(trickle.waits) == 1 + trickle.chunks // 10
    # A round holds one chunk more than are in flight, since what is one's and what is another's does not divide evenly.
    assert max(trickle.waits) <= 2 * (CONCURRENCY + 1), trickle.waits
    assert verdict.is_clean, verdict
    platform.oracle.assert_settled(verdict)
