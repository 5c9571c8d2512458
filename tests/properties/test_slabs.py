"""Slabs tell of each filter what the filter tells."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.search import slabs, words
from sluice.search.words import HASHES, hashes, may_match

WORDS = [b"word%d" % number for number in range(40)]
TOKENS = st.sets(st.sampled_from(WORDS), min_size=1, max_size=6)  # filters of one size


def slices(slab: bytes, size: int, token: bytes) -> bytes:
    """What the database cuts out for a token: one behind the other."""
    bits = [number * size * 8 >> 32 for number in hashes(token)]
    starts = [((bit & 7) * size + (bit >> 3)) * slabs.SLICE_BYTES for bit in bits]
    return b"".join(slab[start : start + slabs.SLICE_BYTES] for start in starts)


def found(slab: bytes, size: int, tests: list[list[bytes]], count: int) -> list[int]:
    return slabs.matching([[slices(slab, size, token) for token in tokens] for tokens in tests], count)


@given(
    st.lists(TOKENS, min_size=1, max_size=40),
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3), min_size=1, max_size=3),
)
def test_a_slab_tells_what_its_filters_tell(groups: list[set[bytes]], tests: list[list[bytes]]) -> None:
    filters = [words.make_filter(tokens) for tokens in groups]
    size = len(filters[0])
    slab = slabs.make_slab(b"".join(filters), size)
    assert len(slab) == size * 8 * slabs.SLICE_BYTES
    clauses = frozenset(map(frozenset, tests))
    expected = [number for number, item in enumerate(filters) if may_match(item, clauses)]
    assert sorted(found(slab, size, tests, len(filters))) == expected
    assert [n for n in expected if n < 7] == sorted(found(slab, size, tests, min(7, len(filters))))


@given(st.sets(st.integers(0, slabs.MEMBERS - 1), min_size=1, max_size=9))
def test_an_opened_filter_lets_all_through_and_says_nothing_any_more(numbers: set[int]) -> None:
    filters = [words.make_filter({WORDS[number % 7]}) for number in range(slabs.MEMBERS)]
    size = len(filters[0])
    slab = slabs.make_slab(b"".join(filters), size)
    emptied = slabs.opened(slab, numbers)
    for word in WORDS[:9]:
        before = set(found(slab, size, [[word]], slabs.MEMBERS))
        assert set(found(emptied, size, [[word]], slabs.MEMBERS)) == before | numbers
    same = [words.make_filter({WORDS[8]}) if number in numbers else item for number, item in enumerate(filters)]
    assert slabs.opened(slabs.make_slab(b"".join(same), size), numbers) == emptied


def test_a_token_has_as_many_slices_as_hashes() -> None:
    assert {len(hashes(word)) for word in WORDS} == {HASHES}


@pytest.mark.parametrize("count", [0, 1, 11, 100, words.MAX_TOKENS])
def test_filters_come_in_few_sizes(count: int) -> None:
    """Only filters of one size share a slab."""
    size = len(words.make_filter({b"%d" % number for number in range(count)}))
    assert size in {words.MAX_FILTER_BYTES >> halvings for halvings in range(8)}
    assert size * 8 >= count * words.BITS_PER_TOKEN
    assert size == words.MAX_FILTER_BYTES >> 7 or size * 4 < count * words.BITS_PER_TOKEN


def test_members_are_read_as_postgres_writes_them() -> None:
    moment = datetime(2026, 5, 4, 10, 0, 0, 123_456, UTC)
    microseconds = (moment - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    numbers = [(microseconds, 8), (microseconds + 1, 8), (-1, 8), (microseconds, 8), (0, 4), (2**31 - 1, 4)]
    numbers += [(-(2**63), 8), (2**32, 8), (12, 4)]
    text = b"".join(number.to_bytes(size, "big", signed=True) for number, size in numbers)
    (item,) = slabs.ranges(text, 7)
    assert (item.application_id, item.received_from, item.event_from) == (
        7,
        moment,
        datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC),
    )
    assert item.received_until - item.received_from == timedelta(microseconds=1)
    assert (item.position_from, item.position_until, item.blocks) == (0, 2**31 - 1, (-(2**63), 2**32, 12))
