"""Splitting a batch into the parts that become stream entries."""

from collections.abc import Iterator, Sequence

from backports import zstd

from sluice.entries.packing import PackedBatch
from sluice.streams.model import Part

PART_MAX_RECORDS = 1_000
PART_MAX_CHARACTERS = 1_000_000  # of messages and metadata
# The processor is the bottleneck. Kept, since making one takes longer than compressing a single log.
_COMPRESSOR = zstd.ZstdCompressor(level=1)


def split_parts(batch: PackedBatch) -> tuple[Part, ...]:
    """Parts of at most PART_MAX_RECORDS records and PART_MAX_CHARACTERS; a single larger record is a part of its own.

    Where a part ends depends on the client's words alone, not on the time of receipt: a repeated request must fall into
    the same parts.
    """
    return tuple(_part(batch, span) for span in _spans(batch.characters))


def compress(lines: bytes) -> bytes:
    """As in entries of this version."""
    return _COMPRESSOR.compress(lines, _COMPRESSOR.FLUSH_FRAME)


def _part(batch: PackedBatch, span: slice) -> Part:
    times = batch.event_times[span]
    lines = f"{'\n'.join(batch.lines[span])}\n".encode()
    return Part(len(times), min(times), max(times), len(lines), compress(lines))


def _spans(characters: Sequence[int]) -> Iterator[slice]:
    if 0 < len(characters) <= PART_MAX_RECORDS and sum(characters) <= PART_MAX_CHARACTERS:
        yield slice(0, len(characters))
        return
    start = size = 0
    for position, count in enumerate(characters):
        if position > start and (position - start == PART_MAX_RECORDS or size + count > PART_MAX_CHARACTERS):
            yield slice(start, position)
            start, size = position, 0
        size += count
    if characters:
        yield slice(start, len(characters))
