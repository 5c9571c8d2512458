"""Rates: what is an incident, of which kind, and what is not."""

import json
import math
from datetime import timedelta
from itertools import pairwise

import pytest

from sluice.anomalies.model import Kind
from sluice.anomalies.patterns import Patterns
from sluice.anomalies.rates import RateDetector
from sluice.anomalies.scan import Scan
from traffic import A_DAY, LEARNT, START, WIDTH, Change, alarms, counts, feed, judge

INCIDENT = LEARNT + 3 * A_DAY + 20  # a Thursday morning


def during(length: int, rate: Change) -> Change:
    return lambda number, usual: rate(number, usual) if INCIDENT <= number < INCIDENT + length else usual


@pytest.mark.parametrize("level", [0.05, 3, 200, 5_000])
def test_normal_traffic_is_no_anomaly(level: float) -> None:
    for seed in range(3):
        assert alarms(judge(counts(28, level, seed=seed))) == []


@pytest.mark.parametrize(
    ("level", "change", "kinds"),
    [
        (200, during(3, lambda _, usual: 6 * usual), {Kind.SPIKE}),
        (0.05, during(3, lambda _, usual: 5), {Kind.SPIKE}),
        (20, during(12, lambda _, usual: usual + 25), {Kind.BURST}),
        (200, during(10, lambda _, usual: usual / 10), {Kind.DROP}),
        (200, during(10, lambda _, usual: 0), {Kind.SILENCE}),
    ],
)
def test_an_incident_is_one_alarm(level: float, change: Change, kinds: set[Kind]) -> None:
    opening, *others = alarms(judge(counts(21, level, change)))
    assert others == []
    assert opening.kind in kinds
    assert INCIDENT * WIDTH <= opening.bucket - START <= (INCIDENT + 8) * WIDTH
    assert opening.onset == opening.bucket - (opening.buckets - 1) * WIDTH
    assert opening.onset >= START + INCIDENT * WIDTH


def test_a_verdict_says_what_was_expected() -> None:
    (opening,) = alarms(judge(counts(21, 200, during(3, lambda _, usual: 6 * usual))))
    assert opening.observed > 4 * opening.expected > 0
    assert opening.baseline_from == START
    assert f"{opening.onset:%H:%M}" == "10:00"


def test_a_new_level_is_one_incident_and_then_the_baseline() -> None:
    def triple(number: int, usual: float) -> float:
        return 3 * usual if number >= INCIDENT else usual

    verdicts = judge(counts(28, 200, triple))
    assert len(alarms(verdicts)) == 1
    kinds = [verdict.kind for verdict in verdicts[INCIDENT + 2 : INCIDENT + A_DAY]]
    assert kinds[-1] is Kind.SHIFT
    assert verdicts[-1].kind is None


def test_a_slow_leak_is_a_ramp() -> None:
    def leak(number: int, usual: float) -> float:
        return usual * (1 + max(0, number - INCIDENT) / 8)

    verdicts = judge(counts(18, 200, leak))
    kinds = [verdict.kind for verdict in verdicts[INCIDENT : INCIDENT + A_DAY // 2]]
    assert Kind.RAMP in kinds


def test_while_it_learns_nothing_is_an_alarm() -> None:
    def doubled(number: int, usual: float) -> float:
        return 30 * usual if number == LEARNT - 5 else usual

    assert alarms(judge(counts(14, 200, doubled))) == []


def test_a_restart_changes_nothing() -> None:
    series = counts(21, 20, during(12, lambda _, usual: usual + 30))
    through = feed(detector := RateDetector(WIDTH), series[:INCIDENT])
    again = RateDetector.from_state(json.loads(json.dumps(detector.to_state())))
    assert feed(again, series[INCIDENT:], INCIDENT) == feed(detector, series[INCIDENT:], INCIDENT)
    assert again.to_state() == detector.to_state()
    assert len(through) == INCIDENT


def test_a_late_correction_is_judged_from_an_earlier_state() -> None:
    series = counts(21, 200)
    detector = RateDetector(WIDTH)
    feed(detector, series[:INCIDENT])
    state = json.dumps(detector.to_state())
    missing = [0, 0, 0, *series[INCIDENT + 3 : INCIDENT + 10]]
    assert len(alarms(feed(detector, missing, INCIDENT))) == 1
    corrected = RateDetector.from_state(json.loads(state))
    assert alarms(feed(corrected, series[INCIDENT : INCIDENT + 10], INCIDENT)) == []


@pytest.mark.parametrize("count", [math.nan, math.inf, -math.inf, 1e300])
def test_what_is_no_count_is_passed_over(count: float) -> None:
    detector = RateDetector(WIDTH)
    feed(detector, counts(15, 20))
    before = detector.to_state()
    verdict = detector.feed(START + timedelta(days=15), count)
    assert (verdict.score, detector.to_state()) == (0.0, before)


def test_a_series_of_measurements_is_judged_by_what_was_seen() -> None:
    series = [0.25 + 0.125 * (number % 4) for number in range(16 * A_DAY)]
    series[LEARNT + 30] = 2.5
    (alarm,) = alarms(judge(series))
    assert alarm.bucket == START + (LEARNT + 30) * WIDTH
    assert (alarm.observed, alarm.expected) == (2.5, 0.625)


def test_states_stay_small() -> None:
    sizes = []
    detector = RateDetector(WIDTH)
    for week in range(8):
        feed(detector, counts(7, 3_000, seed=week), week * 7 * A_DAY)
        sizes.append(len(json.dumps(detector.to_state())))
    assert max(sizes[4:]) < 1.1 * sizes[3]


def test_a_vocabulary_forgets_what_was_not_met_for_longest() -> None:
    patterns = Patterns()
    for number in range(600):
        patterns.novelty(1.02**number)
        patterns.novelty(1.0)
    assert len(patterns.values) == 512
    assert patterns.nearest(1.0) == 1.0
    assert patterns.nearest(1.02) == 1.0


def test_a_rate_that_falls_by_twenty_orders_of_magnitude() -> None:
    """Running sums then lose the small variance in the large one."""
    scan = Scan()
    scan.add(1e12, 1e12, 1e24)
    scan.add(0, 1e-4, 1e-4)
    scan.learn(100)
    assert scan.find(0.0).surprise >= 0


def test_the_score_grows_with_the_count() -> None:
    detector = RateDetector(WIDTH)
    feed(detector, counts(21, 20))
    state = detector.to_state()
    bucket = START + timedelta(days=21, hours=10)
    scores = [RateDetector.from_state(state).feed(bucket, count).score for count in range(0, 600, 7)]
    usual = min(range(len(scores)), key=scores.__getitem__)
    assert all(lower <= higher for lower, higher in pairwise(scores[usual:]))
    assert all(higher >= lower for higher, lower in pairwise(scores[: usual + 1]))
    assert scores[-1] > 0.9
