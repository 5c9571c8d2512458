"""Slabs: the bits of many word filters of one size, transposed, and what each filter stands for. Pure.

A slab has a slice of SLICE_BYTES for each bit of a filter, in which each filter has a bit. So a search reads of all
filters only the slices of the bits that its words set (bit-sliced signatures: Faloutsos and Christodoulakis, 1984).
Bit i of filters of n bytes is slice i % 8 * n + i // 8; in it, filter j has bit j % 8 of byte j // 8, highest first.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import and_

from sluice.search.ranges import Blocks, RowRange

MEMBERS = 256  # filters of a slab
SLICE_BYTES = MEMBERS // 8
_EPOCH, _MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)  # of Postgres's binary times
_MEMBER = struct.Struct("!qqqqiiqqi")  # as Postgres sends the columns of MEMBER_SQL
MEMBER_BYTES = _MEMBER.size
MEMBER_SQL = " || ".join(
    [f"timestamptz_send({name})" for name in ("received_from", "received_until", "event_from", "event_until")]
    + ["int4send(position_from)", "int4send(position_until)"]
    + ["int8send(heap_id)", "int8send(first_block)", "int4send(block_count)"]
)
_DIGITS = [bytes(48 + (byte >> bit & 1) for byte in range(256)) for bit in range(8)]  # b"0" or b"1" for each byte


def make_slab(filters: bytes, size: int) -> bytes:
    """The slab of at most MEMBERS filters of ``size`` bytes each, which stand one behind the other."""
    filters = filters.ljust(MEMBERS * size, b"\0")
    columns = b"".join(filters[number::size] for number in range(size))
    return b"".join(int(columns.translate(digits), 2).to_bytes(size * SLICE_BYTES, "big") for digits in _DIGITS)


def opened(slab: bytes, numbers: Iterable[int]) -> bytes:
    """The slab with all bits of these filters set: they let everything through, and say nothing of words any more."""
    bits = sum(_bit(number) for number in set(numbers)).to_bytes(SLICE_BYTES, "big")
    every = int.from_bytes(bits * (len(slab) // SLICE_BYTES), "big")
    return (int.from_bytes(slab, "big") | every).to_bytes(len(slab), "big")


def matching(tests: Sequence[Sequence[bytes]], count: int) -> list[int]:
    """The numbers of those of the first ``count`` filters, the last one first, that may match: of each test they hold
    one of the tokens, each of which is told by its slices, one behind the other."""
    found = (1 << MEMBERS) - 1
    for tokens in tests:
        either = 0
        for slices in tokens:
            parts = [int.from_bytes(slices[at : at + SLICE_BYTES], "big") for at in range(0, len(slices), SLICE_BYTES)]
            either |= reduce(and_, parts)
        found &= either
    return list(_numbers(found >> MEMBERS - count << MEMBERS - count))


def ranges(members: bytes, application_id: int) -> Iterator[RowRange]:
    """What the members stand for, in order."""
    for first, last, event_from, event_until, position_from, position_until, *blocks in _MEMBER.iter_unpack(members):
        received_from = _time(first)
        yield RowRange(
            application_id,
            received_from,
            received_from if last == first else _time(last),
            position_from,
            position_until,
            _time(event_from),
            _time(event_until),
            Blocks(*blocks),
        )


def _numbers(bits: int) -> Iterator[int]:
    """The filters whose bits are set, the last one first."""
    while bits:
        last = bits & -bits
        yield MEMBERS - last.bit_length()
        bits ^= last


def _bit(number: int) -> int:
    return 1 << (MEMBERS - 1 - number)


def _time(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND
