"""Adds rows to word_filters: the indexer's, and what a redrive adds."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date

from psycopg2.extensions import cursor
from psycopg2.extras import execute_values

from sluice.filters.model import Batch, WordFilter
from sluice.streams.model import StreamEntry

_INSERT = """
INSERT INTO word_filters (application_id, retention_class, received_from, received_until, position_from, position_until,
                          event_from, event_until, row_count, bit_count, filter, heap_id, first_block, block_count)
VALUES %s"""

_ENSURE = "SELECT ensure_filter_partition(%s::smallint, %s), heap_identity(%s::smallint, %s)"


def add_filters(open_cursor: cursor, filters: Sequence[WordFilter]) -> None:
    """Inserts filters, and the partitions that they need. Where they know blocks, the transaction has read these."""
    heap_ids: dict[tuple[int, date], int] = {}
    for day in sorted({_day(item) for item in filters}):
        open_cursor.execute(_ENSURE, (*day, *day))
        _, heap_ids[day] = open_cursor.fetchone() or (None, 0)
    values = [
        (
            *(item.application_id, item.retention_class, item.received_from, item.received_until),
            *(item.position_from, item.position_until, item.event_from, item.event_until, item.row_count),
            *(len(item.filter_bytes or b"") * 8, item.filter_bytes),
            *(heap_ids[_day(item)] if item.blocks[1] else 0, *item.blocks),
        )
        for item in filters
    ]
    if values:
        execute_values(open_cursor, _INSERT, values)


def _day(item: WordFilter) -> tuple[int, date]:
    return item.retention_class, item.received_from.astimezone(UTC).date()


def add_late_rows(open_cursor: cursor, entries: Iterable[StreamEntry]) -> None:
    """Filters that let everything through, for records that come to the log table after their entry may have been
    indexed: search reads these rows whatever it looks for."""
    by_batch: defaultdict[Batch, list[StreamEntry]] = defaultdict(list)
    for entry in entries:
        batch = Batch(entry.application_id, entry.retention_class, entry.received_at.astimezone(UTC), entry.batch_id)
        by_batch[batch].append(entry)
    add_filters(open_cursor, [_late(batch, group) for batch, group in by_batch.items()])


def _late(batch: Batch, entries: list[StreamEntry]) -> WordFilter:
    positions = [int(entry.lines.partition(b"\t")[0]) for entry in entries]
    return WordFilter(
        application_id=batch.application_id,
        retention_class=batch.retention_class,
        received_from=batch.received_at,
        received_until=batch.received_at,
        position_from=min(positions),
        position_until=max(positions),
        event_from=min(entry.event_from for entry in entries).isoformat(),
        event_until=max(entry.event_to for entry in entries).isoformat(),
        row_count=len(entries),
        filter_bytes=None,
    )
