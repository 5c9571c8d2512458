"""Sessions: which are unusual, and why."""

import json
import random

import pytest

from sluice.anomalies.explain import explain_session
from sluice.anomalies.sessions import LEARNING, Reason, ReasonKind, SessionDetector, SessionVerdict

OPENED, READ, WROTE, CLOSED, RETRIED, FAILED = range(6)


def usual(chance: random.Random) -> list[int]:
    return [OPENED, *chance.choices([READ, WROTE], k=chance.randint(1, 9)), CLOSED, CLOSED]


def learnt(sessions: int = 1_000) -> SessionDetector:
    detector, chance = SessionDetector(), random.Random(1)
    for _ in range(sessions):
        detector.feed(usual(chance))
    return detector


def only(verdict: SessionVerdict) -> Reason:
    (reason,) = verdict.reasons
    return reason


def test_usual_sessions_are_no_anomalies() -> None:
    detector, chance = learnt(), random.Random(2)
    assert not any(detector.feed(usual(chance)).is_anomalous for _ in range(500))


def test_an_event_that_none_had() -> None:
    verdict = learnt().feed([OPENED, READ, FAILED, CLOSED, CLOSED])
    assert verdict.is_anomalous
    assert only(verdict) == Reason(FAILED, ReasonKind.SELDOM, 0.0, 1, 0)
    assert explain_session(verdict, {FAILED: "failed <*>"}) == "it has “failed <*>”, which no session before had"


def test_an_event_that_all_had() -> None:
    verdict = learnt().feed([READ, CLOSED, CLOSED])
    assert verdict.is_anomalous
    assert (only(verdict).event, only(verdict).kind, only(verdict).usual) == (OPENED, ReasonKind.MISSING, 1)
    assert explain_session(verdict, {}) == "it lacks “template 0”, which nearly all of sessions have"


def test_an_event_as_often_as_never_before() -> None:
    verdict = learnt().feed([OPENED, READ, CLOSED])
    assert verdict.is_anomalous
    assert only(verdict) == Reason(CLOSED, ReasonKind.COUNT, 0.0, 1, 2)
    assert "once, where nearly all have it twice" in explain_session(verdict, {CLOSED: "closed"})


def test_more_reasons_make_a_higher_score() -> None:
    one = learnt().feed([OPENED, READ, FAILED, CLOSED, CLOSED])
    two = learnt().feed([OPENED, READ, FAILED, CLOSED])
    assert 0.5 < one.score < two.score < 1


def test_a_rarer_event_makes_a_higher_score() -> None:
    scores = []
    for share in (0.04, 0.02, 0.005):
        detector, chance = SessionDetector(), random.Random(3)
        for _ in range(2_000):
            detector.feed([*usual(chance), *([RETRIED] if chance.random() < share else [])])
        scores.append(detector.feed([OPENED, READ, RETRIED, CLOSED, CLOSED]).score)
    assert scores[0] < 0.5 < scores[1] < scores[2]


def test_what_has_become_usual_is_learnt() -> None:
    detector, chance = learnt(), random.Random(4)
    verdicts = [detector.feed([*usual(chance), RETRIED]).is_anomalous for _ in range(200)]
    assert verdicts[0]
    assert not any(verdicts[100:])


def test_it_learns_first() -> None:
    detector = SessionDetector()
    assert not any(detector.feed([number]).is_anomalous for number in range(LEARNING))
    assert detector.feed([LEARNING]).is_anomalous


def test_a_restart_changes_nothing() -> None:
    detector, chance = learnt(), random.Random(5)
    again = SessionDetector.from_state(json.loads(json.dumps(detector.to_state())))
    sessions = [usual(chance) for _ in range(50)] + [[FAILED], [], [OPENED, CLOSED]]
    assert [again.feed(each) for each in sessions] == [detector.feed(each) for each in sessions]
    assert again.to_state() == detector.to_state()


def test_it_does_not_matter_how_long_it_runs() -> None:
    detector = SessionDetector()
    for _ in range(90_000):
        detector.feed([OPENED])
    state = detector.to_state()
    assert state["weight"] < 1e9
    assert state["total"] / state["weight"] == pytest.approx(4_000, rel=0.01)
    assert detector.feed([FAILED]).is_anomalous


def test_states_stay_small() -> None:
    detector = SessionDetector()
    for number in range(5_000):
        detector.feed([number, number, *([number % 7] * (number % 500))])
    state = detector.to_state()
    assert len(state["events"]) == 2_000
    assert max(len(counts) for _, _, counts in state["events"]) <= 64
