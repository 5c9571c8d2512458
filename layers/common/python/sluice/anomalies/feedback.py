"""What people say of anomalies, and what follows from it: one like what was noise is not told for a while.

Noise lasts a month, and three where it was said more than once. It covers anomalies that are led by one of the same
series in the same direction, unless they are much stronger. What is useful is told again at once. A verdict that is
taken back never was.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sluice.anomalies.anomaly import Anomaly
from sluice.anomalies.series import Series

ONCE, REPEATED = timedelta(days=30), timedelta(days=90)
_MUCH_STRONGER = 2.0  # times the surprise


class Feedback(StrEnum):
    """Of an anomaly."""

    USEFUL = "useful"
    NOISE = "noise"


@dataclass(frozen=True, slots=True)
class Judged:
    """Somebody's word on an anomaly of these series, each with whether there were too many, and of this score."""

    verdict: Feedback
    at: datetime
    score: float
    subjects: frozenset[tuple[Series, bool]]


def is_muted(anomaly: Anomaly, judged: Iterable[Judged], now: datetime) -> bool:
    """Whether it is like what was called noise."""
    subject = anomaly.lead.series, anomaly.lead.is_above
    same = sorted((each for each in judged if subject in each.subjects), key=lambda each: each.at)
    noise: list[Judged] = []
    for each in same:
        noise = [*noise, each] if each.verdict is Feedback.NOISE else []
    if not noise or now - noise[-1].at > (REPEATED if len(noise) > 1 else ONCE):
        return False
    return _surprise(anomaly.score) <= _MUCH_STRONGER * max(_surprise(each.score) for each in noise)


def _surprise(score: float) -> float:
    """In units of what an alarm takes."""
    return score / max(1 - score, 1e-9)
