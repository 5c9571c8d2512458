"""F1: SIGKILL at every named crash point; and F1 again while a second drain works on the same queue."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import batched
from typing import Any

import pytest

from faults.harness.lambdas import Doom, FunctionDied
from faults.harness.load import deliver, log_body, new_text
from faults.harness.platform import Application, Platform
from faults.harness.scores import Scoreboard
from faults.harness.sizes import SIZE, not_in_smoke
from sluice.runtime.crash_points import CRASH_POINTS, CrashPoint

pytestmark = pytest.mark.timeout(600)

BATCHES = 4  # queued in each round: two chunks
BATCH_SIZE = 75
FILLS_FOR_TWO = 30  # more than the lookahead of one drain: each is to get something
ROUNDS_PER_RECOVERY = 10  # drains killed in a row, before the next one has to wait for what they held
INGEST_POINTS, DRAIN_POINTS, CHUNK_POINTS = (
    [point for point in CRASH_POINTS if point.startswith(f"{verb}.")] for verb in ("ingest", "drain", "process_chunk")
)


def first_chunk_dies_at(point: CrashPoint) -> Callable[[str, dict[str, Any]], Doom | None]:
    """A doom for one run of process_chunk."""
    left = [Doom(point)]
    return lambda verb, event: left.pop() if verb == "process_chunk" and left else None


def fill(platform: Platform, application: Application) -> None:
    for _ in range(BATCHES):
        deliver(platform, application, BATCH_SIZE, text=new_text())  # so that each chunk has something to learn


def finish(platform: Platform, scoreboard: Scoreboard, what: str, doom: Doom, recovery_seconds: float) -> None:
    """Judges the test: every round must have killed exactly once, and nothing may be amiss."""
    verdict, hit = platform.oracle.judge(), platform.lambdas.hits(doom)
    rounds = SIZE.rounds_per_point
    scoreboard.add("F1", what, verdict, rounds=rounds, hit=hit, recovery_seconds=recovery_seconds)
    assert hit == rounds
    assert verdict.is_clean, verdict
    assert verdict.dead == 0
    platform.oracle.assert_settled(verdict)


def test_every_point_is_in_one_of_the_tests() -> None:
    """Those of admin are in test_redrive, of archive, rehydrate and erase in test_archive; in tests/integration
    those of index (test_word_filters), watch (test_alerts) and its dispatch (test_notifications)."""
    elsewhere = {"admin", "archive", "rehydrate", "erase", "index", "watch", "dispatch"}
    assert {point.partition(".")[0] for point in CRASH_POINTS} <= {"ingest", "drain", "process_chunk", *elsewhere}


@pytest.mark.parametrize("point", INGEST_POINTS)
def test_ingest_killed(platform: Platform, scoreboard: Scoreboard, point: CrashPoint) -> None:
    """The client has no answer: its repetition under the same Idempotency-Key counts once; unrepeated, at most once."""
    application, longest, doom = platform.create_application(), 0.0, Doom(point)
    unrepeated = Doom(point, after_seconds=10)  # told apart from the other by a time that never comes
    for _ in range(SIZE.rounds_per_point):
        body, token = log_body(BATCH_SIZE), secrets.token_hex(8)
        with pytest.raises(FunctionDied):
            platform.post(application.key, body, token, doom)
        killed_at = time.monotonic()
        response = platform.post(application.key, body, token)
        assert response.status == 202
        assert ("Idempotency-Replayed" in response.headers) == (point == "ingest.after_submit")
        with pytest.raises(FunctionDied):
            platform.post(application.key, log_body(BATCH_SIZE), doom=unrepeated)
        platform.drain_until_empty()
        longest = max(longest, time.monotonic() - killed_at)
    stored = platform.oracle.judge().stored
    orphans = SIZE.rounds_per_point if point == "ingest.after_submit" else 0
    assert stored == (SIZE.rounds_per_point + orphans) * BATCH_SIZE
    finish(platform, scoreboard, point, doom, longest)


@pytest.mark.parametrize("point", CHUNK_POINTS)
def test_process_chunk_killed(platform: Platform, scoreboard: Scoreboard, point: CrashPoint) -> None:
    """The drain learns of the death, gives the entries back, and its next pass stores them."""
    application, longest = platform.create_application(), 0.0
    for _ in range(SIZE.rounds_per_point):
        fill(platform, application)
        platform.lambdas.doom = first_chunk_dies_at(point)
        report = platform.drain()
        assert (report["chunks"], report["chunks_failed"]) == (2, 1)
        longest = max(longest, platform.drain_until_empty())
    finish(platform, scoreboard, point, Doom(point), longest)


def every_chunk_dies(verb: str, event: dict[str, Any]) -> Doom | None:
    return Doom("process_chunk.after_commit") if verb == "process_chunk" else None


@contextmanager
def something_to_release(platform: Platform, point: CrashPoint) -> Iterator[None]:
    """Only failed chunks are released."""
    harmless = platform.lambdas.doom
    platform.lambdas.doom = every_chunk_dies if point == "drain.before_release" else harmless
    yield
    platform.lambdas.doom = harmless


def kill_drain(platform: Platform, point: CrashPoint) -> None:
    with pytest.raises(FunctionDied):
        platform.drain(doom=Doom(point))


@pytest.mark.parametrize("point", DRAIN_POINTS)
def test_drain_killed(platform: Platform, scoreboard: Scoreboard, point: CrashPoint) -> None:
    """What the dead drain held is claimed again once it has been idle for long enough."""
    application, longest = platform.create_application(), 0.0
    for rounds in batched(range(SIZE.rounds_per_point), ROUNDS_PER_RECOVERY, strict=False):
        for _ in rounds:
            fill(platform, application)
            with something_to_release(platform, point):
                kill_drain(platform, point)
        longest = max(longest, platform.drain_until_empty())
    finish(platform, scoreboard, point, Doom(point), longest)


@not_in_smoke
@pytest.mark.parametrize("point", DRAIN_POINTS)
def test_drain_killed_next_to_another(platform: Platform, scoreboard: Scoreboard, point: CrashPoint) -> None:
    application, longest = platform.create_application(), 0.0
    for rounds in batched(range(SIZE.rounds_per_point), ROUNDS_PER_RECOVERY, strict=False):
        for _ in rounds:
            for _ in range(FILLS_FOR_TWO):
                fill(platform, application)
            with something_to_release(platform, point):
                other = threading.Thread(target=platform.drain)
                other.start()
                kill_drain(platform, point)
                other.join()
            platform.drain()  # what the other gave back; what the dead one held takes longer
        longest = max(longest, platform.drain_until_empty())
    finish(platform, scoreboard, f"{point}, overlap", Doom(point), longest)
