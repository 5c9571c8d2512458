"""Grouping claimed entries into chunks."""

from collections.abc import Iterable, Iterator

from sluice.chunks.model import Chunk
from sluice.streams.model import ClaimedEntry

SHARED_DELIVERIES = 3  # after so many deaths an entry runs alone
LAST_DELIVERY = SHARED_DELIVERIES + 1  # after one more it is condemned


def split_chunks(shard: int, entries: Iterable[ClaimedEntry], *, max_records: int, max_bytes: int) -> Iterator[Chunk]:
    """Chunks of whole entries, in order, of at most ``max_records`` and ``max_bytes`` (packed) each.

    An entry over a limit, or delivered more than SHARED_DELIVERIES times, is a chunk of its own. An unreadable entry
    counts as one record.
    """
    chunk: list[ClaimedEntry] = []
    records = size = 0
    for entry in entries:
        if entry.deliveries > SHARED_DELIVERIES:
            yield Chunk(shard, (entry,))
            continue
        if chunk and (records + entry.record_count > max_records or size + entry.size_bytes > max_bytes):
            yield Chunk(shard, tuple(chunk))
            chunk, records, size = [], 0, 0
        chunk.append(entry)
        records += entry.record_count
        size += entry.size_bytes
    if chunk:
        yield Chunk(shard, tuple(chunk))


def is_condemned(chunk: Chunk) -> bool:
    """Whether the chunk's entry has killed every run, the one that it had to itself included."""
    return chunk.attempts > LAST_DELIVERY
