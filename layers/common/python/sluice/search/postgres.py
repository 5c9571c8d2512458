"""Reading stored records under the reader's row security."""

import json
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg2.extensions import cursor

from sluice.entries.model import OPTIONAL_FIELDS, Flag, Level
from sluice.runtime.postgres import Database, show_applications
from sluice.search.model import Cursor, LogQuery, Page

_STATEMENT_TIMEOUT = "15s"
_MAX_PAGE_BYTES = 4_000_000  # Lambda refuses answers above 6 MB

# The receive days that can hold an event time: constants that the planner prunes partitions with.
_DAYS = """
SELECT min(day)::timestamp AT TIME ZONE 'UTC', (max(day) + 1)::timestamp AT TIME ZONE 'UTC' FROM event_time_bounds
WHERE event_until > coalesce(%(since)s, '-infinity'::timestamptz)
  AND event_from < coalesce(%(until)s, 'infinity'::timestamptz)
  AND application_id = coalesce(%(application_id)s, application_id)"""

_BATCH = "SELECT min(received_at), max(received_at) + interval '1 microsecond' FROM ledger WHERE batch_id = %s"

_EXTRA = ("severity_number", "severity_text", "original_length", *OPTIONAL_FIELDS)
_COLUMNS = (
    *(
        "batch_id::text",
        "position",
        "applications.name",
        "event_at",
        "received_at",
        "level",
        "flags",
        "message",
        "metadata",
    ),
    *_EXTRA,
)


class PostgresLogReader:
    """Stored records of the applications given, or of all (None)."""

    def __init__(self, database: Database, visible: Collection[int] | None) -> None:
        self._database, self._visible = database, visible

    def search(self, query: LogQuery) -> Page:
        """One page, newest event first; records of one instant by batch and position. Raises Unavailable when the
        database is down or takes over 15 s."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute("SELECT set_config('statement_timeout', %s, true)", (_STATEMENT_TIMEOUT,))
            show_applications(open_cursor, self._visible)
            days = _receive_days(open_cursor, query)
            if days is None:
                return Page([], None)
            rows = _select(open_cursor, query, days)
        logs = list(_fitting(map(_document, rows[: query.limit])))
        return Page(logs, _cursor_after(rows[len(logs) - 1]) if len(logs) < len(rows) else None)


def _fitting(documents: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The first document, and as many more as fit into an answer."""
    size = 0
    for number, document in enumerate(documents):
        size += len(json.dumps(document, ensure_ascii=False).encode())
        if number > 0 and size > _MAX_PAGE_BYTES:
            return
        yield document


def _receive_days(open_cursor: cursor, query: LogQuery) -> tuple[datetime, datetime] | None:
    """Between which times everything that the query can find was received: of a batch the ledger knows that exactly."""
    if query.batch_id:
        open_cursor.execute(_BATCH, (query.batch_id.hex,))
        received_from, received_until = open_cursor.fetchone() or (None, None)
        if received_from is not None and received_until is not None:
            return received_from, received_until
    parameters = {"since": query.since, "until": query.until, "application_id": query.application_id}
    open_cursor.execute(_DAYS, parameters)
    first, end = open_cursor.fetchone() or (None, None)
    return None if first is None or end is None else (first, end)


def _select(open_cursor: cursor, query: LogQuery, days: tuple[datetime, datetime]) -> list[Any]:
    conditions = dict(_conditions(query, days))
    values = [value for group in conditions.values() for value in group]
    open_cursor.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM log_entries JOIN applications USING (application_id)"
        f" WHERE {' AND '.join(conditions)} ORDER BY event_at DESC, batch_id DESC, position DESC LIMIT %s",
        [*values, query.limit + 1],
    )
    return open_cursor.fetchall()


def _conditions(query: LogQuery, days: tuple[datetime, datetime]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    yield "received_at >= %s AND received_at < %s", days
    if query.application_id is not None:
        yield "application_id = %s", (query.application_id,)
    if query.since:
        yield "event_at >= %s", (query.since,)
    if query.until:
        yield "event_at < %s", (query.until,)
    if query.levels:
        yield "level = ANY (%s)", (list(map(int, query.levels)),)
    if query.text:
        yield "message ILIKE %s", (f"%{_like(query.text)}%",)
    if query.batch_id:
        yield "batch_id = %s", (query.batch_id.hex,)
    if query.cursor:
        after = (query.cursor.event_at, query.cursor.batch_id.hex, query.cursor.position)
        yield "(event_at, batch_id, position) < (%s, %s::uuid, %s)", after


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _document(row: Any) -> dict[str, Any]:
    batch_id, position, application, event_at, received_at, level, flags, message, metadata, *extra = row
    return {
        "id": f"{batch_id.replace('-', '')}-{position}",
        "application": application,
        "timestamp": event_at.astimezone(UTC).isoformat(),
        "received_at": received_at.astimezone(UTC).isoformat(),
        "level": Level(level).name,
        "message": message,
        "metadata": metadata,
        "flags": Flag(flags).names,
        **{name: value for name, value in zip(_EXTRA, extra, strict=True) if value is not None},
    }


def _cursor_after(row: Any) -> Cursor:
    return Cursor(row[3], UUID(row[0]), row[1])
