"""Reading stored records in windows of event time, so that a page ends early and half an answer is of use.

A window holds about as many records as one statement reads in a moment; its border is found in the index alone. When
the budget is used up, what was read up to the last border is complete.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg2.errors import QueryCanceled
from psycopg2.extensions import cursor

from sluice.errors import Unavailable
from sluice.runtime.postgres import Database, show_applications
from sluice.search.model import Filters, Visible
from sluice.search.postgres_conditions import Sql
from sluice.search.postgres_groups import EARLIEST, LATEST
from sluice.search.postgres_templates import Runs, template_runs
from sluice.search.required import required_templates

BUDGET_SECONDS = 10.0
MAX_ROWS = 50_000_000
_LEAST_SECONDS = 0.2  # that a statement gets
_FEW_PER_APPLICATION = 500
_GROWTH = 4
RESOLUTION = timedelta(microseconds=1)  # of times in the database

# The receive days that can hold these event times: constants that the planner prunes partitions with. And their bounds.
_DAYS = """
SELECT min(day)::timestamp AT TIME ZONE 'UTC', (max(day) + 1)::timestamp AT TIME ZONE 'UTC',
       greatest(min(event_from), '0001-01-01Z'), least(max(event_until), '9999-12-31 23:59:59.999999Z')
FROM event_time_bounds
WHERE event_until > coalesce(%s, '-infinity'::timestamptz) AND event_from < coalesce(%s, 'infinity'::timestamptz)
  AND application_id = ANY (%s)"""
_BATCH = """
SELECT min(application_id), min(received_at), max(received_at) + interval '1 microsecond' FROM ledger
WHERE batch_id = %s"""


@dataclass(frozen=True, slots=True)
class Budget:
    """What one request may cost. ``seconds`` of reading, at most ``max_rows`` looked at."""

    seconds: float = BUDGET_SECONDS
    max_rows: int = MAX_ROWS
    clock: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class Scan:
    """The records of ``ids`` received and dated within bounds, inside a transaction that may only read."""

    cursor: cursor
    ids: list[int]
    received: tuple[datetime, datetime]
    since: datetime | None
    until: datetime | None
    budget: Budget
    batch_id: UUID | None = None
    stored: tuple[datetime, datetime] = (EARLIEST, LATEST)  # event times outside of which there are no records
    runs: Runs | None = None  # event times, in order, outside of which nothing is wanted; None: not known
    is_partial: bool = False  # whether ``walk`` ended before the last window
    reached: datetime | None = None  # the last border up to which ``walk`` got
    window: tuple[datetime | None, datetime | None] = (None, None)  # where ``walk`` is: from, and up to but without
    _row_count: int = 0  # of the windows behind it, at most
    _ends_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._ends_at = self.budget.clock() + self.budget.seconds

    def execute(self, sql: str, values: Sequence[Any]) -> None:
        """Runs statements within what is left of the budget; raises QueryCanceled at its end."""
        left = max(self._ends_at - self.budget.clock(), _LEAST_SECONDS)
        self.cursor.execute(f"SET LOCAL statement_timeout = {left * 1_000:.0f}; {sql}", values)

    def rows(self, sql: str, values: Sequence[Any]) -> list[Any]:
        """What the last statement returns; see ``execute``."""
        self.execute(sql, values)
        return self.cursor.fetchall()

    def has_time(self) -> bool:
        """Whether some of the budget is left."""
        return self.budget.clock() < self._ends_at

    def within_budget[Result](self, read: Callable[[], Result]) -> Result:
        """What ``read`` returns. Raises Unavailable ``query_timed_out``."""
        try:
            return read()
        except QueryCanceled as error:
            raise self.timed_out() from error

    def timed_out(self) -> Unavailable:
        """The error for a read that has nothing to show."""
        return Unavailable("query_timed_out", f"nothing could be read within {self.budget.seconds} s")

    def walk(self, is_ascending: bool, first_size: int, last_size: int, use: Callable[[Sql], bool]) -> None:
        """Gives ``use`` the condition on each window's rows, in order of time, until it returns that it has enough.

        Windows hold from ``first_size`` rows on, each a multiple of the one before, up to ``last_size``. The budget may
        be used up within a window: then it counts as not read, although ``use`` may have seen some of it.
        """
        try:
            for since, until in list(self._stretches(is_ascending)):
                if self.reached is not None and self._is_spent():
                    self.is_partial = True
                    return
                self.since, self.until = since, until
                if self._walk_stretch(is_ascending, first_size, last_size, use):
                    return
                self.reached = until if is_ascending else since
        except QueryCanceled:
            self.is_partial = True

    def _walk_stretch(self, is_ascending: bool, size: int, last_size: int, use: Callable[[Sql], bool]) -> bool:
        """Walks from ``since`` to ``until``; returns whether that was the end of it."""
        while True:
            border = None if self.batch_id else self._border(is_ascending, size)
            if use(self._window(is_ascending, border)):
                return True
            self._row_count += size
            if border is None:
                return False
            self.reached = border
            size = min(size * _GROWTH, last_size)
            self.since, self.until = (border, self.until) if is_ascending else (self.since, border)
            if self._is_spent():
                self.is_partial = True
                return True

    def _is_spent(self) -> bool:
        return not self.has_time() or self._row_count >= self.budget.max_rows

    def _stretches(self, is_ascending: bool) -> Iterator[tuple[datetime | None, datetime | None]]:
        """What there is to walk, in the order of the walk."""
        if self.runs is None:
            yield self.since, self.until
            return
        for first, end in self.runs if is_ascending else reversed(self.runs):
            since = max(first, self.since or first)
            until = end if self.until is None else min(self.until, end or self.until)
            if until is None or since < until:
                yield since, until

    def within(self, since: datetime | None, until: datetime | None) -> Sql:
        """The condition that a row is of this scan, and its event time within bounds."""
        one = len(self.ids) == 1
        parts: list[Sql] = [
            ("application_id = %s", [self.ids[0]]) if one else ("application_id = ANY (%s::int[])", [self.ids]),
            ("received_at >= %s AND received_at < %s", [*self.received]),
        ]
        if since is not None:
            parts.append(("event_at >= %s", [since]))
        if until is not None:
            parts.append(("event_at < %s", [until]))
        if self.batch_id is not None:
            parts.append(("batch_id = %s::uuid", [self.batch_id.hex]))
        return " AND ".join(sql for sql, _ in parts), [value for _, values in parts for value in values]

    def _window(self, is_ascending: bool, border: datetime | None) -> Sql:
        if border is None:
            self.window = self.since, self.until
        else:
            self.window = (self.since, border) if is_ascending else (border, self.until)
        return self.within(*self.window)

    def _border(self, is_ascending: bool, size: int) -> datetime | None:
        """The time that ends the next window; None if the rest is one. No application has more than ``size`` records
        in it, but for those of a single instant."""
        share = max(size // len(self.ids), _FEW_PER_APPLICATION)
        nearest, direction = ("min", "") if is_ascending else ("max", "DESC")
        conditions, values = self.within(self.since, self.until)
        _, _, conditions = conditions.partition(" AND ")
        found = self.rows(
            f"SELECT {nearest}(event_at) FROM unnest(%s::int[]) AS of_one, LATERAL (SELECT event_at FROM log_entries"
            f" WHERE application_id = of_one AND {conditions} ORDER BY event_at {direction} OFFSET %s LIMIT 1) AS nth",
            [self.ids, *values[1:], share],
        )
        border: datetime | None = found[0][0]
        if border is None or not is_ascending:
            return border
        return just_after(border) if border == self.since else border


def just_after(moment: datetime) -> datetime | None:
    """The next moment that the database can tell apart; None if there is none."""
    try:
        return moment + RESOLUTION
    except OverflowError:
        return None


@contextmanager
def open_scan(database: Database, visible: Visible, filters: Filters, budget: Budget) -> Iterator[Scan | None]:
    """A scan of what ``filters`` leave by time, application and batch; None if that is nothing. Raises Unavailable."""
    with database.transaction() as open_cursor:
        # Compiling a statement for 30 partitions takes longer than running it.
        settings = {"statement_timeout": f"{budget.seconds}s", "jit": "off", "transaction_read_only": "on"}

        def run(sql: str, values: Sequence[Any]) -> None:
            show_applications(open_cursor, None if visible.is_all else visible.ids, sql, values, **settings)

        scan = scan_within(open_cursor, visible, filters, budget, run)
        templates = required_templates(filters.condition)
        if scan and templates is not None and not filters.batch_id:
            scan.runs = template_runs(scan.rows, templates, scan.ids, (filters.since, filters.until))
        yield scan


def scan_within(
    open_cursor: cursor,
    visible: Visible,
    filters: Filters,
    budget: Budget,
    run: Callable[[str, Sequence[Any]], None] | None = None,
) -> Scan | None:
    """A scan inside a transaction that ``open_scan`` began, or begins by ``run``."""
    run = run or open_cursor.execute
    if filters.batch_id:
        run(_BATCH, (filters.batch_id.hex,))
        application_id, received_from, received_until = open_cursor.fetchone() or (None, None, None)
        if application_id is not None:  # of a batch the ledger knows all that exactly
            ids = [application_id] if application_id in visible.names else []
            received = (received_from, received_until)
            scan = Scan(open_cursor, ids, received, filters.since, filters.until, budget, filters.batch_id)
            return scan if ids else None
    run(_DAYS, (filters.since, filters.until, visible.ids))
    first, end, *stored = open_cursor.fetchone() or (None, None)
    if first is None or end is None:
        return None
    scan = Scan(open_cursor, visible.ids, (first, end), filters.since, filters.until, budget, filters.batch_id)
    scan.stored = (stored[0], stored[1])
    return scan
