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
        if holder.blocks:
            assert holder.blocks.first <= item.blocks.first
            assert holder.blocks.first + holder.blocks.length >= item.blocks.first + item.blocks.length
    assert sum(item.blocks.length for item in merged if item.blocks) <= 2 * sum(
        item.blocks.length for item in ranges if item.blocks
    )
    unknown = disjoint([*ranges, *(item._replace(blocks=None) for item in ranges)])
    assert not any(item.blocks for item in unknown)


def test_neighbours_are_read_at_once_if_their_blocks_are_neighbours() -> None:
    """Else what lies between these would be read with them."""
    first, near, far = (
        RowRange(1, START, START, position, position + 9, START, START, Blocks(7, block, 3))
        for position, block in ((0, 100), (10, 103), (20, 100_000))
    )
    assert disjoint([first, near, far]) == [first._replace(position_until=19, blocks=Blocks(7, 100, 6)), far]
    unknown = [item._replace(blocks=Blocks(0, 0, 0)) for item in (first, near, far)]
    assert disjoint(unknown) == [unknown[0]._replace(position_until=29)]
    overlapping = far._replace(position_from=5)
    (both,) = disjoint([first, overlapping])
    assert (both.position_from, both.position_until, both.blocks) == (0, 29, None)


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
