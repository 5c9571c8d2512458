"""Grouping claimed entries into chunks."""

from collections.abc import Iterable, Iterator

from sluice.streams.model import ClaimedEntry


def split_chunks(
    entries: Iterable[ClaimedEntry], *, max_records: int, max_bytes: int
) -> Iterator[tuple[ClaimedEntry, ...]]:
    """Chunks of whole entries, in order, of at most ``max_records`` and ``max_bytes`` (packed) each; an entry over a
    limit is a chunk of its own. An unreadable entry counts as one record."""
    chunk: list[ClaimedEntry] = []
    records = size = 0
    for entry in entries:
        if chunk and (records + entry.record_count > max_records or size + entry.size_bytes > max_bytes):
            yield tuple(chunk)
            chunk, records, size = [], 0, 0
        chunk.append(entry)
        records += entry.record_count
        size += entry.size_bytes
    if chunk:
        yield tuple(chunk)
