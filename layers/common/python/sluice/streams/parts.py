"""Splitting a batch into the parts that become stream entries."""

import zlib
from collections.abc import Iterable, Iterator

from sluice.entries.model import Record
from sluice.entries.packing import pack_record
from sluice.streams.model import Part

PART_MAX_RECORDS = 1_000
PART_MAX_CHARACTERS = 1_000_000  # of messages and metadata
_COMPRESSION_LEVEL = 1  # the fastest: half the size of log text is enough, the processor is the bottleneck


def split_parts(records: Iterable[Record]) -> tuple[Part, ...]:
    """Parts of at most PART_MAX_RECORDS records and PART_MAX_CHARACTERS; a single larger record is a part of its own.

    Where a part ends depends on the client's words alone, not on the time of receipt: a repeated request must fall into
    the same parts.
    """
    return tuple(map(_part, _groups(records)))


def _part(group: list[Record]) -> Part:
    times = [record.event_at for record in group]
    lines = b"".join(map(pack_record, group))
    return Part(len(group), min(times), max(times), len(lines), zlib.compress(lines, _COMPRESSION_LEVEL))


def _groups(records: Iterable[Record]) -> Iterator[list[Record]]:
    group: list[Record] = []
    size = 0
    for record in records:
        characters = len(record.message) + len(record.metadata)
        if group and (len(group) == PART_MAX_RECORDS or size + characters > PART_MAX_CHARACTERS):
            yield group
            group, size = [], 0
        group.append(record)
        size += characters
    if group:
        yield group
