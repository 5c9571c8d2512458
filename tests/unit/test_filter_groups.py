"""Which rows share a word filter: as whole blocks as can be, since a search reads whole blocks."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.filters.grouping import LARGE_BATCH, MAX_ROWS, FilterBuilder
from sluice.filters.model import Batch, Row, Slice, WordFilter
from sluice.search import words

AT = datetime(2026, 5, 4, 10, tzinfo=UTC)


def item(blocks: Iterable[int], number: int = 1, words_of_a_row: int = 10) -> Slice:
    """A batch whose rows, one behind the other, are in these blocks, and have so many words of their own."""
    made = [
        Row(
            batch=b"1",
            retention_class=b"1",
            ctid=b"(%d,%d)" % (block, position % 22 + 1),
            position=b"%d" % position,
            event_at=b"2026-05-04 10:00:00+00",
            fields=b"level=20",
            message=b" ".join(b"w%dx%dx%d" % (number, position, word) for word in range(words_of_a_row)),
            metadata=b"{}",
        )
        for position, block in enumerate(blocks)
    ]
    return Slice(Batch(1, 1, AT, UUID(int=number)), made)


def filters(*items: Slice) -> list[WordFilter]:
    builder = FilterBuilder()
    for each in items:
        builder.add(each)
    return builder.finish()


def pages(first: int, count: int, rows: int = 22) -> list[int]:
    """The blocks of rows that fill ``count`` blocks from ``first`` on."""
    return [first + number // rows for number in range(count * rows)]


def spans(made: Iterable[WordFilter]) -> list[tuple[int, int]]:
    return [each.blocks for each in made]


def test_filters_end_where_blocks_end() -> None:
    made = filters(item([4] * 9 + pages(5, 12)))
    assert spans(made) == [(4, 4), (8, 3), (11, 3), (14, 3)]
    assert [each.row_count for each in made] == [9 + 66, 66, 66, 66]
    assert [each.position_from for each in made[1:]] == [each.position_until + 1 for each in made[:-1]]


@pytest.mark.parametrize("words_of_a_row", [1, 10, 300])
@pytest.mark.parametrize("rows", [1, 5, 22, 100, 291])
def test_all_rows_are_in_one_filter_that_is_not_too_full(rows: int, words_of_a_row: int) -> None:
    blocks = pages(7, 300 // rows + 1, rows)
    made = filters(item(blocks, words_of_a_row=words_of_a_row))
    assert sum(each.row_count for each in made) == len(blocks)
    positions = [(each.position_from, each.position_until) for each in made]
    assert [first for first, _ in positions] == [0, *(last + 1 for _, last in positions[:-1])]
    for each in made:
        assert each.row_count <= MAX_ROWS + 32
        assert words_of_a_row > 10 or each.row_count * words_of_a_row <= words.MAX_TOKENS * 1.2
        first, count = each.blocks
        assert {blocks[each.position_from], blocks[each.position_until]} <= set(range(first, first + count))


def test_strangers_blocks_end_a_filter_if_they_are_many() -> None:
    """Of a batch that was stored beside another one."""
    beside = [*pages(5, 2), *pages(15, 2)]
    assert spans(filters(item(beside))) == [(5, 2), (15, 2)]
    near = [*pages(5, 2), *pages(8, 1)]
    assert spans(filters(item(near))) == [(5, 4)]
    assert spans(filters(item([*pages(15, 2), *pages(5, 2)]))) == [(15, 2), (5, 2)]


def test_a_block_that_is_there_already_ends_nothing() -> None:
    assert spans(filters(item([*pages(5, 5, rows=12), *[5] * 6]))) == [(5, 5)]


def test_a_batch_in_very_small_pieces_does_not_have_as_many_filters() -> None:
    made = filters(item([100 * (number // 5) for number in range(200)]))
    assert len(made) <= 4
    assert set(spans(made[:-1])) == {(0, 0)}


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 40)), min_size=1, max_size=12), st.integers(1, 40))
def test_each_row_is_in_the_blocks_of_its_filter(runs: list[tuple[int, int]], words_of_a_row: int) -> None:
    """Wherever the table had room for them."""
    blocks = [block for block, count in runs for _ in range(count)]
    made = filters(item(blocks, words_of_a_row=words_of_a_row))
    positions = [number for each in made for number in range(each.position_from, each.position_until + 1)]
    assert positions == list(range(len(blocks)))
    for each in made:
        first, count = each.blocks
        held = {blocks[number] for number in range(each.position_from, each.position_until + 1)}
        assert each.blocks == (0, 0) or held <= set(range(first, first + count))


def test_small_batches_share_filters_over_strangers_blocks() -> None:
    apart = [item([5 * number] * 20, number) for number in (1, 2, 3)]
    assert spans(filters(*apart)) == [(5, 11)]
    far = [item([500 * number] * 20, number) for number in (1, 2, 3)]
    assert spans(filters(*far)) == [(0, 0)]  # better looked up


def test_a_scattered_batch_is_looked_up_where_that_reads_fewer_blocks() -> None:
    """A filter that strangers' blocks did not end, because little was missing in it."""
    rows = LARGE_BATCH // 2
    made = filters(item([block for number in range(rows) for block in (3 * number, 3 * number + 1)], words_of_a_row=1))
    assert spans(made) == [(0, 0)]
