"""Counts of logs in half-hours as an application has them: a daily rhythm, quiet weekends, chance around both."""

import math
import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from sluice.anomalies.model import Verdict
from sluice.anomalies.rates import RateDetector

WIDTH = timedelta(minutes=30)
A_DAY = 48  # buckets
LEARNT = 14 * A_DAY
START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday

type Change = Callable[[int, float], float]  # the rate of a bucket, from its number and its usual rate


def counts(days: int, level: float, change: Change = lambda _, rate: rate, seed: int = 1) -> list[int]:
    """One count for each half-hour."""
    chance = random.Random(seed)
    return [_poisson(chance, change(number, _rate(number, level))) for number in range(days * A_DAY)]


def feed(detector: RateDetector, series: Iterable[float], first: int = 0) -> list[Verdict]:
    return [detector.feed(START + WIDTH * number, count) for number, count in enumerate(series, first)]


def judge(series: Iterable[float]) -> list[Verdict]:
    return feed(RateDetector(WIDTH), series)


def alarms(verdicts: Iterable[Verdict]) -> list[Verdict]:
    return [verdict for verdict in verdicts if verdict.opens]


def _rate(number: int, level: float) -> float:
    day, bucket = divmod(number, A_DAY)
    weekend = 0.4 if day % 7 >= 5 else 1.0
    return level * weekend * (1 + 0.6 * math.sin(2 * math.pi * bucket / A_DAY))


def _poisson(chance: random.Random, mean: float) -> int:
    mean = chance.gammavariate(25, mean / 25) if mean else 0.0
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    count, product = 0, chance.random()
    while product > math.exp(-mean):
        count += 1
        product *= chance.random()
    return count
