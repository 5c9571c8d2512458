"""Ranges of sequence numbers, checked against plain sets."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sluice.ledger.ranges import count_ranges, merge_ranges, subtract_ranges

ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12)


def numbers(pairs: list[tuple[int, int]] | tuple[tuple[int, int], ...]) -> set[int]:
    return {number for start, end in pairs for number in range(start, end)}


@given(ranges)
def test_merge_keeps_the_numbers(pairs: list[tuple[int, int]]) -> None:
    merged = merge_ranges(pairs)
    assert numbers(merged) == numbers(pairs)
    assert all(left[1] < right[0] for left, right in pairwise(merged))
    assert count_ranges(merged) == len(numbers(pairs))


@given(ranges, ranges)
def test_subtract_is_set_difference(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    assert numbers(subtract_ranges(merge_ranges(left), merge_ranges(right))) == numbers(left) - numbers(right)
