"""F2: SIGKILL of process_chunk at random moments, under continuous load."""

import random
import time
from typing import Any

import pytest

from faults.harness.lambdas import Doom
from faults.harness.load import Sender, sending, ticking
from faults.harness.oracle import LedgerWatch
from faults.harness.platform import Platform
from faults.harness.scores import Scoreboard
from faults.harness.sizes import SIZE

pytestmark = pytest.mark.timeout(900)

KILLED_SHARE = 0.7
# An entry that dies more often runs alone and is condemned in the end, which is for F7: here no good log may get there.
MAX_DEATHS = 2


def kill_at_random(platform: Platform) -> None:
    """Dooms chunks to die between their start and the 95th percentile of what a run takes."""

    def doom(verb: str, event: dict[str, Any]) -> Doom | None:
        if verb != "process_chunk" or event["attempts"] > MAX_DEATHS or random.random() > KILLED_SHARE:
            return None
        durations = sorted(platform.lambdas.durations["process_chunk"][-200:]) or [0.05]
        return Doom(after_seconds=random.uniform(0.0005, durations[int(len(durations) * 0.95)]))

    platform.lambdas.doom = doom


def test_random_kills(platform: Platform, scoreboard: Scoreboard) -> None:
    sender = Sender(platform, platform.create_application(), batch_size=25)
    watch = LedgerWatch(platform.oracle)
    watch.start()
    kill_at_random(platform)
    deadline = time.monotonic() + 600
    with sending(sender, requests_per_second=40), ticking(platform, tick_seconds=0.02):
        while platform.lambdas.hits() < SIZE.random_kills:
            assert time.monotonic() < deadline, f"{platform.lambdas.hits()} kills in 600 s"
            time.sleep(0.1)
        platform.lambdas.doom = lambda verb, event: None
    recovery_seconds = platform.drain_until_empty()
    verdict, hit = platform.oracle.judge(), platform.lambdas.hits()
    scoreboard.add(
        "F2", "random SIGKILL", verdict, rounds=SIZE.random_kills, hit=hit, recovery_seconds=recovery_seconds
    )
    assert hit >= SIZE.random_kills
    assert verdict.is_clean, verdict
    assert verdict.dead == 0
    platform.oracle.assert_settled(verdict)
    watch.stop()
