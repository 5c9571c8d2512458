"""Silences and maintenance windows as people keep them, under the row security of who asks."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import astuple
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor

from sluice.errors import RejectedInput
from sluice.notifications.parse import SilenceForm, WindowForm, invalid_time_zone
from sluice.notifications.silences import Matcher
from sluice.runtime.postgres import Database, show_applications

MAX_SILENCES, MAX_WINDOWS = 100, 50  # of an application, that are not over
_SILENCES = """
SELECT silence_id::text, a.name AS application, matchers, starts_at, ends_at, comment, created_by, s.created_at
FROM silences s JOIN applications a USING (application_id)"""
_WINDOWS = """
SELECT window_id::text, a.name AS application, matchers, starts_at, ends_at, weekdays, start_minute, duration_minutes,
       time_zone, comment, created_by, w.created_at
FROM maintenance_windows w JOIN applications a USING (application_id)"""


class PostgresMutings:
    """Those of the applications in ``visible`` (None: of all). Methods raise Unavailable, and RejectedInput
    ``unknown_silence`` or ``unknown_window`` (404)."""

    def __init__(self, database: Database, visible: Collection[int] | None) -> None:
        self._database, self._visible = database, visible

    def silences(
        self,
        applications: Sequence[str],
        now: datetime,
        after: tuple[datetime, str] | None,
        limit: int,
        *,
        is_all: bool,
    ) -> list[dict[str, Any]]:
        """Silences that are not over, or all; the one that ends last first."""
        conditions: dict[str, Any] = {
            "a.name = ANY (%s)": (list(applications),) if applications else None,
            "ends_at > %s": None if is_all else (now,),
            "(ends_at, silence_id) < (%s, %s::uuid)": after,
        }
        asked = {sql: values for sql, values in conditions.items() if values}
        where = f"WHERE {' AND '.join(asked)}" if asked else ""
        values = [value for part in asked.values() for value in part]
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            return _rows(cursor, f"{_SILENCES} {where} ORDER BY ends_at DESC, silence_id DESC LIMIT %s", *values, limit)

    def silence(self, application_id: int, form: SilenceForm, key_id: str) -> dict[str, Any]:
        """A new silence. Raises RejectedInput ``too_many_silences`` (409)."""
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            cursor.execute(
                "SELECT count(*) FROM silences WHERE application_id = %s AND ends_at > now()", (application_id,)
            )
            ((count,),) = cursor.fetchall()
            if count >= MAX_SILENCES:
                raise RejectedInput("too_many_silences", f"at most {MAX_SILENCES} are in force at once", status=409)
            cursor.execute(
                "INSERT INTO silences (application_id, matchers, starts_at, ends_at, comment, created_by)"
                " VALUES (%s, %s, %s, %s, %s, %s) RETURNING silence_id::text",
                (application_id, _json(form.matchers), form.starts_at, form.ends_at, form.comment, key_id),
            )
            ((silence_id,),) = cursor.fetchall()
            return _one(cursor, _SILENCES, "silence", silence_id)

    def expire(self, silence_id: str, now: datetime) -> dict[str, Any]:
        """Ends a silence now; one that is over stays as it is."""
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            cursor.execute(
                "UPDATE silences SET ends_at = greatest(starts_at, %s) WHERE silence_id = %s AND ends_at > %s",
                (now, silence_id, now),
            )
            return _one(cursor, _SILENCES, "silence", silence_id)

    def windows(self, applications: Sequence[str], now: datetime) -> list[dict[str, Any]]:
        """Maintenance windows that are not over, the oldest first."""
        named = "AND a.name = ANY (%s)" if applications else ""
        values = [list(applications)] if applications else []
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            sql = f"{_WINDOWS} WHERE (ends_at IS NULL OR ends_at > %s) {named} ORDER BY w.created_at, window_id"
            return _rows(cursor, sql, now, *values)

    def open_window(self, application_id: int, form: WindowForm, key_id: str) -> dict[str, Any]:
        """A new window. Raises RejectedInput ``too_many_windows`` (409), and ``invalid_weekly`` for an unknown time
        zone."""
        weekly: tuple[Any, ...] = astuple(form.weekly) if form.weekly else (None, None, None)
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            if form.time_zone is not None:
                cursor.execute("SELECT FROM pg_timezone_names WHERE name = %s", (form.time_zone,))
                if not cursor.rowcount:
                    raise invalid_time_zone()
            cursor.execute(
                "SELECT count(*) FROM maintenance_windows"
                " WHERE application_id = %s AND coalesce(ends_at > now(), true)",
                (application_id,),
            )
            ((count,),) = cursor.fetchall()
            if count >= MAX_WINDOWS:
                raise RejectedInput("too_many_windows", f"an application has at most {MAX_WINDOWS}", status=409)
            cursor.execute(
                """
                INSERT INTO maintenance_windows (application_id, matchers, comment, created_by, starts_at, ends_at,
                time_zone, weekdays, start_minute, duration_minutes)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING window_id::text
                """,
                (
                    application_id,
                    _json(form.matchers),
                    form.comment,
                    key_id,
                    form.starts_at,
                    form.ends_at,
                    form.time_zone,
                    list(weekly[0]) if form.weekly else None,
                    *weekly[1:],
                ),
            )
            ((window_id,),) = cursor.fetchall()
            return _one(cursor, _WINDOWS, "window", window_id)

    def close_window(self, window_id: str) -> dict[str, Any]:
        """Forgets a window; what it was."""
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            found = _one(cursor, _WINDOWS, "window", window_id)
            cursor.execute("DELETE FROM maintenance_windows WHERE window_id = %s", (window_id,))
            return found


def unknown(noun: str) -> RejectedInput:
    """What is said of a silence or window that does not exist, or of somebody else."""
    if noun == "silence":
        return RejectedInput("unknown_silence", "this API key sees no such silence", status=404)
    return RejectedInput("unknown_window", "this API key sees no such maintenance window", status=404)


def _one(cursor: cursor, sql: str, noun: str, id_: str) -> dict[str, Any]:
    rows = _rows(cursor, f"{sql} WHERE {noun}_id = %s", id_)
    if not rows:
        raise unknown(noun)
    return rows[0]


def _json(matchers: Iterable[Matcher]) -> str:
    return json.dumps([astuple(matcher) for matcher in matchers])


def _rows(cursor: cursor, sql: str, *values: Any) -> list[dict[str, Any]]:
    cursor.execute(sql, values)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
