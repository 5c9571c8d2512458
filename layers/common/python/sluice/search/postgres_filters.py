"""Text search through word filters: reads the groups of rows that may match, and what no filter covers yet.

Groups are taken in the order of their event times, so a page is full as soon as nothing that is left can precede its
last row. A group whose blocks are known is read from them, others through the index on receipt. All of it runs in the
caller's transaction, under its row security.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg2.errors import QueryCanceled

from sluice.search.postgres_ranges import Execute, RangeReader
from sluice.search.ranges import Blocks, RowRange, disjoint
from sluice.search.words import Clauses, hashes

MAX_PENDING_ROWS = 300_000  # above it, filters lag too much to be of use
MAX_SHARE = 0.4  # of groups that may match: above it, walking through the rows finds a page sooner
_JUDGED_FROM = 100  # groups
_MAX_PENDING_ENTRIES = 50_000
_TARGET_FILTERS = 30_000  # a statement
_FIRST_RANGES, _MOST_RANGES = 32, 512  # a statement
_WIDE = timedelta(hours=1)  # see word_filters.is_wide
_INSTANT = timedelta(microseconds=1)
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_POSITIONS = (-(2**31), 2**31 - 1)

_MARK = """
SELECT stored_xid::text, batch_id::text, part FROM word_filter_progress
WHERE stored_xid < pg_snapshot_xmax(pg_current_snapshot())"""

_PENDING = f"""
SELECT application_id, min(received_at), max(received_at), sum(stored_count)::bigint, count(*)
FROM (SELECT application_id, received_at, stored_count FROM ledger
      WHERE (stored_xid, batch_id, part) > (%s::xid8, %s::uuid, %s) LIMIT {_MAX_PENDING_ENTRIES}) AS entry
WHERE application_id = ANY (%s) GROUP BY application_id, date_bin('1 second', received_at, 'epoch')"""

_NEXT = """
SELECT {extreme}(edge) FROM unnest(%s::int[]) AS application (id), LATERAL (
    SELECT {column} AS edge FROM word_filters
    WHERE application_id = application.id AND {column} >= %s AND {column} <= %s
      AND received_from >= %s AND received_from < %s
    ORDER BY {column} {order} LIMIT 1) AS found"""

_CANDIDATES = """
WITH seen AS MATERIALIZED (
    SELECT application_id, received_from, received_until, position_from, position_until, event_from, event_until,
           heap_id, first_block, block_count, filter IS NULL OR ({test}) AS may_match
    FROM word_filters
    WHERE application_id = ANY (%s) AND received_from >= %s AND received_from < %s
      AND event_until >= %s AND event_from <= %s AND {window})
SELECT application_id, received_from, received_until, position_from, position_until, event_from, event_until,
       heap_id, first_block, block_count
FROM seen WHERE may_match
UNION ALL SELECT null, null, null, null, null, null, null, null, null, count(*) FROM seen"""

_READ = """
SELECT found.* FROM {rows} ORDER BY 1 {order}, 2 {order}, 3 {order} LIMIT %s"""


@dataclass(frozen=True, slots=True)
class FilteredSearch:
    """Rows of log_entries, a page's worth. ``columns`` and ``condition`` are SQL over it, ``values`` those of the
    condition's placeholders; ``clauses`` must follow from the condition, which is what decides."""

    clauses: Clauses
    application_ids: Sequence[int]
    received: tuple[datetime, datetime]  # the second excluded: where all rows of the event times are
    columns: str = "null"
    condition: str = "true"
    values: Sequence[Any] = ()
    limit: int = 0
    event_from: datetime | None = None
    event_until: datetime | None = None  # included
    is_ascending: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """Rows in order, each beginning with event time, batch id (text) and position. ``reached`` is None if they are all
    there is within the limit; else time was up, and what lies beyond this event time, itself included, was not read."""

    rows: list[tuple[Any, ...]]
    reached: datetime | None = None


def find(execute: Execute, search: FilteredSearch, has_time: Callable[[], bool]) -> Found | None:
    """The rows of the first page of ``search``. None if word filters are of no use to it: because nearly all groups may
    match, or because too much is not in them yet; then nothing is known. ``has_time`` is asked between statements; a
    statement that is cancelled ends the page, too, and the transaction can do no more."""
    if not search.clauses:
        return None
    run = _Search(execute, search, has_time)
    try:
        pending = _pending(execute, search)
        return None if pending is None else run.run(pending)
    except QueryCanceled:
        return Found(run.best(), run.reached)


def narrow(execute: Execute, search: FilteredSearch) -> list[RowRange] | None:
    """Ranges, no row in two of them, that hold all rows of ``search`` whatever its limit; None as in ``find``. Raises
    QueryCanceled."""
    pending = _pending(execute, search) if search.clauses else None
    if pending is None:
        return None
    ranges = _Search(execute, search, lambda: True).all_candidates()
    return None if ranges is None else disjoint([*pending, *ranges])


def _pending(execute: Execute, search: FilteredSearch) -> list[RowRange] | None:
    """The rows that no filter covers yet; None if they are too many, or if the progress is not of this database."""
    marks = execute(_MARK, ())
    if not marks:
        return None
    found = execute(_PENDING, (*marks[0], list(search.application_ids)))
    if sum(row[3] for row in found) > MAX_PENDING_ROWS or sum(row[4] for row in found) >= _MAX_PENDING_ENTRIES:
        return None
    bounds = (search.event_from or EARLIEST, search.event_until or LATEST)
    return [RowRange(application_id, first, last, *_POSITIONS, *bounds) for application_id, first, last, _, _ in found]


@dataclass(slots=True)
class _Search:
    """One run."""

    execute: Execute
    search: FilteredSearch
    has_time: Callable[[], bool]
    rows: dict[tuple[str, int], tuple[Any, ...]] = field(default_factory=dict)
    seen_count: int = 0
    match_count: int = 0
    reached: datetime = field(init=False)  # what lies beyond this event time, itself included, may not have been read
    _reader: RangeReader = field(init=False)

    def __post_init__(self) -> None:
        first, last = self._event_bounds
        self.reached = first if self.search.is_ascending else last

    def run(self, pending: list[RowRange]) -> Found | None:
        """See ``find``. Raises QueryCanceled."""
        self._reader = RangeReader(self.execute, self.search.application_ids, self.search.received)
        self._read(pending)
        for ranges, beyond in self._windows():
            if self._is_common:
                return None
            stopped = self._read_in_order(ranges, beyond)
            if stopped is not None:
                return Found(self.best(), None if self._is_full(stopped) else stopped)
            self.reached = beyond
        return Found(self.best())

    def all_candidates(self) -> list[RowRange] | None:
        """All groups that may match, in no order; None if nearly all may."""
        _, last = self._event_bounds
        ranges = [
            *self._candidates("is_wide", [])[0],
            *self._candidates("NOT is_wide AND event_until <= %s", [_shifted(last, _WIDE)])[0],
        ]
        return None if self._is_common else ranges

    @property
    def _is_common(self) -> bool:
        return self.seen_count >= _JUDGED_FROM and self.match_count > MAX_SHARE * self.seen_count

    def _read_in_order(self, ranges: list[RowRange], beyond: datetime) -> datetime | None:
        """Reads ranges until the page is full or time is up: then the first event time of what was not read."""
        at, size = 0, _FIRST_RANGES
        while at < len(ranges):
            self.reached = self._edge(ranges[at])
            if self._is_full(self._edge(ranges[at])) or not self.has_time():
                return self._edge(ranges[at])
            self._read(ranges[at : at + size])
            at, size = at + size, min(size * 2, _MOST_RANGES)
        return beyond if self._is_full(beyond) or not self.has_time() else None

    def _read(self, ranges: list[RowRange]) -> None:
        search = self.search
        sql = _READ.replace("{order}", self._order)
        rows = self._reader.read(
            disjoint(ranges),
            f"event_at, batch_id, position, {search.columns}",
            "found",
            (f"event_at >= %s AND event_at <= %s AND ({search.condition})", [*self._event_bounds, *search.values]),
            lambda rows, values: (sql.replace("{rows}", rows), [*values, search.limit]),
        )
        self.rows |= {(row[1], row[2]): row for row in rows}
        self.rows = {(row[1], row[2]): row for row in self.best()}

    def _windows(self) -> Iterator[tuple[list[RowRange], datetime]]:
        """Groups that may match, in order, a window of event times each, and the first event time of all later windows.
        Before them the few wide groups that begin far outside of the bounds."""
        first, last = self._event_bounds
        start = _shifted(first, -_WIDE) if self.search.is_ascending else _shifted(last, _WIDE)
        near, column = ("<", "event_from") if self.search.is_ascending else (">", "event_until")
        if start not in (EARLIEST, LATEST):
            ranges, _ = self._candidates(f"is_wide AND {column} {near} %s", [start])
            yield ranges, last if not self.search.is_ascending else first
        width = timedelta(minutes=10)
        edge = self._next_edge(start)
        while edge is not None:
            end = _shifted(edge, width if self.search.is_ascending else -width)
            ranges, count = self._candidates(f"{column} BETWEEN %s AND %s", sorted((edge, end)))
            beyond = _shifted(end, _INSTANT if self.search.is_ascending else -_INSTANT)
            yield ranges, beyond
            if end in (EARLIEST, LATEST):
                return
            width *= max(0.25, min(8.0, _TARGET_FILTERS / max(count, 1)))
            edge = self._next_edge(beyond)

    def _candidates(self, window: str, values: list[datetime]) -> tuple[list[RowRange], int]:
        """The groups of a window that may match, in order, and how many there are."""
        test, numbers = _test(self.search.clauses)
        first, last = self._event_bounds
        *found, (*_, count) = self.execute(
            _CANDIDATES.format(test=test, window=window),
            [*numbers, list(self.search.application_ids), *self.search.received, first, last, *values],
        )
        self.seen_count += count
        self.match_count += len(found)
        ranges = [replace(RowRange(*row[:-3]), blocks=Blocks(*row[-3:])) for row in found]
        return sorted(ranges, key=self._edge, reverse=not self.search.is_ascending), count

    def _next_edge(self, beyond: datetime) -> datetime | None:
        """The first event time at or beyond which there are groups at all."""
        first, last = self._event_bounds
        if self.search.is_ascending:
            extreme, column, bounds = "min", "event_from", (beyond, last)
        else:
            extreme, column, bounds = "max", "event_until", (first, beyond)
        ((edge,),) = self.execute(
            _NEXT.format(extreme=extreme, column=column, order=self._order),
            [list(self.search.application_ids), *bounds, *self.search.received],
        )
        next_edge: datetime | None = edge
        return next_edge

    @property
    def _order(self) -> str:
        return "ASC" if self.search.is_ascending else "DESC"

    @property
    def _event_bounds(self) -> tuple[datetime, datetime]:
        return self.search.event_from or EARLIEST, self.search.event_until or LATEST

    def _edge(self, item: RowRange) -> datetime:
        """The first event time, in the order of the search, that is in the range and wanted."""
        first, last = self._event_bounds
        return max(item.event_from, first) if self.search.is_ascending else min(item.event_until, last)

    def _is_full(self, beyond: datetime) -> bool:
        """Whether nothing at or beyond an event time can be on the page."""
        if len(self.rows) < self.search.limit:
            return False
        last = self.best()[-1][0]
        return bool(last < beyond if self.search.is_ascending else last > beyond)

    def best(self) -> list[tuple[Any, ...]]:
        """The rows that were found, in order, as far as the page holds them."""
        ordered = sorted(self.rows.values(), key=lambda row: row[:3], reverse=not self.search.is_ascending)
        return ordered[: self.search.limit]


def _test(clauses: Clauses) -> tuple[str, list[int]]:
    """SQL that tells whether a filter may hold a token of each clause, and the values of its placeholders."""
    ordered = [sorted(clause) for clause in clauses]
    bit = "get_bit(filter, %s::bigint * bit_count >> 32) = 1"
    sql = " AND ".join(
        "(" + " OR ".join("(" + " AND ".join(bit for _ in hashes(token)) + ")" for token in clause) + ")"
        for clause in ordered
    )
    return sql, [number for clause in ordered for token in clause for number in hashes(token)]


def _shifted(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return LATEST if by > timedelta(0) else EARLIEST
