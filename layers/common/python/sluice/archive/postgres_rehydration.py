"""Rehydrations: whole objects back in the log table, each once, until they expire."""

import io
from collections.abc import Buffer, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from psycopg2.extensions import cursor

from sluice.archive.lines import COPY_COLUMNS
from sluice.archive.model import Estimate, Rehydration, StoredObject
from sluice.archive.postgres import LOCK_MILLISECONDS, limit_waits
from sluice.archive.postgres_reads import OBJECT, read_object
from sluice.errors import RejectedInput
from sluice.runtime.crash_points import crash_point
from sluice.runtime.postgres import Database

_ROWS_AT_ONCE = 20
MAX_REHYDRATIONS = 20  # each is a partition that every query has to plan for

_WANTED = f"""
{OBJECT} AND application_id = %(application_id)s AND event_until >= %(since)s AND event_from < %(until)s"""

_ESTIMATE = f"""
SELECT count(*) FILTER (WHERE present.object_id IS NULL),
       coalesce(sum(row_count) FILTER (WHERE present.object_id IS NULL), 0),
       coalesce(sum(byte_count) FILTER (WHERE present.object_id IS NULL), 0),
       coalesce(sum(text_bytes) FILTER (WHERE present.object_id IS NULL), 0), count(present.object_id)
FROM ({_WANTED}) AS wanted LEFT JOIN rehydrated_objects present USING (object_id)"""
_ID = """
SELECT min(number) FROM generate_series(1, 1000) AS number
WHERE NOT EXISTS (SELECT FROM rehydrations WHERE rehydration_id = number)"""
_TAKE = f"""
INSERT INTO rehydrated_objects (object_id, rehydration_id)
SELECT object_id, %(rehydration_id)s FROM ({_WANTED}) AS wanted
ON CONFLICT (object_id) DO NOTHING"""
_EXTEND = f"""
UPDATE rehydrations SET expires_at = greatest(expires_at, %(expires_at)s)
WHERE rehydration_id IN (
    SELECT present.rehydration_id FROM ({_WANTED}) AS wanted JOIN rehydrated_objects present USING (object_id))"""
_ALL = """
SELECT rehydration_id, name, r.event_from, r.event_until, r.status, expires_at, count(*),
       coalesce(sum(row_count), 0)::bigint, count(loaded_at),
       coalesce(sum(row_count) FILTER (WHERE loaded_at IS NOT NULL), 0)::bigint
FROM rehydrations r JOIN applications USING (application_id) JOIN rehydrated_objects USING (rehydration_id)
JOIN archive_objects o USING (object_id) {where} GROUP BY 1, 2 ORDER BY 1"""
_NEXT = f"""{OBJECT} AND object_id IN (
    SELECT object_id FROM rehydrated_objects WHERE rehydration_id = %s AND loaded_at IS NULL)
ORDER BY object_id LIMIT 1"""


class PostgresRehydrations:
    """Methods raise Unavailable and ContractError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def estimate(self, application_id: int, since: datetime, until: datetime) -> Estimate:
        """What ``begin`` would bring back: the objects with event times from ``since`` up to ``until``."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_ESTIMATE, {"application_id": application_id, "since": since, "until": until})
            row = open_cursor.fetchone() or (0, 0, 0, 0, 0)
        return Estimate(*map(int, row))

    def begin(self, application_id: int, since: datetime, until: datetime, expires_at: datetime) -> int | None:
        """Takes the objects that are not there yet for a new rehydration, and returns its id; None if there are none.
        What is there stays until ``expires_at``, too. Raises RejectedInput ``too_many_rehydrations``."""
        values: dict[str, Any] = {"application_id": application_id, "since": since, "until": until}
        values["expires_at"] = expires_at
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_EXTEND, values)
            open_cursor.execute(_ESTIMATE, values)
            if not (open_cursor.fetchone() or (0,))[0]:
                return None
            open_cursor.execute("SELECT count(*) FROM rehydrations")
            if (open_cursor.fetchone() or (0,))[0] >= MAX_REHYDRATIONS:
                detail = f"there are {MAX_REHYDRATIONS} already: release one, or wait until one expires"
                raise RejectedInput("too_many_rehydrations", detail, status=409)
            open_cursor.execute(_ID)
            ((values["rehydration_id"],),) = open_cursor.fetchall()
            open_cursor.execute(
                "INSERT INTO rehydrations (rehydration_id, application_id, event_from, event_until, expires_at)"
                " VALUES (%(rehydration_id)s, %(application_id)s, %(since)s, %(until)s, %(expires_at)s)",
                values,
            )
            open_cursor.execute(_TAKE, values)
            open_cursor.execute("SELECT create_rehydration_table(%(rehydration_id)s)", values)
            if __debug__:
                crash_point("rehydrate.before_begin_commit")
        return int(values["rehydration_id"])

    def all(self) -> list[Rehydration]:
        """All there are."""
        return self._found("", [])

    def find(self, rehydration_id: int) -> Rehydration:
        """One of them. Raises RejectedInput ``unknown_rehydration``."""
        found = self._found("WHERE rehydration_id = %s", [rehydration_id])
        if not found:
            raise RejectedInput("unknown_rehydration", f"there is no rehydration {rehydration_id}", status=404)
        return found[0]

    def next_object(self, rehydration_id: int) -> StoredObject | None:
        """One that is still to be loaded."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_NEXT, (rehydration_id,))
            row = open_cursor.fetchone()
        return read_object(row) if row else None

    def load(self, rehydration_id: int, item: StoredObject, rows: Iterable[str]) -> None:
        """Copies the object's rows, once. Raises what ``rows`` does, and then nothing is copied."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(
                "UPDATE rehydrated_objects SET loaded_at = now() WHERE object_id = %s AND rehydration_id = %s"
                " AND loaded_at IS NULL",
                (item.object_id, rehydration_id),
            )
            if not open_cursor.rowcount:  # somebody else did
                return
            _copy(open_cursor, rehydration_id, rows)
            if __debug__:
                crash_point("rehydrate.before_load_commit")

    def attach(self, rehydration_id: int, wait_milliseconds: int = LOCK_MILLISECONDS) -> None:
        """Lets readers see the rows, all at once. Raises Unavailable, too, while somebody changes the log table."""
        with self._database.transaction() as open_cursor:
            limit_waits(open_cursor, wait_milliseconds)
            open_cursor.execute("SELECT attach_rehydration(%s)", (rehydration_id,))
            if __debug__:
                crash_point("rehydrate.before_attach_commit")

    def release(self, rehydration_id: int, wait_milliseconds: int = LOCK_MILLISECONDS) -> None:
        """Takes the rows away. Raises Unavailable, too, while somebody reads."""
        with self._database.transaction() as open_cursor:
            limit_waits(open_cursor, wait_milliseconds)
            open_cursor.execute("SELECT drop_rehydration(%s)", (rehydration_id,))
            if __debug__:
                crash_point("rehydrate.before_release_commit")

    def _found(self, where: str, values: Sequence[Any]) -> list[Rehydration]:
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_ALL.replace("{where}", where), values)
            return [Rehydration(*row) for row in open_cursor.fetchall()]


def _copy(open_cursor: cursor, rehydration_id: int, rows: Iterable[str]) -> None:
    columns = ", ".join(COPY_COLUMNS)
    file = io.BufferedReader(_Text(rows))
    open_cursor.copy_expert(f"COPY rehydrated_{int(rehydration_id)} ({columns}) FROM STDIN", file)


class _Text(io.RawIOBase):
    """A file of rows that come one by one: all of an object's would not fit into memory."""

    def __init__(self, rows: Iterable[str]) -> None:
        super().__init__()
        self._rows = map(str.encode, rows)
        self._left = b""

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Fills the buffer, or what is left; 0 at the end."""
        view = memoryview(buffer)
        self._left = self._left or b"".join(islice(self._rows, _ROWS_AT_ONCE))
        taken, self._left = self._left[: len(view)], self._left[len(view) :]
        view[: len(taken)] = taken
        return len(taken)
