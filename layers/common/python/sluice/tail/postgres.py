"""The order of storing in Postgres.

Entries are ordered by the transaction that stored them. Below the oldest transaction still running (its number is the
snapshot's xmin) nothing can be added any more: a reader that stops there misses nothing and reads nothing twice, in
whatever order transactions commit. What is redriven from the dead letters later has a row of its own in this order,
and is left out of the entry that it once was part of.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg2.extensions import cursor

from sluice.errors import RejectedInput
from sluice.runtime.postgres import Database, show_applications
from sluice.search.model import Filters, Visible
from sluice.search.postgres_conditions import Sql, filters_sql
from sluice.search.postgres_rows import COLUMNS, answer_bytes, document
from sluice.tail.model import BEHIND_SECONDS, FIRST, LAST, Cursor, Page, Place

_MAX_BYTES = 4_000_000  # Lambda refuses answers above 6 MB
_MAX_ENTRIES = 20_000  # of everybody, that one page passes by
_MAX_SPANS = 500
_MAX_RECORDS = 20_000  # that one page looks at; the last entry may exceed it
_FETCH_ROWS = 100  # at a time: the largest records take 128 KB each

# Entries by the order of storing and records by that of receipt, whatever statistics say of rows that were just added.
_SETTINGS = """
SELECT set_config('statement_timeout', '5s', true), set_config('transaction_read_only', 'on', true),
       set_config(method, 'off', true)
FROM unnest('{jit,enable_hashjoin,enable_mergejoin,enable_seqscan,enable_bitmapscan,enable_sort}'::text[]) AS method"""

_STATE = """
SELECT horizon::text, oldest_running::text, newest::text, history, coalesce(held_since < now() - %s, false)
FROM storing_state(%s::text::xid8, %s)"""

_SPANS = f"""
WITH entries AS (
    SELECT stored_xid, batch_id, part,
           coalesce(first_position, {FIRST}) AS first, coalesce(last_position, {LAST}) AS last,
           false AS is_late, application_id, received_at, stored_count
    FROM ledger
    WHERE (stored_xid, batch_id, part) >= (%(xid)s::text::xid8, %(batch_id)s::uuid, %(part)s)
      AND stored_xid < %(horizon)s::text::xid8 AND application_id = ANY (%(ids)s) AND stored_count > 0
    ORDER BY stored_xid, batch_id, part LIMIT {_MAX_SPANS}),
latecomers AS (
    SELECT stored_xid, batch_id, part, position AS first, position AS last,
           true AS is_late, application_id, received_at, 1 AS stored_count
    FROM late_records
    WHERE (stored_xid, batch_id, part, position) > (%(xid)s::text::xid8, %(batch_id)s::uuid, %(part)s, %(position)s)
      AND stored_xid < %(horizon)s::text::xid8 AND application_id = ANY (%(ids)s)
    ORDER BY stored_xid, batch_id, part, position LIMIT {_MAX_SPANS})
SELECT stored_xid::text, batch_id::text, part, first, last, is_late, application_id, received_at, stored_count
FROM (SELECT * FROM entries UNION ALL SELECT * FROM latecomers) AS span
ORDER BY span.stored_xid, span.batch_id, part, first LIMIT {_MAX_SPANS}"""

# One span after the other, so that the first rows are there before the last ones were read. OFFSET keeps the filters
# outside: a planner that expects few rows to fit would read all that there are once rather than some for each span.
_ROWS = f"""
SELECT span.number, {COLUMNS}
FROM (SELECT * FROM unnest(%s::int[], %s::int[], %s::timestamptz[], %s::uuid[], %s::int[], %s::int[], %s::bool[])
      AS span (number, of_application, came_at, of_batch, first, last, is_late) ORDER BY number) AS span,
LATERAL (SELECT * FROM log_entries
         WHERE application_id = of_application AND received_at = came_at
           AND batch_id = of_batch AND position BETWEEN first AND last
           AND (is_late OR NOT EXISTS (SELECT FROM late_records late WHERE late.batch_id = log_entries.batch_id
                                       AND late.position = log_entries.position))
         OFFSET 0) AS log_entries
WHERE {{conditions}} ORDER BY span.number, position"""


@dataclass(frozen=True, slots=True)
class _State:
    """See storing_state in the schema; ``is_held_back`` for longer than a chunk takes."""

    horizon: int
    oldest_running: int
    newest: int
    history: str
    is_held_back: bool


@dataclass(frozen=True, slots=True)
class _Span:
    """Records of one entry, from ``first`` to ``last``; or one that came late."""

    xid: int
    batch_id: UUID
    part: int
    first: int
    last: int
    is_late: bool
    application_id: int
    received_at: datetime

    def place(self, position: int) -> Place:
        return Place(self.xid, self.batch_id, self.part, position)

    def after(self, place: Place) -> "_Span":
        """What is left of the span behind ``place``."""
        is_begun = (self.xid, self.batch_id, self.part) == (place.xid, place.batch_id, place.part)
        return replace(self, first=max(self.first, place.position + 1)) if is_begun else self


class PostgresTail:
    """See Tail: of the logs in ``visible`` that fit ``filters``."""

    def __init__(self, database: Database, visible: Visible, filters: Filters) -> None:
        self._database, self._visible = database, visible
        self._conditions = _conditions(filters, visible)

    def begin(self) -> Cursor:
        """See Tail.begin."""
        with self._reading() as open_cursor:
            state = _state(open_cursor, 0)
        return Cursor(state.history, Place(state.oldest_running))

    def check(self, cursor: Cursor) -> Place:
        """See Tail.check."""
        with self._reading() as open_cursor:
            state = _state(open_cursor, cursor.place.xid)
        if cursor.history != state.history or cursor.place.xid > state.newest:
            detail = "the database was restored or failed over since this cursor: begin again without one"
            raise RejectedInput("cursor_lost", detail, status=409)
        return cursor.place

    def read(self, place: Place, limit: int) -> Page:
        """See Tail.read."""
        with self._reading() as open_cursor:
            state = _state(open_cursor, place.xid)
            spans, is_cut = self._spans(open_cursor, place, state.horizon)
            logs, last = self._logs(open_cursor, spans, limit)
        if last is None and is_cut:
            last = spans[-1].place(spans[-1].last)
        if last is not None:
            return Page(logs, last, True, state.is_held_back)
        has_more, is_complete = state.horizon < state.oldest_running, state.horizon == state.newest
        return Page(logs, Place(state.horizon), has_more, state.is_held_back, is_complete)

    @contextmanager
    def _reading(self) -> Iterator[cursor]:
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_SETTINGS)
            show_applications(open_cursor, None if self._visible.is_all else self._visible.ids)
            yield open_cursor

    def _spans(self, open_cursor: cursor, place: Place, horizon: int) -> tuple[list[_Span], bool]:
        """What lies between ``place`` and the transaction ``horizon``, and whether that is not all of it."""
        bounds = {"xid": place.xid, "part": place.part, "position": place.position, "batch_id": place.batch_id.hex}
        open_cursor.execute(_SPANS, bounds | {"horizon": horizon, "ids": self._visible.ids})
        rows = open_cursor.fetchall()
        spans: list[_Span] = []
        record_count = 0
        for number, (xid, batch_id, *rest, stored_count) in enumerate(rows, 1):
            span = _Span(int(xid), UUID(batch_id), *rest).after(place)
            if span.first <= span.last:
                spans.append(span)
                record_count += stored_count
            if record_count >= _MAX_RECORDS:
                return spans, number < len(rows) or len(rows) == _MAX_SPANS
        return spans, len(rows) == _MAX_SPANS

    def _logs(self, open_cursor: cursor, spans: list[_Span], limit: int) -> tuple[list[dict[str, Any]], Place | None]:
        """The first logs of ``spans``, and the place of the last one if there are more than a page holds."""
        logs: list[dict[str, Any]] = []
        size, place = 0, None
        for number, *row in _rows(open_cursor, spans, self._conditions, limit + 1):
            shown = document(row, self._visible.names)
            size += answer_bytes(shown)
            if logs and (size > _MAX_BYTES or len(logs) == limit):
                return logs, place
            logs.append(shown)
            place = spans[number].place(row[1])
        return logs, None


def _conditions(filters: Filters, visible: Visible) -> Sql:
    parts = [filters_sql(filters, visible)]
    if filters.since is not None:
        parts.append(("event_at >= %s", [filters.since]))
    if filters.until is not None:
        parts.append(("event_at < %s", [filters.until]))
    if filters.batch_id is not None:
        parts.append(("batch_id = %s::uuid", [filters.batch_id.hex]))
    return " AND ".join(f"({sql})" for sql, _ in parts), [value for _, values in parts for value in values]


def _state(open_cursor: cursor, after: int) -> _State:
    open_cursor.execute(_STATE, (timedelta(seconds=BEHIND_SECONDS), after, _MAX_ENTRIES))
    ((horizon, oldest_running, newest, history, is_held_back),) = open_cursor.fetchall()
    return _State(int(horizon), int(oldest_running), int(newest), history, is_held_back)


def _rows(open_cursor: cursor, spans: list[_Span], conditions: Sql, limit: int) -> Iterator[Any]:
    """Rows of COLUMNS behind the numbers of their spans, some at a time."""
    if not spans:
        return
    sql, values = conditions
    columns = [
        list(range(len(spans))),
        *([getattr(span, name) for span in spans] for name in ("application_id", "received_at")),
        [span.batch_id.hex for span in spans],
        *([getattr(span, name) for span in spans] for name in ("first", "last", "is_late")),
    ]
    statement = _ROWS.format(conditions=sql)
    open_cursor.execute(f"DECLARE found NO SCROLL CURSOR FOR {statement} LIMIT %s", [*columns, *values, limit])
    while True:
        open_cursor.execute(f"FETCH {_FETCH_ROWS} FROM found")
        if not (rows := open_cursor.fetchall()):
            return
        yield from rows
