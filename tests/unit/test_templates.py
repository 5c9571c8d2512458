"""Masks, keys, miner and parameters: what is promised of them, on lines of our own."""

import pytest

from sluice.templates.keys import template_key
from sluice.templates.masks import MAX_CHARACTERS, mask
from sluice.templates.miner import Miner
from sluice.templates.model import Template
from sluice.templates.parameters import parameters


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("order 1234 shipped", "order <*> shipped"),
        ("took   12ms", "took <*>"),
        ("no value at all", "no value at all"),
        ("", ""),
    ],
)
def test_values_are_masked_by_their_shape(message: str, masked: str) -> None:
    assert mask(message) == masked


def test_only_the_head_of_a_long_message_counts() -> None:
    masked = mask("word " * MAX_CHARACTERS + "1")
    assert len(masked) <= 2 * MAX_CHARACTERS
    assert masked.endswith(" <*>")


def test_keys_are_64_bits_with_sign_and_differ_by_application() -> None:
    keys = {template_key(application, line) for application in (1, 2) for line in ("a", "b", "\ud800")}
    assert len(keys) == 6
    assert all(-(2**63) <= key < 2**63 for key in keys)


def test_a_similar_line_generalises_a_template_and_another_makes_one() -> None:
    miner = Miner()
    first = miner.assign("disk <*> of rack alpha is nearly full")
    assert first.is_new
    assert first.changed == miner.templates
    again = miner.assign("disk <*> of rack alpha is nearly full")
    assert (again.template_id, again.is_new, again.changed) == (first.template_id, False, ())
    assert miner.assign("a user signed in").template_id != first.template_id


def test_beyond_the_limit_all_lines_share_one_template() -> None:
    miner = Miner(max_templates=3)
    assignments = [miner.assign(f"{word * 3} {word} {word * 2}") for word in "abcdefgh"]
    assert len(miner.templates) == 4
    assert [each.is_overflow for each in assignments] == [False] * 3 + [True] * 5
    assert len({each.template_id for each in assignments[3:]}) == 1
    assert [each.is_new for each in assignments[3:]] == [True] + [False] * 4


def test_a_miner_is_rebuilt_from_what_was_stored() -> None:
    lines = ["user ann signed in again", "user ben signed in again", "queue empty", "user cid signed in again"] * 3
    whole, stored = Miner(), dict[int, Template]()
    for line in lines:
        rebuilt = Miner(stored.values()).assign(line)
        assert rebuilt == whole.assign(line)
        stored.update({template.template_id: template for template in rebuilt.changed})


def test_parameters_are_what_stands_in_the_places_of_a_template() -> None:
    assert parameters("job <*> took <*> ms", "job a b took  12 ms") == ["a b", "12"]
    assert parameters("<*>", "all of it") == ["all of it"]
    assert parameters("job <*> took <*> ms", "job 1 is late") == []
    assert parameters("ab<*>bc", "abc") == []
    assert parameters("no value", "no value") == []
