"""What a version changed, and the sentences about it."""

import random

import pytest

from sluice.anomalies.changes import Change, ChangeKind, changes
from sluice.anomalies.explain import explain_change


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
