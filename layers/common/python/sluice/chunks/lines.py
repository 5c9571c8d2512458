"""What a chunk leaves in the log, so that a batch can be followed: ids and counts, nothing of the records. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import batched
from typing import Any

from sluice.chunks.model import ChunkResult, ChunkTask, DeadLettered
from sluice.streams.model import StreamEntry, UnreadableEntry

ENTRIES_A_LINE = 1_000  # a line of CloudWatch's may take 256 KB
_MAX_DEAD = 100


def stored_lines(
    task: ChunkTask, entries: Sequence[StreamEntry | UnreadableEntry], result: ChunkResult
) -> Iterator[dict[str, Any]]:
    """A line with the counts and the batches of the first entries; more lines with further batches."""
    about: dict[str, Any] = {"shard": task.shard, "entries": len(task.entry_ids), "drain_id": task.drain_id}
    about |= result.to_answer()
    readable = [entry for entry in entries if isinstance(entry, StreamEntry)]
    yield about | _ids(readable[:ENTRIES_A_LINE])
    for page in batched(readable[ENTRIES_A_LINE:], ENTRIES_A_LINE, strict=False):
        yield {"shard": task.shard} | _ids(page)


def about(entries: Iterable[StreamEntry | UnreadableEntry]) -> dict[str, Any]:
    """Whose entries a line is about, the first ENTRIES_A_LINE."""
    return _ids([entry for entry in entries if isinstance(entry, StreamEntry)][:ENTRIES_A_LINE])


def dead_line(dead: Sequence[DeadLettered], entries: Iterable[StreamEntry | UnreadableEntry] = ()) -> dict[str, Any]:
    """How many records of which batch were dead-lettered, and why; empty if none. ``entries``: of the chunk."""
    found = [{"batch_id": item.batch_id, "reason": item.reason, "records": item.count} for item in dead]
    if not found:
        return {}
    batches = {item.batch_id for item in dead}
    owners = [entry for entry in entries if isinstance(entry, StreamEntry) and entry.batch_id.hex in batches]
    counted = {"dead_lettered": sum(item.count for item in dead), "batches": found[:_MAX_DEAD]}
    return counted | ({"application_ids": sorted({entry.application_id for entry in owners})} if owners else {})


def _ids(entries: Iterable[StreamEntry]) -> dict[str, list[Any]]:
    entries = list(entries)
    ids: dict[str, list[Any]] = {
        "application_ids": [entry.application_id for entry in entries],
        "batch_ids": [entry.batch_id.hex for entry in entries],
        "traceparents": [entry.traceparent for entry in entries if entry.traceparent],
    }
    return {name: list(dict.fromkeys(values)) for name, values in ids.items() if values}
