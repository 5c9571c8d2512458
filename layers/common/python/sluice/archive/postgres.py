"""The manifest in Postgres, and days on their way out of the log table.

A day leaves in steps, each of which may be the last that a process gets to do: the day is opened, after which its
partition counts its changes; slice after slice, an object is announced, written, read back and confirmed; the rows are
counted; and if nothing changed since the first slice, the partition is dropped by the transaction that makes the
objects the place of its rows. After a change it all begins anew.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg2.extensions import cursor

from sluice.archive.lines import MAX_ROWS
from sluice.archive.model import Content, DueDay, OpenDay, Place, Slice, object_key
from sluice.archive.postgres_rows import has_rows, read_slice
from sluice.errors import ContractError
from sluice.runtime.crash_points import crash_point
from sluice.runtime.postgres import Database

LOCK_MILLISECONDS = 300  # the most that readers and writers have to wait behind us for a lock

_DUE = """
SELECT class.retention_class, class.name, leaf.day, class.is_archived, %s::date - class.retention_days - leaf.day
FROM retention_classes class, LATERAL (
    SELECT to_date(right(relid::regclass::text, 8), 'YYYYMMDD') AS day
    FROM pg_partition_tree(to_regclass(format('log_entries_%%s', class.retention_class))) WHERE isleaf) AS leaf
WHERE leaf.day < %s::date - class.retention_days ORDER BY leaf.day, class.retention_class"""

_RESTART = """
UPDATE archive_objects SET status = 'discarded' WHERE archive_day_id = %s AND status IN ('writing', 'stored')"""
_LAST_OBJECTS = """
SELECT object_id, key, application_id, number, status, received_until, last_batch_id::text, last_position
FROM archive_objects WHERE archive_day_id = %s AND status IN ('writing', 'stored')
ORDER BY application_id DESC, number DESC LIMIT 2"""
_NEXT_APPLICATION = """
SELECT min(application_id) FROM event_time_bounds WHERE retention_class = %s AND day = %s AND application_id > %s"""
_ANNOUNCE = """
INSERT INTO archive_objects (archive_day_id, application_id, number, key) VALUES (%s, %s, %s, %s) RETURNING object_id"""
CONFIRM = """
UPDATE archive_objects
SET status = 'stored', stored_at = now(), row_count = %s, byte_count = %s, text_bytes = %s, sha256 = %s,
    event_from = %s, event_until = %s, received_from = %s, received_until = %s, last_batch_id = %s::uuid,
    last_position = %s
WHERE object_id = %s AND status = 'writing'"""

_COUNT = "SELECT application_id, row_count FROM count_archive_day(%s)"
_TOTALS = """
INSERT INTO archive_totals (archive_day_id, application_id, row_count, ledger_count)
SELECT %s, application_id, counted.row_count, coalesce(stored.row_count, 0)
FROM unnest(%s::int[], %s::bigint[]) AS counted (application_id, row_count)
LEFT JOIN stored_of_day(%s) AS stored USING (application_id)"""
# Whether the day has changed, its rows, and how many applications have more or fewer of them than objects hold.
_UNEQUAL = """
SELECT change_count <> %s, coalesce(sum(counted.row_count), 0),
       count(*) FILTER (WHERE counted.row_count IS DISTINCT FROM kept.row_count)
FROM archive_days,
     (SELECT application_id, row_count FROM archive_totals WHERE archive_day_id = %s) AS counted
     FULL JOIN (SELECT application_id, sum(row_count) AS row_count FROM archive_objects
                WHERE archive_day_id = %s AND status = 'stored' GROUP BY 1) AS kept USING (application_id)
WHERE archive_day_id = %s GROUP BY change_count"""

_EXPIRE = """
UPDATE archive_objects SET status = 'expired'
FROM archive_days day JOIN retention_classes class USING (retention_class)
WHERE archive_objects.archive_day_id = day.archive_day_id AND archive_objects.status = 'stored'
  AND day.status = 'dropped' AND day.day < %s::date - class.archive_days"""
_TO_DELETE = """
SELECT object_id, key FROM archive_objects WHERE status IN ('discarded', 'expired') ORDER BY object_id LIMIT 100"""
_DELETED = """
WITH forgotten AS (DELETE FROM archive_objects WHERE object_id = %s AND status = 'discarded')
UPDATE archive_objects SET status = 'gone' WHERE object_id = %s AND status = 'expired'"""


class PostgresArchive:
    """The manifest, as whoever fills it sees it, one at a time (``alone``). Methods raise Unavailable and
    ContractError."""

    def __init__(self, database: Database, *, max_rows: int = MAX_ROWS) -> None:
        self._database, self._max_rows = database, max_rows

    def due(self, today: date) -> list[DueDay]:
        """Days that have to leave the log table, the oldest first."""
        return [DueDay(*row) for row in self._rows(_DUE, today, today)]

    def open(self, due: DueDay, wait_milliseconds: int = LOCK_MILLISECONDS) -> OpenDay | None:
        """The day on its way out, from the beginning or where the last run got to; None if it is gone. Raises
        Unavailable, too, while somebody holds the partition."""
        with self._database.transaction() as open_cursor:
            limit_waits(open_cursor, wait_milliseconds)
            open_cursor.execute("SELECT open_archive_day(%s::smallint, %s)", (due.retention_class, due.day))
            ((archive_day_id,),) = open_cursor.fetchall()
            if archive_day_id is None:
                return None
            open_cursor.execute(
                "SELECT change_count, exported_change FROM archive_days WHERE archive_day_id = %s", (archive_day_id,)
            )
            ((change, exported),) = open_cursor.fetchall()
            if change != exported:
                open_cursor.execute(_RESTART, (archive_day_id,))
                open_cursor.execute(
                    "UPDATE archive_days SET exported_change = %s WHERE archive_day_id = %s", (change, archive_day_id)
                )
        if __debug__:
            crash_point("archive.after_open")
        return OpenDay(archive_day_id, due, change)

    def announce(self, opened: OpenDay) -> Slice | None:
        """The next slice, whose object may be there from now on; None if all rows are in confirmed objects."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_LAST_OBJECTS, (opened.archive_day_id,))
            last = [_LastObject(*row) for row in open_cursor.fetchall()]
            if last and last[0].status == "writing":
                after = last[1].place if last[1:] and last[1].application_id == last[0].application_id else None
                return Slice(last[0].object_id, last[0].key, last[0].application_id, after)
            found = _next_place(open_cursor, opened.due, last[0] if last else None)
            if found is None:
                return None
            application_id, number, after = found
            key = object_key(opened, application_id, number)
            open_cursor.execute(_ANNOUNCE, (opened.archive_day_id, application_id, number, key))
            ((object_id,),) = open_cursor.fetchall()
        if __debug__:
            crash_point("archive.after_announce")
        return Slice(object_id, key, application_id, after)

    def read(self, opened: OpenDay, wanted: Slice) -> Content | None:
        """The object to be written; None if there are no such rows any more: the day has changed."""
        with self._database.transaction() as open_cursor:
            return read_slice(open_cursor, opened.due, wanted, self._max_rows)

    def confirm(self, wanted: Slice, content: Content) -> None:
        """The slice's object is there: it was read back."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(CONFIRM, confirm_values(wanted.object_id, content))
            if open_cursor.rowcount != 1:
                raise ContractError("archive_conflict", f"object {wanted.object_id} is not being written")
            if __debug__:
                crash_point("archive.before_confirm_commit")

    def drop(self, opened: OpenDay, wait_milliseconds: int = LOCK_MILLISECONDS) -> int | None:
        """Drops the day's partition; its rows are in its objects from now on, or deleted if its class is not archived.
        Returns how many they were; None, and nothing is dropped, if the day has changed. Raises Unavailable while
        somebody holds the partition, and ContractError if the objects are not what the partition holds."""
        total = self._count(opened)
        if total is None:
            return None
        if __debug__:
            crash_point("archive.after_count")
        with self._database.transaction() as open_cursor:
            limit_waits(open_cursor, wait_milliseconds)
            open_cursor.execute("SELECT drop_archive_day(%s, %s)", (opened.archive_day_id, opened.change))
            ((is_dropped,),) = open_cursor.fetchall()
            if __debug__:
                crash_point("archive.before_drop_commit")
        if __debug__:
            crash_point("archive.after_drop")
        return total if is_dropped else None

    def expire(self, today: date) -> int:
        """Has objects deleted that are older than their class keeps them; returns how many."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_EXPIRE, (today,))
            return open_cursor.rowcount

    def to_delete(self) -> list[tuple[int, str]]:
        """Ids and keys of some objects that have to go."""
        return self._rows(_TO_DELETE)

    def deleted(self, object_id: int) -> None:
        """The object is gone from the store."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_DELETED, (object_id, object_id))

    def _count(self, opened: OpenDay) -> int | None:
        """Counts the partition's rows and notes the totals; None if the day has changed."""
        due, day_id = opened.due, opened.archive_day_id
        # In a transaction that has no number yet: the live tail and the filters wait for those that have one.
        counted = self._rows(_COUNT, day_id)
        with self._database.transaction() as open_cursor:
            open_cursor.execute("DELETE FROM archive_totals WHERE archive_day_id = %s", (day_id,))
            ids, counts = [application_id for application_id, _ in counted], [count for _, count in counted]
            open_cursor.execute(_TOTALS, (day_id, ids, counts, due.day))
            open_cursor.execute(_UNEQUAL, (opened.change, day_id, day_id, day_id))
            is_changed, total, unequal = open_cursor.fetchone() or (False, 0, 0)
            if unequal and due.is_archived and not is_changed:
                raise ContractError(
                    "archive_incomplete", f"objects of {due.class_name}, {due.day} differ from the rows"
                )
        return None if is_changed else int(total)

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with self._database.transaction() as open_cursor:
            open_cursor.execute(sql, values)
            return open_cursor.fetchall()


@contextmanager
def alone(database: Database) -> Iterator[bool]:
    """Whether nobody else changes the archive; while the block lasts, nobody begins to. ``database`` is of this block
    alone. (The lock ends with its connection, so every step is safe without: it saves work that comes to nothing.)"""
    with database.transaction() as open_cursor:
        open_cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('sluice.archive'))")
        ((is_ours,),) = open_cursor.fetchall()
        yield is_ours


@dataclass(frozen=True, slots=True)
class _LastObject:
    """A row of _LAST_OBJECTS."""

    object_id: int
    key: str
    application_id: int
    number: int
    status: str
    received_until: datetime | None
    last_batch_id: str | None
    last_position: int | None

    @property
    def place(self) -> Place | None:
        if self.received_until is None or self.last_batch_id is None or self.last_position is None:
            return None
        return Place(self.received_until, UUID(self.last_batch_id), self.last_position)


def _next_place(open_cursor: cursor, due: DueDay, last: _LastObject | None) -> tuple[int, int, Place | None] | None:
    """Application, number of the object and place behind which its rows are; None behind the last row of all."""
    if last and has_rows(open_cursor, due, last.application_id, last.place):
        return last.application_id, last.number + 1, last.place
    application_id = last.application_id if last else 0
    while True:
        open_cursor.execute(_NEXT_APPLICATION, (due.retention_class, due.day, application_id))
        ((application_id,),) = open_cursor.fetchall()
        if application_id is None:
            return None
        if has_rows(open_cursor, due, application_id, None):
            return application_id, 0, None


def confirm_values(object_id: int, content: Content) -> tuple[Any, ...]:
    """The values of CONFIRM."""
    spans = (content.event_from, content.event_until, content.received_from, content.last.received_at)
    sizes = (content.row_count, len(content.data), content.text_bytes, content.sha256)
    return (*sizes, *spans, content.last.batch_id.hex, content.last.position, object_id)


def limit_waits(open_cursor: cursor, milliseconds: int) -> None:
    """Lets the transaction wait for each lock no longer than that: who comes behind it waits, too."""
    open_cursor.execute("SELECT set_config('lock_timeout', %s, true)", (str(milliseconds),))
