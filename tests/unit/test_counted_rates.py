"""Rates that are known to count events: jobs are no news, and what is silent stays so until it is back."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from sluice.anomalies.model import Kind, Verdict
from sluice.anomalies.rates import RateDetector
from traffic import A_DAY, START, WIDTH, Change, counts, feed

LEARNING = timedelta(days=2)
NIGHTLY, WEEKLY, NOW_AND_THEN = A_DAY, 7 * A_DAY, 3 * A_DAY + 11


def detector(*, is_minor: bool = False) -> RateDetector:
    return RateDetector(WIDTH, LEARNING, has_patterns=False, is_minor=is_minor)


def opened(verdicts: list[Verdict]) -> list[int]:
    """The days on which something opened."""
    return sorted({(verdict.opened - START).days for verdict in verdicts if verdict.opened})


def job(every: int, size: Callable[[int], int] = lambda day: 80) -> list[int]:
    """Five weeks in which hardly anything comes but a job's logs, by its day, in one bucket each."""
    series = counts(36, 0.01)
    for number in range(5, len(series), every):
        series[number] += size(number // A_DAY)
    return series


@pytest.mark.parametrize(("every", "is_minor"), [(NIGHTLY, False), (WEEKLY, False), (NOW_AND_THEN, True)])
def test_a_job_is_news_until_it_came_before(every: int, is_minor: bool) -> None:
    assert not [day for day in opened(feed(detector(is_minor=is_minor), job(every))) if day > 7]


def test_what_comes_at_any_time_is_news_unless_it_is_minor() -> None:
    assert len(opened(feed(detector(), job(NOW_AND_THEN)))) > 5


def test_more_than_ever_is_news() -> None:
    assert opened(feed(detector(), job(NIGHTLY, lambda day: 400 if day == 15 else 80)))[-1] == 15


def test_it_knows_after_a_restart() -> None:
    series, half = job(NIGHTLY), 18 * A_DAY
    before = detector()
    feed(before, series[:half])
    again = RateDetector.from_state(json.loads(json.dumps(before.to_state())))
    assert opened(feed(again, series[half:], half)) == []


@pytest.mark.parametrize("level", [1, 3])
def test_a_silence_lasts_until_events_are_back(level: float) -> None:
    """Also through a night, in which the next event is hours away."""
    first, last = 10 * A_DAY + 10, 11 * A_DAY + 7

    def silent(number: int, usual: float) -> float:
        return 0 if first <= number <= last else usual

    verdicts = [verdict for verdict in feed(detector(), counts(14, level, silent)) if verdict.opened]
    assert len({verdict.opened for verdict in verdicts}) == 1
    assert verdicts[-1].bucket >= START + last * WIDTH


def test_a_spike_is_sudden() -> None:
    def kinds(change: Change) -> set[Kind | None]:
        return {verdict.kind for verdict in feed(detector(), counts(14, 3, change)) if verdict.opened}

    first = 10 * A_DAY + 10
    assert kinds(lambda number, usual: 30 if number == first else usual) == {Kind.SPIKE}
    lasting = kinds(lambda number, usual: 4 * usual if first <= number < first + 20 else usual)
    assert Kind.BURST in lasting
