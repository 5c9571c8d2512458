"""Rows of a day as lines of an object."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from psycopg2.extensions import cursor

from sluice.archive.lines import Packer
from sluice.archive.model import Content, DueDay, Place, Slice
from sluice.entries.model import Level

_FETCH_ROWS = 250  # at a time: the largest records take 128 KB each

_LEVELS = " ".join(f"WHEN {level:d} THEN '{level.name}'" for level in Level)
# What is null is left out of a line; in metadata a null stands for itself. Between the tokens of metadata there might
# be a line feed, in their strings there is none.
_LINE = f"""
left(json_strip_nulls(row_to_json((
    SELECT fields FROM (SELECT
        replace(batch_id::text, '-', '') || '-' || position AS id, event_at AS timestamp, received_at,
        CASE level {_LEVELS} END AS level, flags, severity_number, severity_text, original_length, trace_id, span_id,
        session_id, logger, host, service, version, template_id, template_key) AS fields
)))::text, -1) || ',"message":' || to_json(message) || ',"metadata":' ||
    translate(metadata::text, E'\\n\\r', '  ') || '}}'"""

_SLICE = f"""
DECLARE slice NO SCROLL CURSOR FOR
SELECT received_at, batch_id::text, position, event_at, {_LINE} FROM log_entries
WHERE retention_class = %s AND application_id = %s AND received_at >= %s AND received_at < %s AND {{beyond}}
ORDER BY received_at, batch_id, position"""
_EXISTS = """
SELECT FROM log_entries
WHERE retention_class = %s AND application_id = %s AND received_at >= %s AND received_at < %s AND {beyond} LIMIT 1"""


def read_slice(open_cursor: cursor, due: DueDay, wanted: Slice, max_rows: int) -> Content | None:
    """The object of the slice's rows; None if there are none."""
    sql, values = _beyond(_SLICE, due, wanted.application_id, wanted.after)
    open_cursor.execute("SET LOCAL timezone TO 'UTC'")
    open_cursor.execute(sql, values)
    packer = Packer(max_rows)
    while not packer.is_full:
        open_cursor.execute(f"FETCH {_FETCH_ROWS} FROM slice")
        rows: list[Any] = open_cursor.fetchall()
        if not rows:
            break
        for received_at, batch_id, position, event_at, line in rows:
            packer.add(Place(received_at, UUID(batch_id), position), event_at, line.encode())
            if packer.is_full:
                break
    return packer.finish() if packer.row_count else None


def has_rows(open_cursor: cursor, due: DueDay, application_id: int, after: Place | None) -> bool:
    """Whether the day holds rows of the application behind a place."""
    open_cursor.execute(*_beyond(_EXISTS, due, application_id, after))
    return open_cursor.fetchone() is not None


def _beyond(sql: str, due: DueDay, application_id: int, after: Place | None) -> tuple[str, list[Any]]:
    start = datetime.combine(due.day, time(), UTC)
    values: list[Any] = [due.retention_class, application_id, after.received_at if after else start]
    values.append(start + timedelta(days=1))
    if after is None:
        return sql.replace("{beyond}", "true"), values
    beyond = "(received_at, batch_id, position) > (%s, %s::uuid, %s)"
    return sql.replace("{beyond}", beyond), [*values, after.received_at, after.batch_id.hex, after.position]
