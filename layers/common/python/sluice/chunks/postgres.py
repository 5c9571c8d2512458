"""Stores chunks: ledger rows, log rows and dead letters in one transaction."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date

from psycopg2.extensions import cursor
from psycopg2.extras import execute_values

from sluice.chunks import rows
from sluice.chunks.breaker import is_circuit_open
from sluice.chunks.model import ChunkResult, Settlement
from sluice.chunks.postgres_copy import copy_entries
from sluice.chunks.rows import DeadRow, Row
from sluice.runtime.crash_points import crash_point
from sluice.runtime.postgres import Database
from sluice.streams.model import StreamEntry, UnreadableEntry

_Leaf = tuple[int, date]  # retention class, day of receipt (UTC)
_CRASHED = "process_chunk died each time it worked on this entry, also on this entry alone"

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
                          reason, detail, queued, attempts)
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


class _CircuitOpenError(Exception):
    """Rolls the transaction back; ``held`` are the entries with failing records."""

    def __init__(self, held: tuple[StreamEntry, ...]) -> None:
        super().__init__()
        self.held = held


class PostgresChunkStore:
    """See ChunkStore. One instance per execution environment: it remembers which partitions exist."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._leaf_names: dict[_Leaf, str] = {}

    def store(
        self,
        entries: Sequence[StreamEntry | UnreadableEntry],
        *,
        attempts: int = 1,
        is_condemned: bool = False,
        is_forced: bool = False,
    ) -> Settlement:
        """See ChunkStore.store."""
        readable = [entry for entry in entries if isinstance(entry, StreamEntry)]
        self._ensure_leaves({_leaf_of(entry) for entry in readable})
        chunk = _Chunk(self._leaf_names, attempts, is_condemned, is_forced)
        try:
            with self._database.transaction() as open_cursor:
                return Settlement(chunk.settle(open_cursor, entries))
        except _CircuitOpenError as opened:
            rest = [entry for entry in entries if entry not in opened.held]
            with self._database.transaction() as open_cursor:
                return Settlement(chunk.settle(open_cursor, rest), opened.held)

    def _ensure_leaves(self, leaves: set[_Leaf]) -> None:
        for retention_class, day in leaves - self._leaf_names.keys():
            with self._database.transaction() as open_cursor:
                open_cursor.execute("SELECT ensure_partition(%s::smallint, %s)", (retention_class, day))
                (self._leaf_names[retention_class, day],) = open_cursor.fetchone() or ("",)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The steps of one transaction."""

    leaf_names: Mapping[_Leaf, str]
    attempts: int
    is_condemned: bool
    is_forced: bool

    def settle(self, open_cursor: cursor, entries: Sequence[StreamEntry | UnreadableEntry]) -> ChunkResult:
        """Stores, recognises or dead-letters every entry. Raises _CircuitOpenError."""
        unreadable = [rows.unreadable_row(entry) for entry in entries if isinstance(entry, UnreadableEntry)]
        self._dead_letter(open_cursor, unreadable)
        # In key order, so that chunks that share entries wait for each other instead of deadlocking.
        readable = sorted(
            (entry for entry in entries if isinstance(entry, StreamEntry)),
            key=lambda entry: (entry.batch_id, entry.part),
        )
        claimed = _claim_ledger(open_cursor, readable)
        if __debug__:
            crash_point("process_chunk.after_ledger")
        result = self._settle_conflicts(open_cursor, [entry for entry in readable if _identity(entry) not in claimed])
        result += self._insert(open_cursor, [entry for entry in readable if _identity(entry) in claimed])
        if __debug__:
            crash_point("process_chunk.before_commit")
        return result + ChunkResult(dead_lettered=len(unreadable))

    def _insert(self, open_cursor: cursor, entries: Sequence[StreamEntry]) -> ChunkResult:
        """Copies the records of entries that are new, and dead-letters those that the database can never take."""
        if not entries:
            return ChunkResult()
        by_leaf: defaultdict[_Leaf, list[StreamEntry]] = defaultdict(list)
        for entry in entries:
            by_leaf[_leaf_of(entry)].append(entry)
        if self.is_condemned:
            dead = [DeadRow(row, "crashed", _CRASHED) for entry in entries for row in rows.entry_rows(entry)]
        else:
            dead = [
                row
                for leaf, group in by_leaf.items()
                for row in copy_entries(open_cursor, self.leaf_names[leaf], group)
            ]
            self._check_circuit(entries, dead)
        if dead:
            self._dead_letter(open_cursor, dead)
            _count_dead(open_cursor, dead)
        _widen_bounds(open_cursor, by_leaf)
        total = sum(entry.record_count for entry in entries)
        return ChunkResult(stored=total - len(dead), dead_lettered=len(dead))

    def _check_circuit(self, entries: Sequence[StreamEntry], dead: Sequence[DeadRow]) -> None:
        held = [row.source.entry for row in dead if isinstance(row.source, Row)]
        records: Counter[int] = Counter()
        for entry in entries:
            records[entry.application_id] += entry.record_count
        if not self.is_forced and is_circuit_open(records, Counter(entry.application_id for entry in held)):
            raise _CircuitOpenError(tuple({_identity(entry): entry for entry in held}.values()))

    def _settle_conflicts(self, open_cursor: cursor, entries: Sequence[StreamEntry]) -> ChunkResult:
        """Entries whose ledger key was taken: redelivered, a client's duplicate, or another body under the same key."""
        if not entries:
            return ChunkResult()
        open_cursor.execute(
            _FIND_LEDGER, ([entry.batch_id.hex for entry in entries], [entry.part for entry in entries])
        )
        known = {(batch.replace("-", ""), part): rest for batch, part, *rest in open_cursor.fetchall()}
        result = ChunkResult()
        for entry in entries:
            shard, stream_id, body_hash = known[entry.batch_id.hex, entry.part]
            if (shard, stream_id) == _identity(entry):
                result += ChunkResult(redelivered=entry.record_count)
            else:
                result += self._settle_duplicate(open_cursor, entry, is_same_body=bytes(body_hash) == entry.body_hash)
        return result

    def _settle_duplicate(self, open_cursor: cursor, entry: StreamEntry, *, is_same_body: bool) -> ChunkResult:
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
            self._dead_letter(open_cursor, [DeadRow(row, "batch_id_reused", detail) for row in rows.entry_rows(entry)])
        return ChunkResult(duplicate=duplicate, dead_lettered=dead)

    def _dead_letter(self, open_cursor: cursor, dead: Sequence[DeadRow]) -> None:
        if dead:
            execute_values(open_cursor, _DEAD_LETTER, [(*item.values(), self.attempts) for item in dead])


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
