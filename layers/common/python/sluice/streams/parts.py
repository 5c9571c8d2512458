"""Splitting a batch into the parts that become stream entries."""

import zlib
from collections.abc import Iterable, Iterator

from sluice.entries.model import Record
from sluice.entries.packing import pack_record
from sluice.streams.model import Part

PART_MAX_RECORDS = 1_000
PART_MAX_BYTES = 1_048_576  # of packed lines before compression
_COMPRESSION_LEVEL = 1  # the fastest: half the size of log text is enough, the processor is the bottleneck


def split_parts(records: Iterable[Record]) -> tuple[Part, ...]:
    """Parts of at most PART_MAX_RECORDS records and PART_MAX_BYTES; a single larger record is a part of its own."""
    return tuple(_part(group) for group in _groups((record, pack_record(record)) for record in records))


def _part(group: list[tuple[Record, bytes]]) -> Part:
    times = [record.event_at for record, _ in group]
    packed = zlib.compress(b"".join(line for _, line in group), _COMPRESSION_LEVEL)
    return Part(len(group), min(times), max(times), packed)


def _groups(packed: Iterable[tuple[Record, bytes]]) -> Iterator[list[tuple[Record, bytes]]]:
    group: list[tuple[Record, bytes]] = []
    size = 0
    for record, line in packed:
        if group and (len(group) == PART_MAX_RECORDS or size + len(line) > PART_MAX_BYTES):
            yield group
            group, size = [], 0
        group.append((record, line))
        size += len(line)
    if group:
        yield group
