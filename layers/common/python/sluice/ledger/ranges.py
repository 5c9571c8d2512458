"""Sets of accepted sequence numbers as sorted, disjoint, half-open ranges."""

from collections.abc import Iterable, Iterator
from itertools import islice

Ranges = tuple[tuple[int, int], ...]


def merge_ranges(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The union of ``ranges``, overlapping and touching ones joined.

    >>> merge_ranges([(4, 6), (1, 3), (3, 4)])
    ((1, 6),)
    """
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def subtract_ranges(ranges: Ranges, removed: Ranges) -> Ranges:
    """The numbers in ``ranges`` that are not in ``removed``; both as ``merge_ranges`` returns them.

    >>> subtract_ranges(((1, 10),), ((3, 5), (9, 20)))
    ((1, 3), (5, 9))
    """
    left: list[tuple[int, int]] = []
    index = 0
    for start, end in ranges:
        while index < len(removed) and removed[index][1] <= start:
            index += 1
        left += _gaps(start, end, islice(removed, index, None))
    return tuple(left)


def _gaps(start: int, end: int, removed: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for removed_start, removed_end in removed:
        if removed_start >= end:
            break
        if start < removed_start:
            yield start, removed_start
        start = max(start, removed_end)
    if start < end:
        yield start, end


def count_ranges(ranges: Ranges) -> int:
    """How many numbers the ranges hold."""
    return sum(end - start for start, end in ranges)
