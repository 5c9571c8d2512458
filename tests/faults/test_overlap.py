"""F3: drains at the same time, and the same chunk at the same time."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from faults.harness.load import deliver
from faults.harness.platform import Platform
from faults.harness.scores import Scoreboard
from faults.harness.sizes import SIZE

pytestmark = pytest.mark.timeout(600)

BATCHES = 40
BATCH_SIZE = 50


@pytest.mark.parametrize("drains", [2, 5])
def test_drains_at_once(platform: Platform, scoreboard: Scoreboard, drains: int) -> None:
    application, recovery_seconds = platform.create_application(), 0.0
    for _ in range(SIZE.overlap_rounds):
        for _ in range(BATCHES):
            deliver(platform, application, BATCH_SIZE)
        with ThreadPoolExecutor(drains) as pool:
            reports = list(pool.map(lambda _: platform.drain(), range(drains)))
        assert sum(report["chunks_failed"] for report in reports) == 0
        assert sum(report["stored"] for report in reports) == BATCHES * BATCH_SIZE
        recovery_seconds = max(recovery_seconds, *(report["duration_ms"] / 1000 for report in reports))
    verdict = platform.oracle.judge()
    scoreboard.add(
        "F3",
        f"{drains} drains at once",
        verdict,
        rounds=SIZE.overlap_rounds,
        hit=SIZE.overlap_rounds,
        recovery_seconds=recovery_seconds,
    )
    assert verdict.is_clean, verdict
    platform.oracle.assert_settled(verdict)


def test_the_same_chunk_three_times_at_once(platform: Platform, scoreboard: Scoreboard) -> None:
    """Whatever the order of its entries, no run fails, as it would by a deadlock."""
    application = platform.create_application()
    for _ in range(SIZE.overlap_rounds):
        for _ in range(BATCHES):
            deliver(platform, application, BATCH_SIZE)
        claim = platform.queue.claim(0, min_idle_seconds=0, max_records=10**6, max_bytes=10**9)
        ids = [entry.entry_id for entry in claim.entries]
        events = [{"version": 1, "shard": 0, "entry_ids": random.sample(ids, len(ids))} for _ in range(3)]

        def run(event: dict[str, Any]) -> dict[str, int]:
            answer: dict[str, int] = platform.lambdas.invoke("process_chunk", event)
            return answer

        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(run, events))
        assert sum(answer["stored"] for answer in answers) == BATCHES * BATCH_SIZE
        assert sum(answer["acknowledged"] for answer in answers) == len(ids)
    verdict = platform.oracle.judge()
    scoreboard.add("F3", "one chunk 3 times at once", verdict, rounds=SIZE.overlap_rounds, hit=SIZE.overlap_rounds)
    assert verdict.is_clean, verdict
    platform.oracle.assert_settled(verdict)
