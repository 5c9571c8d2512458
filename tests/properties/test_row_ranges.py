"""Merging the groups that may match, checked against plain sets of rows."""

from datetime import UTC, datetime, timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from sluice.search.ranges import Blocks, RowRange, disjoint

START = datetime(2026, 5, 4, tzinfo=UTC)
WHOLE = st.tuples(st.integers(1, 2), st.integers(0, 9), st.integers(0, 3), st.integers(0, 9), st.integers(0, 3))


def row_range(numbers: tuple[int, int, int, int, int]) -> RowRange:
    application_id, received, span, position, length = numbers
    first, last = START + timedelta(seconds=received), START + timedelta(seconds=received + span)
    blocks = Blocks(1, received * 100 + position, length + 1)
    return RowRange(application_id, first, last, position, position + length, first, last, blocks)


def covers(item: RowRange, row: tuple[int, datetime, int]) -> bool:
    return (
        item.application_id == row[0]
        and item.received_from <= row[1] <= item.received_until
        and item.position_from <= row[2] <= item.position_until
    )


@given(st.lists(WHOLE.map(row_range), max_size=8))
def test_blocks_go_with_the_ranges_that_they_hold(ranges: list[RowRange]) -> None:
    merged = disjoint(ranges)
    for item in ranges:
        (holder,) = (
            other for other in merged if covers(other, (item.application_id, item.received_from, item.position_from))
        )
        assert item.blocks
        assert holder.blocks
        assert holder.blocks.first <= item.blocks.first
        assert holder.blocks.first + holder.blocks.length >= item.blocks.first + item.blocks.length
    unknown = disjoint([*ranges, *(item._replace(blocks=None) for item in ranges)])
    assert not any(item.blocks for item in unknown)


@given(st.lists(WHOLE.map(row_range), max_size=8))
def test_every_row_is_in_one_range_afterwards(ranges: list[RowRange]) -> None:
    merged = disjoint(ranges)
    rows = [
        (application_id, START + timedelta(seconds=second), position)
        for application_id in (1, 2)
        for second in range(14)
        for position in range(14)
    ]
    for row in rows:
        count = sum(covers(item, row) for item in merged)
        assert count <= 1
        assert count == 1 or not any(covers(item, row) for item in ranges)
    assert all(left != right for left, right in combinations(merged, 2))
