"""Stores chunks: ledger rows, log rows and dead letters in one transaction."""

import io
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date

from psycopg2.extensions import cursor
from psycopg2.extras import execute_values

from sluice.chunks import rows
from sluice.chunks.model import ChunkResult
from sluice.chunks.rows import DeadRow, Row
from sluice.errors import Poison
from sluice.runtime.postgres import Database, savepoint
from sluice.streams.model import StreamEntry, UnreadableEntry

_Leaf = tuple[int, date]  # retention class, day of receipt (UTC)

_CLAIM_LEDGER = """
INSERT INTO ledger (batch_id, part, application_id, shard, retention_class, first_sequence, record_count, stored_count,
                    received_at, stream_id, body_hash)
VALUES %s ON CONFLICT (batch_id, part) DO NOTHING RETURNING shard, stream_id"""

_FIND_LEDGER = """
SELECT batch_id::text, part, shard, stream_id, body_hash FROM ledger
WHERE (batch_id, part) IN (SELECT * FROM unnest(%s::uuid[], %s::int[]))"""

_RECORD_DUPLICATE = """
INSERT INTO ledger_duplicates (shard, stream_id, batch_id, part, application_id, first_sequence, record_count,
                               duplicate_count, dead_lettered_count)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING 1"""

_DEAD_LETTER = """
INSERT INTO dead_letters (shard, stream_id, position, application_id, batch_id, part, received_at,
                          reason, detail, queued)
VALUES %s ON CONFLICT (shard, stream_id, position) DO NOTHING"""

_COUNT_DEAD = """
UPDATE ledger SET stored_count = stored_count - dead.count, dead_lettered_count = dead_lettered_count + dead.count
FROM unnest(%s::uuid[], %s::int[], %s::int[]) AS dead (batch_id, part, count)
WHERE ledger.batch_id = dead.batch_id AND ledger.part = dead.part"""

# Widening only where it is needed keeps parallel chunks of one application from queueing for one row.
_WIDEN_BOUNDS = """
INSERT INTO event_time_bounds (retention_class, day, application_id, event_from, event_until)
SELECT class, day, application_id, date_trunc('hour', event_from), date_trunc('hour', event_to) + interval '1 hour'
FROM unnest(%s::smallint[], %s::date[], %s::int[], %s::timestamptz[], %s::timestamptz[])
     AS seen (class, day, application_id, event_from, event_to)
WHERE NOT EXISTS (SELECT FROM event_time_bounds AS known
                  WHERE known.application_id = seen.application_id AND known.retention_class = class
                    AND known.day = seen.day AND known.event_from <= seen.event_from
                    AND known.event_until > seen.event_to)
ON CONFLICT (application_id, retention_class, day) DO UPDATE
SET event_from = least(event_time_bounds.event_from, excluded.event_from),
    event_until = greatest(event_time_bounds.event_until, excluded.event_until)"""


class PostgresChunkStore:
    """See ChunkStore. One instance per execution environment: it remembers which partitions exist."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._leaf_names: dict[_Leaf, str] = {}

    def store(self, entries: Sequence[StreamEntry | UnreadableEntry]) -> ChunkResult:
        """See ChunkStore.store."""
        # In key order, so that chunks that share entries wait for each other instead of deadlocking.
        readable = sorted(
            (entry for entry in entries if isinstance(entry, StreamEntry)),
            key=lambda entry: (entry.batch_id, entry.part),
        )
        unreadable = [entry for entry in entries if isinstance(entry, UnreadableEntry)]
        self._ensure_leaves({_leaf_of(entry) for entry in readable})
        with self._database.transaction() as open_cursor:
            _dead_letter(open_cursor, [rows.unreadable_row(entry) for entry in unreadable])
            fresh = _claim_ledger(open_cursor, readable)
            result = _settle_conflicts(open_cursor, [entry for entry in readable if _identity(entry) not in fresh])
            result += self._copy(open_cursor, [entry for entry in readable if _identity(entry) in fresh])
        return result + ChunkResult(dead_lettered=len(unreadable))

    def _ensure_leaves(self, leaves: set[_Leaf]) -> None:
        missing = leaves - self._leaf_names.keys()
        for retention_class, day in missing:
            with self._database.transaction() as open_cursor:
                open_cursor.execute("SELECT ensure_partition(%s::smallint, %s)", (retention_class, day))
                (self._leaf_names[retention_class, day],) = open_cursor.fetchone() or ("",)

    def _copy(self, open_cursor: cursor, entries: Sequence[StreamEntry]) -> ChunkResult:
        by_leaf: defaultdict[_Leaf, list[StreamEntry]] = defaultdict(list)
        for entry in entries:
            by_leaf[_leaf_of(entry)].append(entry)
        dead: list[DeadRow] = []
        for leaf, leaf_entries in by_leaf.items():
            dead += _copy_leaf(open_cursor, self._leaf_names[leaf], leaf_entries)
        if dead:
            _dead_letter(open_cursor, dead)
            _count_dead(open_cursor, dead)
        if entries:
            _widen_bounds(open_cursor, by_leaf)
        total = sum(entry.record_count for entry in entries)
        return ChunkResult(stored=total - len(dead), dead_lettered=len(dead))


def _leaf_of(entry: StreamEntry) -> _Leaf:
    return entry.retention_class, entry.received_at.astimezone(UTC).date()


def _identity(entry: StreamEntry) -> tuple[int, str]:
    return entry.shard, entry.entry_id


def _claim_ledger(open_cursor: cursor, entries: Sequence[StreamEntry]) -> set[tuple[int, str]]:
    """Inserts the ledger rows that do not exist yet and returns the identities of their entries: the fresh ones."""
    if not entries:
        return set()
    ledger_rows = [
        (
            *(entry.batch_id.hex, entry.part, entry.application_id, entry.shard, entry.retention_class),
            *(entry.first_sequence, entry.record_count, entry.record_count),
            *(entry.received_at, entry.entry_id, entry.body_hash),
        )
        for entry in entries
    ]
    claimed = execute_values(open_cursor, _CLAIM_LEDGER, ledger_rows, page_size=len(ledger_rows), fetch=True)
    return set(claimed)


def _settle_conflicts(open_cursor: cursor, entries: Sequence[StreamEntry]) -> ChunkResult:
    """Entries whose ledger key was taken: redelivered, a client's duplicate, or another body under the same key."""
    if not entries:
        return ChunkResult()
    open_cursor.execute(_FIND_LEDGER, ([entry.batch_id.hex for entry in entries], [entry.part for entry in entries]))
    known = {(batch.replace("-", ""), part): rest for batch, part, *rest in open_cursor.fetchall()}
    result = ChunkResult()
    for entry in entries:
        shard, stream_id, body_hash = known[entry.batch_id.hex, entry.part]
        if (shard, stream_id) == _identity(entry):
            result += ChunkResult(redelivered=entry.record_count)
        else:
            result += _settle_duplicate(open_cursor, entry, is_same_body=bytes(body_hash) == entry.body_hash)
    return result


def _settle_duplicate(open_cursor: cursor, entry: StreamEntry, *, is_same_body: bool) -> ChunkResult:
    duplicate, dead = (entry.record_count, 0) if is_same_body else (0, entry.record_count)
    open_cursor.execute(
        _RECORD_DUPLICATE,
        (
            *(entry.shard, entry.entry_id, entry.batch_id.hex, entry.part, entry.application_id),
            *(entry.first_sequence, entry.record_count, duplicate, dead),
        ),
    )
    if open_cursor.fetchone() is None:  # counted by an earlier run
        return ChunkResult(redelivered=entry.record_count)
    if dead:
        detail = "another body was stored under this batch id"
        _dead_letter(open_cursor, [DeadRow(row, "batch_id_reused", detail) for row in rows.entry_rows(entry)])
    return ChunkResult(duplicate=duplicate, dead_lettered=dead)


def _copy_leaf(open_cursor: cursor, leaf: str, entries: Sequence[StreamEntry]) -> list[DeadRow]:
    """Copies all records of ``entries``; those that the database can never take come back instead."""
    try:
        _copy_text(open_cursor, leaf, b"".join(map(rows.entry_text, entries)))
        return []
    except Poison:
        return _bisect(open_cursor, leaf, [row for entry in entries for row in rows.entry_rows(entry)])


def _bisect(open_cursor: cursor, leaf: str, suspects: Sequence[Row]) -> list[DeadRow]:
    try:
        _copy_text(open_cursor, leaf, b"".join(row.text for row in suspects))
        return []
    except Poison as poison:
        if len(suspects) == 1:
            return [DeadRow(suspects[0], poison.code, poison.detail)]
        middle = len(suspects) // 2
        return _bisect(open_cursor, leaf, suspects[:middle]) + _bisect(open_cursor, leaf, suspects[middle:])


def _copy_text(open_cursor: cursor, leaf: str, text: bytes) -> None:
    with savepoint(open_cursor):
        open_cursor.copy_expert(f"COPY {leaf} ({', '.join(rows.COLUMNS)}) FROM STDIN", io.BytesIO(text))


def _dead_letter(open_cursor: cursor, dead: Sequence[DeadRow]) -> None:
    if dead:
        execute_values(open_cursor, _DEAD_LETTER, [item.values() for item in dead])


def _count_dead(open_cursor: cursor, dead: Sequence[DeadRow]) -> None:
    counts: defaultdict[tuple[str, int], int] = defaultdict(int)
    for item in dead:
        if isinstance(item.source, Row):
            counts[item.source.entry.batch_id.hex, item.source.entry.part] += 1
    batches, parts = zip(*counts, strict=True)
    open_cursor.execute(_COUNT_DEAD, (list(batches), list(parts), list(counts.values())))


def _widen_bounds(open_cursor: cursor, by_leaf: dict[_Leaf, list[StreamEntry]]) -> None:
    seen: dict[tuple[int, date, int], list[StreamEntry]] = defaultdict(list)
    for leaf, entries in by_leaf.items():
        for entry in entries:
            seen[*leaf, entry.application_id].append(entry)
    keys = sorted(seen)
    open_cursor.execute(
        _WIDEN_BOUNDS,
        (
            *map(list, zip(*keys, strict=True)),
            [min(entry.event_from for entry in seen[key]) for key in keys],
            [max(entry.event_to for entry in seen[key]) for key in keys],
        ),
    )
