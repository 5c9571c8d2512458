"""Dead letters in Postgres, for their administrator."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from itertools import accumulate
from typing import Any
from uuid import UUID

from psycopg2.extensions import cursor
from psycopg2.extras import execute_values

from sluice.chunks.postgres_copy import copy_entries
from sluice.chunks.postgres_partitions import Partitions, widen_bounds
from sluice.chunks.rows import Row, position_range
from sluice.deadletters.model import Redrive, Selection, Status
from sluice.deadletters.repair import repair_record
from sluice.entries.packing import pack_record
from sluice.errors import ContractError, RejectedInput
from sluice.filters.postgres_rows import add_late_rows
from sluice.runtime.crash_points import crash_point
from sluice.runtime.postgres import Database
from sluice.streams.model import StreamEntry
from sluice.templates.clusters import unmined_clusters
from sluice.templates.postgres_counts import add_counts

_BATCH, _BATCH_BYTES = 500, 8_388_608  # of one transaction: what is read of a letter takes several times its bytes
_REUSED = "batch_id_reused"
_FROM = "FROM dead_letters LEFT JOIN applications USING (application_id)"
_COLUMNS = """
    dead_letter_id AS id, applications.name AS application, reason, detail, attempts, dead_letters.status,
    replace(batch_id::text, '-', '') AS batch_id, position, received_at, dead_lettered_at"""

_LOCK = f"""
SELECT dead_letter_id, octet_length(queued) {_FROM}
WHERE {{conditions}} AND dead_letter_id > %s ORDER BY dead_letter_id LIMIT {_BATCH}
FOR UPDATE OF dead_letters SKIP LOCKED"""

_READ = """
SELECT dead_letter_id, shard, stream_id, application_id, retention_class, batch_id::text, part, received_at, reason,
       queued
FROM dead_letters WHERE dead_letter_id = ANY (%s) ORDER BY dead_letter_id"""

# For who follows the order of storing: these records come later than the rest of their entry.
_ADD_LATE = """
INSERT INTO late_records (batch_id, part, position, application_id, retention_class, received_at)
VALUES %s ON CONFLICT DO NOTHING"""

_RECOUNT = """
UPDATE {ledger} AS ledger
SET stored_count = stored_count + moved.count, dead_lettered_count = dead_lettered_count - moved.count
FROM (SELECT batch_id, part, shard, stream_id, count(*) AS count FROM dead_letters
      WHERE dead_letter_id = ANY (%s) AND (reason = %s) = {is_reused} GROUP BY 1, 2, 3, 4) AS moved
WHERE ledger.batch_id = moved.batch_id AND ledger.part = moved.part
  AND ledger.shard = moved.shard AND ledger.stream_id = moved.stream_id"""


class PostgresDeadLetters:
    """Lists, drops and redrives. Rows are dicts ready for JSON, but for datetimes. Methods raise Unavailable."""

    def __init__(self, database: Database, *, templates: bool = False) -> None:
        self._database, self._templates = database, templates
        self._partitions = Partitions()

    def find(self, selection: Selection, *, limit: int, before: int | None) -> list[dict[str, Any]]:
        """The newest first, at most ``limit``, with ids below ``before``."""
        conditions, values = _conditions(selection)
        page = "dead_letter_id < %s ORDER BY dead_letter_id DESC LIMIT %s"
        sql = f"SELECT {_COLUMNS} {_FROM} WHERE {conditions} AND {page}"
        return self._rows(sql, [*values, before if before is not None else 2**62, limit])

    def show(self, dead_letter_id: int) -> dict[str, Any]:
        """One dead letter with its queued bytes as text. Raises RejectedInput ``unknown_dead_letter``."""
        rows = self._rows(f"SELECT {_COLUMNS}, queued {_FROM} WHERE dead_letter_id = %s", [dead_letter_id])
        if not rows:
            raise RejectedInput("unknown_dead_letter", f"there is no dead letter {dead_letter_id}", status=404)
        return rows[0] | {"queued": bytes(rows[0]["queued"]).decode("utf-8", "backslashreplace")}

    def drop(self, selection: Selection) -> int:
        """Closes open dead letters for good; their rows stay. Returns how many."""
        conditions, values = _conditions(replace(selection, status=Status.OPEN))
        ids = f"SELECT dead_letter_id {_FROM} WHERE {conditions} FOR UPDATE OF dead_letters"
        update = f"UPDATE dead_letters SET status = 'dropped' WHERE dead_letter_id IN ({ids})"
        return len(self._rows(f"{update} RETURNING dead_letter_id", values))

    def redrive(self, selection: Selection) -> Redrive:
        """Repairs and stores open dead letters, each exactly once however often and by how many this is called: a
        letter is closed in the transaction that stores it. What still fails stays open with one attempt more."""
        total, last_id = Redrive(), 0
        self._partitions.forget()  # days leave the log table
        while True:
            with self._database.transaction() as open_cursor:
                letters = _lock(open_cursor, selection, last_id)
                stored = self._store(open_cursor, letters)
                _close(open_cursor, stored, {letter.dead_letter_id for letter in letters} - stored)
                if __debug__:
                    crash_point("admin.before_redrive_commit")
            if not letters:
                return total
            total = Redrive(total.redriven + len(stored), total.failed + len(letters) - len(stored))
            last_id = letters[-1].dead_letter_id

    def _store(self, open_cursor: cursor, letters: Sequence["_Letter"]) -> set[int]:
        """Copies the letters' records and returns the ids of the letters that are in."""
        entries = {letter.dead_letter_id: entry for letter in letters if (entry := letter.to_entry())}
        if not entries:
            return set()
        if self._templates:
            entries = {
                dead_letter_id: replace(entry, clusters=unmined_clusters(entry.application_id, entry.records))
                for dead_letter_id, entry in entries.items()
            }
        self._partitions.ensure(open_cursor, entries.values())
        groups = self._partitions.group(entries.values())
        dead = [row for leaf, group in groups.items() for row in copy_entries(open_cursor, leaf, group)]
        refused = {id(row.source.entry) for row in dead if isinstance(row.source, Row)}
        widen_bounds(open_cursor, list(entries.values()))
        stored = {dead_letter_id: entry for dead_letter_id, entry in entries.items() if id(entry) not in refused}
        add_late_rows(open_cursor, stored.values())
        _add_late_records(open_cursor, stored.values())
        add_counts(open_cursor, list(stored.values()), [])
        return set(stored)

    def _rows(self, sql: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        with self._database.transaction() as open_cursor:
            open_cursor.execute(sql, values)
            names = [column.name for column in open_cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in open_cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class _Letter:
    """A locked row."""

    dead_letter_id: int
    shard: int
    stream_id: str
    application_id: int | None
    retention_class: int | None
    batch_id: str | None
    part: int | None
    received_at: datetime | None
    reason: str
    queued: memoryview

    def to_entry(self) -> StreamEntry | None:
        """An entry of one record; None if the letter never was a record of ours."""
        if self.application_id is None or self.retention_class is None:
            return None
        if self.part is None or self.received_at is None:
            return None
        try:
            record = repair_record(bytes(self.queued))
        except ContractError:
            return None
        line = pack_record(record)
        return StreamEntry(
            entry_id=self.stream_id,
            shard=self.shard,
            application_id=self.application_id,
            retention_class=self.retention_class,
            batch_id=self._batch_id(),
            part=self.part,
            received_at=self.received_at,
            event_from=record.event_at,
            event_to=record.event_at,
            body_hash=b"",
            record_count=1,
            first_sequence=0,
            records=line,
            size_bytes=len(line),
        )

    def _batch_id(self) -> UUID:
        """The record's own; one derived from the stream where that is taken: no log id may be given twice."""
        if self.batch_id is not None and self.reason != _REUSED:
            return UUID(self.batch_id)
        return UUID(bytes=blake2b(f"{self.shard}\0{self.stream_id}".encode(), digest_size=16).digest())


def _conditions(selection: Selection) -> tuple[str, list[Any]]:
    found: dict[str, Any] = {"dead_letters.status = %s": selection.status.value}
    if selection.ids:
        found["dead_letter_id = ANY (%s)"] = list(selection.ids)
    if selection.application is not None:
        found["applications.name = %s"] = selection.application
    if selection.reason is not None:
        found["reason = %s"] = selection.reason
    if selection.since is not None:
        found["dead_lettered_at >= %s"] = selection.since
    if selection.until is not None:
        found["dead_lettered_at < %s"] = selection.until
    return " AND ".join(found), list(found.values())


def _lock(open_cursor: cursor, selection: Selection, after: int) -> list[_Letter]:
    """The next open letters above the id ``after``, without those that somebody else is redriving: as many as have
    _BATCH_BYTES together, but one at least."""
    conditions, values = _conditions(replace(selection, status=Status.OPEN))
    open_cursor.execute(_LOCK.format(conditions=conditions), [*values, after])
    found: list[tuple[int, int]] = open_cursor.fetchall()
    ends = accumulate(size for _, size in found)
    ids = [found_id for (found_id, size), end in zip(found, ends, strict=True) if end - size < _BATCH_BYTES]
    open_cursor.execute(_READ, (ids,))
    return [_Letter(*row) for row in open_cursor.fetchall()]


def _add_late_records(open_cursor: cursor, entries: Iterable[StreamEntry]) -> None:
    rows = [
        (
            *(entry.batch_id.hex, entry.part, position_range(entry)[0]),
            *(entry.application_id, entry.retention_class, entry.received_at),
        )
        for entry in entries
    ]
    if rows:
        execute_values(open_cursor, _ADD_LATE, rows)


def _close(open_cursor: cursor, stored: set[int], failed: set[int]) -> None:
    for ledger, is_reused in (("ledger", False), ("ledger_duplicates", True)):
        open_cursor.execute(_RECOUNT.format(ledger=ledger, is_reused=is_reused), (list(stored), _REUSED))
    open_cursor.execute("UPDATE dead_letters SET status = 'redriven' WHERE dead_letter_id = ANY (%s)", (list(stored),))
    open_cursor.execute(
        "UPDATE dead_letters SET attempts = attempts + 1 WHERE dead_letter_id = ANY (%s)", (list(failed),)
    )
