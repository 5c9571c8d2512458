"""F11: dead letters redriven after a fix: twice, in parallel, and killed in between."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from faults.harness.lambdas import Doom, FunctionDied
from faults.harness.platform import Application, Platform
from faults.harness.scores import Scoreboard
from faults.harness.sizes import SIZE
from samples import poison
from sluice.runtime.crash_points import CRASH_POINTS, CrashPoint

pytestmark = pytest.mark.timeout(600)

LETTERS = 1_200  # more than one transaction's worth
ADMIN_POINTS = [point for point in CRASH_POINTS if point.startswith("admin.")]


def dead_letters(platform: Platform, count: int = LETTERS) -> Application:
    """An application with so many dead letters that a redrive repairs: jsonb refuses U+0000."""
    application = platform.create_application()
    bad = [poison(position) for position in range(count)]
    for start in range(0, count, 400):
        platform.submit(application, bad[: min(400, count - start)])
    platform.drain_until_empty()
    rows = platform.database.rows(
        "SELECT count(*) FROM dead_letters WHERE application_id = %s AND status = 'open'", application.application_id
    )
    assert rows == [(count,)]
    return application


def redrive(platform: Platform, application: Application, doom: Doom | None = None) -> int:
    """How many letters one call stored. Raises FunctionDied."""
    event = {"action": "redrive_dead_letters", "application": application.name}
    answer = platform.lambdas.invoke("admin", event, doom)
    assert answer["failed"] == 0
    return int(answer["redriven"])


def finish(
    platform: Platform, scoreboard: Scoreboard, what: str, *, rounds: int, hit: int, recovery_seconds: float = 0.0
) -> None:
    """Every letter is a row now, once."""
    verdict = platform.oracle.judge()
    scoreboard.add("F11", what, verdict, rounds=rounds, hit=hit, recovery_seconds=recovery_seconds)
    assert hit == rounds
    assert verdict.is_clean, verdict
    assert (verdict.stored, verdict.dead) == (verdict.acknowledged, 0)
    platform.oracle.assert_settled(verdict)


def test_redriven_twice(platform: Platform, scoreboard: Scoreboard) -> None:
    application = dead_letters(platform)
    assert [redrive(platform, application) for _ in range(2)] == [LETTERS, 0]
    finish(platform, scoreboard, "redriven twice", rounds=2, hit=2)


def test_redriven_in_parallel(platform: Platform, scoreboard: Scoreboard) -> None:
    application = dead_letters(platform)
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: redrive(platform, application), range(4)))
    assert sum(counts) == LETTERS
    finish(platform, scoreboard, "redriven 4 times at once", rounds=4, hit=4)


@pytest.mark.parametrize("point", ADMIN_POINTS)
def test_redrive_killed(platform: Platform, scoreboard: Scoreboard, point: CrashPoint) -> None:
    doom, longest = Doom(point), 0.0
    for _ in range(SIZE.rounds_per_point):
        application = dead_letters(platform, 20)
        with pytest.raises(FunctionDied):
            redrive(platform, application, doom)
        killed_at = time.monotonic()
        assert redrive(platform, application) == 20
        longest = max(longest, time.monotonic() - killed_at)
    finish(
        platform,
        scoreboard,
        point,
        rounds=SIZE.rounds_per_point,
        hit=platform.lambdas.hits(doom),
        recovery_seconds=longest,
    )


def test_redrive_killed_at_random(platform: Platform, scoreboard: Scoreboard) -> None:
    """Some of its transactions are in, some are not; the next call does the rest."""
    application = dead_letters(platform)
    started = time.monotonic()
    while platform.lambdas.hits() < SIZE.rounds_per_point:
        assert time.monotonic() - started < 300, f"{platform.lambdas.hits()} kills"
        try:
            redrive(platform, application, Doom(after_seconds=random.uniform(0.001, 0.15)))
        except FunctionDied:
            continue
        application = dead_letters(platform)
    redrive(platform, application)
    finish(
        platform,
        scoreboard,
        "random SIGKILL of redrive",
        rounds=SIZE.rounds_per_point,
        hit=platform.lambdas.hits(),
    )
