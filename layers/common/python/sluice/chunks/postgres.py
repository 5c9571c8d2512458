"""Stores chunks: ledger rows, log rows and dead letters in one transaction."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from psycopg2.extensions import cursor
from psycopg2.extras import execute_values

from sluice.chunks import rows
from sluice.chunks.breaker import is_circuit_open
from sluice.chunks.model import ChunkResult, DeadLettered, Settlement
from sluice.chunks.postgres_copy import copy_entries
from sluice.chunks.postgres_partitions import Partitions, widen_bounds
from sluice.chunks.rows import DeadRow, Row
from sluice.errors import ContractError, Poison
from sluice.retention.postgres import RetentionRules
from sluice.runtime.crash_points import crash_point
from sluice.runtime.postgres import Database
from sluice.streams.model import StreamEntry, UnreadableEntry
from sluice.templates.postgres_counts import add_counts

_CRASHED = "process_chunk died each time it worked on this entry, also on this entry alone"

_CLAIM_LEDGER = """
INSERT INTO ledger (batch_id, part, application_id, shard, retention_class, first_sequence, record_count, stored_count,
                    received_at, stream_id, body_hash, first_position, last_position, traceparent)
SELECT batch_id, part, application_id, shard, retention_class, first_sequence, record_count, record_count, received_at,
       stream_id, body_hash, first_position, last_position, traceparent
FROM unnest(%s::uuid[], %s::int[], %s::int[], %s::int[], %s::smallint[], %s::bigint[], %s::int[], %s::timestamptz[],
            %s::text[], %s::bytea[], %s::int[], %s::int[], %s::text[])
     AS entry (batch_id, part, application_id, shard, retention_class, first_sequence, record_count, received_at,
               stream_id, body_hash, first_position, last_position, traceparent)
ON CONFLICT (batch_id, part) DO NOTHING RETURNING shard, stream_id"""

_FIND_LEDGER = """
SELECT batch_id::text, part, shard, stream_id, body_hash FROM ledger
WHERE (batch_id, part) IN (SELECT * FROM unnest(%s::uuid[], %s::int[]))"""

_RECORD_DUPLICATE = """
INSERT INTO ledger_duplicates (shard, stream_id, batch_id, part, application_id, first_sequence, record_count,
                               duplicate_count, dead_lettered_count)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING 1"""

_DEAD_LETTER = """
INSERT INTO dead_letters (shard, stream_id, position, application_id, retention_class, batch_id, part, received_at,
                          reason, detail, queued, attempts)
VALUES %s ON CONFLICT (shard, stream_id, position) DO NOTHING"""

_COUNT_DEAD = """
UPDATE ledger SET stored_count = stored_count - dead.count, dead_lettered_count = dead_lettered_count + dead.count
FROM unnest(%s::uuid[], %s::int[], %s::int[]) AS dead (batch_id, part, count)
WHERE ledger.batch_id = dead.batch_id AND ledger.part = dead.part"""


class _CircuitOpenError(Exception):
    """Rolls the transaction back; ``held`` are the identities of the entries with failing records."""

    def __init__(self, held: set[tuple[int, str]]) -> None:
        super().__init__()
        self.held = held


class PostgresChunkStore:
    """See ChunkStore. One instance per execution environment: it remembers which partitions exist."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._partitions = Partitions()
        self._rules = RetentionRules()

    def store(
        self,
        entries: Sequence[StreamEntry | UnreadableEntry],
        *,
        attempts: int = 1,
        is_condemned: bool = False,
        is_forced: bool = False,
    ) -> Settlement:
        """See ChunkStore.store."""
        chunk = _Chunk(self._partitions, self._rules, attempts, is_condemned, is_forced)
        held: tuple[StreamEntry, ...] = ()
        try:
            result = self._commit(chunk, entries)
        except _CircuitOpenError as opened:
            held = tuple(
                entry for entry in entries if isinstance(entry, StreamEntry) and _identity(entry) in opened.held
            )
            result = self._commit(chunk, [entry for entry in entries if entry not in held])
        return Settlement(result, held, _counted(chunk.dead))

    def _commit(
        self, chunk: "_Chunk", entries: Sequence[StreamEntry | UnreadableEntry], *, is_retry: bool = False
    ) -> ChunkResult:
        """Settles entries in one transaction; one by one if an entry's own header is what the database refuses."""
        try:
            self._ensure_partitions([entry for entry in entries if isinstance(entry, StreamEntry)])
            attempt = replace(chunk, dead=[])
            with self._database.transaction() as open_cursor:
                result = attempt.settle(open_cursor, entries)
            chunk.dead.extend(attempt.dead)
            return result
        except ContractError:
            # Perhaps for want of a partition: late rows may come for a day that has left the log table meanwhile.
            self._partitions.forget()
            if is_retry:
                raise
            return self._commit(chunk, entries, is_retry=True)
        except Poison as poison:
            if len(entries) > 1:
                return sum((self._commit(chunk, [entry]) for entry in entries), ChunkResult())
            if not isinstance(entries[0], StreamEntry):
                raise
            refused = UnreadableEntry(entries[0].entry_id, entries[0].shard, entries[0].lines, str(poison))
            return self._commit(chunk, [refused])

    def _ensure_partitions(self, entries: Sequence[StreamEntry]) -> None:
        """Before the chunk's own transaction: the lock that creating one takes must not wait for a COPY."""
        if self._rules.are_due():
            with self._database.transaction() as open_cursor:
                self._rules.read(open_cursor)
        possible = [portion for entry in entries for portion in self._rules.possible(entry)]
        if self._partitions.lack(possible):
            with self._database.transaction() as open_cursor:
                self._partitions.ensure(open_cursor, possible)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The steps of one transaction."""

    partitions: Partitions
    rules: RetentionRules
    attempts: int
    is_condemned: bool
    is_forced: bool
    dead: list[DeadRow] = field(default_factory=list)  # what was dead-lettered

    def settle(self, open_cursor: cursor, entries: Sequence[StreamEntry | UnreadableEntry]) -> ChunkResult:
        """Stores, recognises or dead-letters every entry. Raises _CircuitOpenError."""
        result = self._bury(open_cursor, [entry for entry in entries if isinstance(entry, UnreadableEntry)])
        # In key order, so that chunks that share entries wait for each other instead of deadlocking.
        readable = sorted(
            (entry for entry in entries if isinstance(entry, StreamEntry)),
            key=lambda entry: (entry.batch_id, entry.part),
        )
        claimed = _claim_ledger(open_cursor, readable)
        if __debug__:
            crash_point("process_chunk.after_ledger")
        result += self._settle_conflicts(open_cursor, [entry for entry in readable if _identity(entry) not in claimed])
        result += self._insert(open_cursor, [entry for entry in readable if _identity(entry) in claimed])
        if __debug__:
            crash_point("process_chunk.before_commit")
        return result

    def _bury(self, open_cursor: cursor, entries: Sequence[UnreadableEntry]) -> ChunkResult:
        """Dead-letters entries as a whole; those whose header is readable are accounted for."""
        self._dead_letter(open_cursor, [rows.unreadable_row(entry) for entry in entries])
        headers = [entry.header for entry in entries if entry.header]
        claimed = _claim_ledger(open_cursor, headers)
        self._settle_conflicts(open_cursor, [header for header in headers if _identity(header) not in claimed])
        _count_dead(
            open_cursor,
            [header for header in headers if _identity(header) in claimed for _ in range(header.record_count)],
        )
        return ChunkResult(dead_lettered=sum(entry.header.record_count if entry.header else 1 for entry in entries))

    def _insert(self, open_cursor: cursor, entries: Sequence[StreamEntry]) -> ChunkResult:
        """Copies the records of entries that are new, and dead-letters those that the database can never take."""
        if not entries:
            return ChunkResult()
        portions = [portion for entry in entries for portion in self.rules.portions(entry)]
        if self.is_condemned:
            dead = [DeadRow(row, "crashed", _CRASHED) for portion in portions for row in rows.entry_rows(portion)]
        else:
            groups = self.partitions.group(portions)
            dead = [row for leaf, group in groups.items() for row in copy_entries(open_cursor, leaf, group)]
            self._check_circuit(portions, dead)
        if dead:
            self._dead_letter(open_cursor, dead)
            _count_dead(open_cursor, [row.source.entry for row in dead if isinstance(row.source, Row)])
        widen_bounds(open_cursor, portions)
        add_counts(open_cursor, portions, dead)
        if __debug__:
            crash_point("process_chunk.after_counts")
        total = sum(entry.record_count for entry in entries)
        return ChunkResult(stored=total - len(dead), dead_lettered=len(dead))

    def _check_circuit(self, entries: Sequence[StreamEntry], dead: Sequence[DeadRow]) -> None:
        held = [row.source.entry for row in dead if isinstance(row.source, Row)]
        records: Counter[int] = Counter()
        for entry in entries:
            records[entry.application_id] += entry.record_count
        if not self.is_forced and is_circuit_open(records, Counter(entry.application_id for entry in held)):
            raise _CircuitOpenError(set(map(_identity, held)))

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
            self.dead.extend(dead)
            execute_values(open_cursor, _DEAD_LETTER, [(*item.values(), self.attempts) for item in dead])


def _counted(dead: Iterable[DeadRow]) -> tuple[DeadLettered, ...]:
    counts = Counter((row.batch_id, row.reason) for row in dead)
    return tuple(DeadLettered(batch_id, reason, count) for (batch_id, reason), count in counts.items())


def _identity(entry: StreamEntry) -> tuple[int, str]:
    return entry.shard, entry.entry_id


def _claim_ledger(open_cursor: cursor, entries: Sequence[StreamEntry]) -> set[tuple[int, str]]:
    """Inserts the ledger rows that do not exist yet and returns the identities of their entries: the fresh ones."""
    if not entries:
        return set()
    ledger_rows = [
        (
            *(entry.batch_id.hex, entry.part, entry.application_id, entry.shard, entry.retention_class),
            *(entry.first_sequence, entry.record_count),
            *(entry.received_at, entry.entry_id, entry.body_hash, *rows.position_range(entry), entry.traceparent),
        )
        for entry in entries
    ]
    open_cursor.execute(_CLAIM_LEDGER, [list(column) for column in zip(*ledger_rows, strict=True)])
    return set(open_cursor.fetchall())


def _count_dead(open_cursor: cursor, entries: Sequence[StreamEntry]) -> None:
    """Moves one record of an entry from stored to dead-lettered for each time the entry is named."""
    counts = Counter((entry.batch_id.hex, entry.part) for entry in entries)
    if counts:
        batches, parts = zip(*counts, strict=True)
        open_cursor.execute(_COUNT_DEAD, (list(batches), list(parts), list(counts.values())))
