"""Detectors take any input: no exception, scores from 0 to 1, the same verdicts after a restart."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.anomalies.changes import changes
from sluice.anomalies.explain import explain_change, explain_session
from sluice.anomalies.patterns import Patterns
from sluice.anomalies.rates import RateDetector
from sluice.anomalies.sessions import SessionDetector
from sluice.anomalies.tails import surprise_above, surprise_below

START = datetime(2026, 3, 2, tzinfo=UTC)
any_count = st.integers(0, 5) | st.integers(0, 10**12) | st.floats()
series = st.lists(any_count | st.lists(any_count, min_size=1, max_size=3), max_size=40)
widths = st.sampled_from([timedelta(minutes=1), timedelta(hours=1), timedelta(hours=8), timedelta(days=3)])


@given(series, widths, st.integers(0, 20), st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_rates(parts: list[float | list[float]], width: timedelta, learning: int, cut: int) -> None:
    counts = [count for part in parts for count in (part * 40 if isinstance(part, list) else [part])]
    buckets = [START + width * number for number in range(len(counts))]
    detector = RateDetector(width, learning * width)
    verdicts = [detector.feed(*point) for point in zip(buckets[:cut], counts, strict=False)]
    again = RateDetector.from_state(json.loads(json.dumps(detector.to_state())))
    rest = list(zip(buckets[cut:], counts[cut:], strict=True))
    verdicts += [detector.feed(*point) for point in rest]
    assert verdicts[cut:] == [again.feed(*point) for point in rest]
    assert all(0 <= verdict.score <= 1 for verdict in verdicts)
    assert not any(verdict.opens for verdict in verdicts[:learning])


@given(st.lists(st.lists(st.integers(0, 6), max_size=12), max_size=60), st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_sessions(sessions: list[list[int]], cut: int) -> None:
    detector = SessionDetector()
    for _ in range(99):
        detector.feed([0, 1, 1])
    for session in sessions[:cut]:
        detector.feed(session)
    again = SessionDetector.from_state(json.loads(json.dumps(detector.to_state())))
    verdicts = [detector.feed(session) for session in sessions[cut:]]
    assert verdicts == [again.feed(session) for session in sessions[cut:]]
    assert all(0 <= verdict.score <= 1 and verdict.is_anomalous == bool(verdict.reasons) for verdict in verdicts)
    assert all(explain_session(verdict, {}) for verdict in verdicts)


@given(st.floats(1e-4, 1e9), st.floats(1, 1e4))
def test_tails_grow_with_distance(mean: float, clumping: float) -> None:
    counts = sorted({round(mean * factor) for factor in (0, 0.1, 0.5, 0.9, 1, 1.1, 2, 5, 20)} | {0, 1, 2, 30})
    above = [surprise_above(count, mean, mean * clumping) for count in counts]
    below = [surprise_below(count, mean, mean * clumping) for count in counts]
    assert all(lower <= higher + 1e-9 for lower, higher in pairwise(above))
    assert all(higher + 1e-9 >= lower for higher, lower in pairwise(below))


@given(st.lists(st.floats(-1e12, 1e12), max_size=200))
@settings(deadline=None)
def test_patterns(values: list[float]) -> None:
    patterns = Patterns()
    assert all(patterns.novelty(value) >= 0 for value in values)
    if len(values) > 1:
        assert patterns.novelty(values[-1]) < patterns.novelty(2e12 + max(map(abs, values)))


small = st.dictionaries(st.integers(0, 20), st.integers(0, 10**9), max_size=12)


@given(small, small)
def test_changes(before: dict[int, int], after: dict[int, int]) -> None:
    found = changes(before, after)
    assert all(0.5 <= change.score <= 1 and explain_change(change, "x", "1") for change in found)
    assert changes(before, before) == ()
