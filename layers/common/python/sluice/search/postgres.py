"""Reading stored records under the reader's row security."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sluice.runtime.postgres import Database
from sluice.search.model import MAX_LIMIT, Cursor, Filters, LogQuery, Neighbourhood, Page, Visible
from sluice.search.postgres_conditions import Sql, filters_sql
from sluice.search.postgres_filters import Found, find
from sluice.search.postgres_groups import EARLIEST, LATEST, FilteredSearch
from sluice.search.postgres_rows import COLUMNS, NEWEST_FIRST, OLDEST_FIRST, answer_bytes, document, projected
from sluice.search.postgres_scan import RESOLUTION, Budget, Scan, just_after, open_scan, scan_within
from sluice.search.required import required
from sluice.search.words import are_levels

MAX_PAGE_BYTES = 4_000_000  # Lambda refuses answers above 6 MB
_FIRST_WINDOW_ROWS, _LAST_WINDOW_ROWS = 2_000, 500_000
_ORDER_COLUMNS = 3  # that stand before a row of ``find``
_FETCH_ROWS = 100  # at a time: the largest records take 128 KB each


class PostgresLogReader:
    """See LogReader: of the applications in ``visible``."""

    def __init__(self, database: Database, visible: Visible, budget: Budget | None = None) -> None:
        self._database, self._visible, self._budget = database, visible, budget or Budget()

    def search(self, query: LogQuery) -> Page:
        """See LogReader.search."""
        with open_scan(self._database, self._visible, query.filters, self._budget) as scan:
            return _PageReader(query, self._visible).read(scan)

    def find(self, batch_id: UUID, position: int, *, before: int, after: int) -> Neighbourhood | None:
        """See LogReader.find."""
        filters = Filters(batch_id=batch_id)
        with open_scan(self._database, self._visible, filters, self._budget) as scan:
            if scan is None:
                return None
            return scan.within_budget(lambda: self._neighbourhood(scan, position, before, after))

    def _neighbourhood(self, scan: Scan, position: int, before: int, after: int) -> Neighbourhood | None:
        conditions, values = scan.within(None, None)
        rows = scan.rows(f"SELECT {COLUMNS} FROM log_entries WHERE {conditions} AND position = %s", [*values, position])
        if not rows:
            return None
        earlier = self._beside(scan, rows[0], before, is_after=False)
        later = self._beside(scan, rows[0], after, is_after=True)
        return Neighbourhood(document(rows[0], self._visible.names), earlier[::-1], later)

    def _beside(self, scan: Scan, row: Any, limit: int, *, is_after: bool) -> list[dict[str, Any]]:
        """The nearest records on one side of ``row``, the nearest first."""
        visible = replace(self._visible, names={row[2]: self._visible.names[row[2]]})
        bounds = Filters(since=row[3]) if is_after else Filters(until=just_after(row[3]))
        side = scan_within(scan.cursor, visible, bounds, self._budget)
        if side is None or limit == 0:
            return []
        (window, values), (place, place_values) = (
            side.within(side.since, side.until),
            _beyond(row[3], row[0], row[1], is_after),
        )
        order = OLDEST_FIRST if is_after else NEWEST_FIRST
        rows = side.rows(
            f"SELECT {COLUMNS} FROM log_entries WHERE {window} AND {place} ORDER BY {order} LIMIT %s",
            [*values, *place_values, limit],
        )
        return [document(found, visible.names) for found in rows]


class _PageReader:
    """Gathers one page of ``query``, window by window."""

    def __init__(self, query: LogQuery, visible: Visible) -> None:
        self._query, self._names = query, visible.names
        self._is_backwards = bool(query.cursor and query.cursor.is_backwards)
        self._is_ascending = query.is_ascending != self._is_backwards
        self._filters = filters_sql(query.filters, visible)
        self._clauses = required(query.filters)
        self._answer: Page | None = None  # as soon as it is found on the way
        self._rows: list[Any] = []
        self._logs: list[dict[str, Any]] = []
        self._bytes = 0
        self._has_more = False

    def read(self, scan: Scan | None) -> Page:
        if scan is None:
            return self._page(None)
        if cursor := self._query.cursor:
            if self._is_ascending:
                scan.since = max(cursor.event_at, scan.since or cursor.event_at)
            elif end := just_after(cursor.event_at):
                scan.until = min(end, scan.until or end)
        looks_first = are_levels(self._clauses) and scan.runs is None
        if not looks_first and (found := self._find(scan, scan.since, scan.until)):
            return self._found(found)
        use = self._take_first if looks_first else self._take
        scan.walk(self._is_ascending, _FIRST_WINDOW_ROWS, _LAST_WINDOW_ROWS, lambda window: use(scan, window))
        if self._answer:
            return self._answer
        if self._has_more or not scan.is_partial:
            return self._page(None)
        return self._page(self._border(scan))

    def _border(self, scan: Scan) -> Cursor:
        """Where a page ends for which there was not time enough: at its last row, or behind the last window."""
        last, reached = self._rows[-1] if self._rows else None, scan.reached
        if last and (reached is None or (last[3] >= reached) == self._is_ascending):
            return self._place(last, False)
        if reached is not None:
            return Cursor(reached, UUID(int=0), -1, self._query.now)
        return self._query.cursor or self._before(EARLIEST if self._is_ascending else LATEST)

    def _before(self, event_at: datetime) -> Cursor:
        """The place from which all logs of an event time are still to come."""
        beyond = (UUID(int=0), -1) if self._is_ascending else (UUID(int=2**128 - 1), 2**31 - 1)
        return Cursor(event_at, *beyond, self._query.now)

    def _find(self, scan: Scan, since: datetime | None, until: datetime | None) -> Found | None:
        """The rows of the page between two times through word filters, where they are of use."""
        conditions, values = self._conditions(self._filters)
        search = FilteredSearch(
            clauses=self._clauses,
            application_ids=scan.ids,
            received=scan.received,
            columns=COLUMNS,
            condition=conditions,
            values=values,
            limit=min(self._query.limit, MAX_LIMIT) + 1,
            event_from=since,
            event_until=until and until - RESOLUTION,
            is_ascending=self._is_ascending,
            now=self._query.now,
            stored=scan.stored,
        )
        return None if scan.batch_id else find(scan.rows, search, scan.has_time)

    def _found(self, found: Found) -> Page:
        reached = found.reached
        for row in found.rows:
            if reached and (row[0] >= reached if self._is_ascending else row[0] <= reached):
                break
            if len(self._rows) == MAX_LIMIT or not self._add(row[_ORDER_COLUMNS:]):
                self._has_more = True
                return self._page(None)
        cursor = self._query.cursor
        if reached is None or (cursor and reached == cursor.event_at):  # then nothing behind the cursor was read
            return self._page(cursor if reached else None)
        return self._page(self._before(reached))

    def _conditions(self, *parts: Sql) -> Sql:
        """All of ``parts``, and that a row is beyond the cursor."""
        every = list(parts)
        if cursor := self._query.cursor:
            every.append(_beyond(cursor.event_at, cursor.batch_id.hex, cursor.position, self._is_ascending))
        return " AND ".join(f"({sql})" for sql, _ in every), [value for _, values in every for value in values]

    def _take_first(self, scan: Scan, window: Sql) -> bool:
        """As ``_take``. Most levels are nearly everywhere, so the first window fills the page; where it does not, word
        filters may find the rest."""
        if self._take(scan, window):
            return True
        since, until = (scan.window[1], scan.until) if self._is_ascending else (scan.since, scan.window[0])
        is_all = scan.window == (scan.since, scan.until)
        if scan.reached is None and not is_all and (found := self._find(scan, since, until)):
            self._answer = self._found(found)
        return self._answer is not None

    def _take(self, scan: Scan, window: Sql) -> bool:
        """Adds the window's rows; returns whether there is one too many for the page."""
        conditions, values = self._conditions(window, self._filters)
        scan.execute(
            f"DECLARE page NO SCROLL CURSOR FOR SELECT {COLUMNS} FROM log_entries WHERE {conditions}"
            f" ORDER BY {OLDEST_FIRST if self._is_ascending else NEWEST_FIRST} LIMIT %s",
            [*values, self._query.limit + 1 - len(self._rows)],
        )
        while rows := scan.rows(f"FETCH {_FETCH_ROWS} FROM page", []):
            if not all(map(self._add, rows)):
                self._has_more = True
                break
        scan.execute("CLOSE page", [])
        return self._has_more

    def _add(self, row: Any) -> bool:
        """Takes a row in; returns False if the page is full without it."""
        shown = projected(document(row, self._names), self._query.fields)
        self._bytes += answer_bytes(shown)
        if self._rows and (self._bytes > MAX_PAGE_BYTES or len(self._rows) == self._query.limit):
            return False
        self._rows.append(row)
        self._logs.append(shown)
        return True

    def _page(self, border: Cursor | None) -> Page:
        """The page that ends at ``border``, where that is not None, or else at its last row."""
        query, rows = self._query, self._rows
        is_partial = border is not None
        ahead = border or (self._place(rows[-1], self._is_backwards) if rows and self._has_more else None)
        if not self._is_backwards:
            behind = self._place(rows[0], True) if rows else query.cursor and query.cursor.reversed(self._is_ascending)
            return Page(self._logs, ahead, behind, is_partial)
        behind = self._place(rows[0], False) if rows else query.cursor and query.cursor.reversed(self._is_ascending)
        ahead = ahead and replace(ahead, is_backwards=True)
        ahead = ahead or (self._place(rows[-1], True) if rows else query.cursor)
        return Page(self._logs[::-1], behind, ahead, is_partial)

    def _place(self, row: Any, is_backwards: bool) -> Cursor:
        return Cursor(row[3], UUID(row[0]), row[1], self._query.now, is_backwards)


def _beyond(event_at: datetime, batch_id: str, position: int, is_after: bool) -> Sql:
    return f"(event_at, batch_id, position) {'>' if is_after else '<'} (%s, %s::uuid, %s)", [
        event_at,
        batch_id,
        position,
    ]
