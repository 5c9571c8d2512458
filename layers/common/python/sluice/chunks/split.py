"""Grouping claimed entries into chunks."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from sluice.chunks.model import Chunk
from sluice.streams.model import ClaimedEntry

# After a death its chunk is divided, after a second one its entries run alone: that bounds how long the innocent wait.
DIVISOR = 32
ALONE_FROM = 3  # deliveries
CONDEMNED_FROM = 4  # deliveries: three deaths, the last of them alone


def split_chunks(shard: int, entries: Iterable[ClaimedEntry], *, max_records: int, max_bytes: int) -> Iterator[Chunk]:
    """Chunks of whole entries of equal deliveries, fewest first, of at most ``max_records`` and ``max_bytes`` of lines.

    Entries delivered twice go into chunks of a DIVISOR-th of that, those delivered more often one by one. An entry over
    a limit is a chunk of its own; an unreadable one counts as one record.
    """
    by_deliveries = sorted(entries, key=_deliveries)
    for deliveries, group in groupby(by_deliveries, key=_deliveries):
        share = 1 if deliveries == 1 else DIVISOR if deliveries < ALONE_FROM else max_records + max_bytes
        for chunk in _fill(group, max_records // share, max_bytes // share):
            yield Chunk(shard, tuple(chunk))


def is_condemnable(chunk: Chunk) -> bool:
    """Whether one more death, when others live, proves that the entry itself kills."""
    return chunk.attempts >= CONDEMNED_FROM and len(chunk.entries) == 1


def _deliveries(entry: ClaimedEntry) -> int:
    return min(entry.deliveries, CONDEMNED_FROM)


def _fill(entries: Iterable[ClaimedEntry], max_records: int, max_bytes: int) -> Iterator[list[ClaimedEntry]]:
    chunk: list[ClaimedEntry] = []
    records = size = 0
    for entry in entries:
        if chunk and (records + entry.record_count > max_records or size + entry.line_bytes > max_bytes):
            yield chunk
            chunk, records, size = [], 0, 0
        chunk.append(entry)
        records += entry.record_count
        size += entry.line_bytes
    if chunk:
        yield chunk
