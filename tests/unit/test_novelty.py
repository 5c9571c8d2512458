"""New and rare templates, what a version changed, incidents, and the sentences about them."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from sluice.anomalies.explain import explain_change, explain_novelty
from sluice.anomalies.incidents import Signal, group, join
from sluice.anomalies.novelty import Change, ChangeKind, History, NoveltyKind, changes, novelties

START = datetime(2026, 3, 2, tzinfo=UTC)
NOW = START + timedelta(days=30)
KNOWN = {number: History(10_000, NOW - timedelta(minutes=1)) for number in range(10)}


def test_a_template_that_was_never_seen_is_new() -> None:
    (novelty,) = novelties({3: NOW, 99: NOW}, KNOWN, START)
    assert (novelty.template_id, novelty.kind) == (99, NoveltyKind.NEW)
    assert novelty.score > 0.99
    assert explain_novelty(novelty, "boom <*>") == "“boom <*>” was never seen before"


def test_new_templates_are_no_news_where_they_always_come() -> None:
    scores = []
    for once in (0, 10, 100, 1_000):
        histories = {number: History(1, NOW) for number in range(once)} | {-1: History(1_000, NOW)}
        (novelty,) = novelties({99_999: NOW}, histories, START)
        scores.append(novelty.score)
    assert all(higher > lower for higher, lower in pairwise(scores))
    assert scores[0] > 0.5 > scores[-1]


def test_while_an_application_is_new_its_templates_are() -> None:
    assert novelties({99: START + timedelta(days=6)}, {}, START) == ()
    assert len(novelties({99: START + timedelta(days=7)}, {}, START)) == 1


def test_a_rare_template_that_comes_back() -> None:
    long_ago, lately = NOW - timedelta(days=9), NOW - timedelta(days=2)
    histories = KNOWN | {20: History(3, long_ago), 21: History(3, lately), 22: History(500, long_ago)}
    (novelty,) = novelties({20: NOW, 21: NOW, 22: NOW}, histories, START)
    assert (novelty.template_id, novelty.kind) == (20, NoveltyKind.RARE)
    assert novelty.score > 0.5
    assert "less than 0.1% of all logs" in explain_novelty(novelty, "cache rebuilt")


def test_what_a_version_changed() -> None:
    before = {1: 50_000, 2: 1_000, 3: 1_000, 4: 1_000, 5: 3}
    after = {1: 5_000, 2: 100, 3: 3_000, 4: 0, 6: 1, 7: 40}
    found = changes(before, after)
    assert {(change.template_id, change.kind) for change in found} == {
        (3, ChangeKind.MORE),
        (4, ChangeKind.GONE),
        (6, ChangeKind.ADDED),
        (7, ChangeKind.ADDED),
    }
    assert all(change.score >= 0.5 for change in found)
    assert [change.score for change in found] == sorted((change.score for change in found), reverse=True)


def test_a_version_that_logs_less_of_one_thing() -> None:
    (change,) = changes({1: 100_000, 2: 10_000}, {1: 100_000, 2: 50})
    assert (change.template_id, change.kind) == (2, ChangeKind.LESS)
    assert explain_change(change, "tick", "1.4") == "“tick” came 50 times with 1.4, where about 9,095 were expected"


def test_a_template_has_its_ups_and_downs() -> None:
    assert changes({1: 100_000, 2: 1_000}, {1: 100_000, 2: 2_500}) == ()


def test_the_same_mix_is_no_change() -> None:
    chance = random.Random(1)
    weights = [1 / rank for rank in range(1, 200)]
    for _ in range(20):
        before, after = (dict.fromkeys(range(199), 0) for _ in range(2))
        for counts, logs in ((before, 20_000), (after, 2_000)):
            for number in chance.choices(range(199), weights, k=logs):
                counts[number] += 1
        found = changes(before, after)
        assert [change for change in found if change.kind is not ChangeKind.ADDED] == []


@pytest.mark.parametrize("empty", [{}, {1: 0}])
def test_without_logs_there_is_nothing_to_compare(empty: dict[int, int]) -> None:
    assert changes(empty, {1: 5}) == ()
    assert changes({1: 5}, empty) == ()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ChangeKind.ADDED, "came twice with 2.0, and never before"),
        (ChangeKind.GONE, "no longer comes with 2.0, where about 12 were expected"),
    ],
)
def test_sentences_about_changes(kind: ChangeKind, words: str) -> None:
    assert words in explain_change(Change(1, kind, 0.9, 0, 2, 12.0), "x", "2.0")


def signal(subject: str, minutes: int, score: float = 0.6) -> Signal:
    return Signal(subject, NOW + timedelta(minutes=minutes), score)


def test_signals_of_one_subject_that_follow_each_other_are_one_incident() -> None:
    signals = [signal("a", 0), signal("a", 50, 0.9), signal("b", 55), signal("a", 105), signal("a", 200)]
    first, second, third = group(reversed(signals))
    assert (first.subjects, first.signals, first.peak) == (("a",), 3, signal("a", 50, 0.9))
    assert (first.first, first.last) == (signal("a", 0).time, signal("a", 105).time)
    assert (second.subjects, third.subjects, third.signals) == (("b",), ("a",), 1)


def test_incidents_that_begin_together_are_one() -> None:
    signals = [signal("a", 0), signal("a", 50), signal("b", 8, 0.95), signal("c", 30), signal("d", 39)]
    first, second = join(group(signals))
    assert (first.subjects, first.signals, first.peak.subject) == (("a", "b"), 3, "b")
    assert second.subjects == ("c", "d")
