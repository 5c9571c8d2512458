"""What was called noise is not told again for a while."""

from datetime import UTC, datetime, timedelta

import pytest

from sluice.anomalies.anomaly import Anomaly
from sluice.anomalies.feedback import Feedback, Judged, is_muted
from sluice.anomalies.model import Kind
from sluice.anomalies.series import BUCKET, Episode, Series

NOW = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
JOB = Series(0, 7)
NOISE, USEFUL = Feedback.NOISE, Feedback.USEFUL


def anomaly(series: Series = JOB, *, score: float = 0.75, observed: float = 40) -> Anomaly:
    window = NOW, NOW + BUCKET
    return Anomaly(1, NOW, (Episode(series, NOW, Kind.SPIKE, NOW, NOW, score, observed, 10, window, NOW),))


def said(verdict: Feedback, days_ago: float, score: float = 0.75) -> Judged:
    return Judged(verdict, NOW - days_ago * DAY, score, frozenset({(JOB, True)}))


@pytest.mark.parametrize(
    ("words", "is_quiet"),
    [
        ([], False),
        ([said(NOISE, 1)], True),
        ([said(NOISE, 29)], True),
        ([said(NOISE, 31)], False),
        ([said(NOISE, 40), said(NOISE, 31)], True),
        ([said(NOISE, 200), said(NOISE, 91)], False),
        ([said(NOISE, 2), said(USEFUL, 1)], False),
        ([said(USEFUL, 1), said(NOISE, 2)], False),
        ([said(NOISE, 3), said(USEFUL, 2), said(NOISE, 1)], True),
        ([said(NOISE, 60), said(USEFUL, 50), said(NOISE, 40)], False),
    ],
)
def test_how_long_noise_is_muted(words: list[Judged], is_quiet: bool) -> None:
    assert is_muted(anomaly(), words, NOW) is is_quiet


def test_others_are_told() -> None:
    assert not is_muted(anomaly(Series(0, 8)), [said(NOISE, 1)], NOW)
    assert not is_muted(anomaly(observed=0), [said(NOISE, 1)], NOW)


def test_what_is_much_stronger_is_told() -> None:
    assert is_muted(anomaly(score=0.8), [said(NOISE, 1, score=0.75)], NOW)
    assert not is_muted(anomaly(score=0.9), [said(NOISE, 1, score=0.75)], NOW)
    assert is_muted(anomaly(score=0.9), [said(NOISE, 2, score=0.9), said(NOISE, 1, score=0.75)], NOW)
