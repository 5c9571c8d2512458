"""Text search through word filters: reads the groups of rows that may match, and what no filter covers yet.

Groups are taken in the order of their event times, so a page is full as soon as nothing that is left can precede its
last row. A group whose blocks are known is read from them, others through the index on receipt. All of it runs in the
caller's transaction, under its row security.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg2.errors import QueryCanceled

from sluice.search.postgres_groups import FilteredSearch, GroupReader
from sluice.search.postgres_ranges import Execute, RangeReader
from sluice.search.ranges import RowRange, disjoint

MAX_PENDING_ROWS = 300_000  # above it, filters lag too much to be of use
_MAX_PENDING_ENTRIES = 50_000
_FIRST_RANGES, _MOST_RANGES = 32, 512  # a statement
_ROWS_PER_RANGE = 8  # that may be found: as many ranges are read at first as a page may well need
_POSITIONS = (-(2**31), 2**31 - 1)

# The first row says that there is a progress, of this database. (The order is that of the index, so that no ledger is
# long enough to be read as a whole.)
_PENDING = f"""
WITH mark AS MATERIALIZED (
    SELECT stored_xid, batch_id, part FROM word_filter_progress
    WHERE stored_xid < pg_snapshot_xmax(pg_current_snapshot()))
SELECT null::int, null::timestamptz, null::timestamptz, 0::bigint, 0::bigint FROM mark
UNION ALL
SELECT application_id, min(received_at), max(received_at), sum(stored_count)::bigint, count(*)
FROM (SELECT application_id, received_at, stored_count FROM ledger
      WHERE (stored_xid, batch_id, part) > (SELECT stored_xid, batch_id, part FROM mark)
      ORDER BY ledger.stored_xid, ledger.batch_id, ledger.part LIMIT {_MAX_PENDING_ENTRIES}) AS entry
WHERE application_id = ANY (%s) GROUP BY application_id, date_bin('1 second', received_at, 'epoch')"""

_READ = """
SELECT found.* FROM {rows} ORDER BY 1 {order}, 2 {order}, 3 {order} LIMIT %s"""


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
    groups = GroupReader(execute, search)
    ranges = groups.all()
    return None if groups.is_common else disjoint([*pending, *ranges])


def _pending(execute: Execute, search: FilteredSearch) -> list[RowRange] | None:
    """The rows that no filter covers yet; None if they are too many, or if the progress is not of this database."""
    progress, *found = execute(_PENDING, (list(search.application_ids),)) or [None]
    if progress is None:
        return None
    if sum(row[3] for row in found) > MAX_PENDING_ROWS or sum(row[4] for row in found) >= _MAX_PENDING_ENTRIES:
        return None
    return [
        RowRange(application_id, first, last, *_POSITIONS, *search.event_bounds)
        for application_id, first, last, _, _ in found
    ]


@dataclass(slots=True)
class _Search:
    """One run."""

    execute: Execute
    search: FilteredSearch
    has_time: Callable[[], bool]
    rows: dict[tuple[str, int], tuple[Any, ...]] = field(default_factory=dict)
    reached: datetime = field(init=False)  # what lies beyond this event time, itself included, may not have been read
    _groups: GroupReader = field(init=False)
    _reader: RangeReader = field(init=False)

    def __post_init__(self) -> None:
        self._groups = GroupReader(self.execute, self.search)
        first, last = self.search.event_bounds
        self.reached = first if self.search.is_ascending else last

    def run(self, pending: list[RowRange]) -> Found | None:
        """See ``find``. Raises QueryCanceled."""
        self._reader = RangeReader(self.execute, self.search.application_ids, self.search.received)
        self._read(pending)
        for ranges, beyond in self._groups.windows():
            if self._groups.is_common:
                return None
            stopped = self._read_in_order(ranges, beyond)
            if stopped is not None:
                return Found(self.best(), None if self._is_full(stopped) else stopped)
            self.reached = beyond
        return Found(self.best())

    def _read_in_order(self, ranges: list[RowRange], beyond: datetime) -> datetime | None:
        """Reads ranges until the page is full or time is up: then the first event time of what was not read."""
        at, size = 0, max(_FIRST_RANGES, self.search.limit // _ROWS_PER_RANGE)
        while at < len(ranges):
            self.reached = self._groups.edge(ranges[at])
            if self._is_full(self._groups.edge(ranges[at])) or not self.has_time():
                return self._groups.edge(ranges[at])
            self._read(ranges[at : at + size])
            at, size = at + size, min(size * 2, _MOST_RANGES)
        return beyond if self._is_full(beyond) or not self.has_time() else None

    def _read(self, ranges: list[RowRange]) -> None:
        search = self.search
        sql = _READ.replace("{order}", search.order)
        rows = self._reader.read(
            disjoint(ranges),
            f"event_at, batch_id, position, {search.columns}",
            "found",
            (
                f"event_at >= %s AND event_at <= %s AND ({search.condition})",
                [*self.search.event_bounds, *search.values],
            ),
            lambda rows, values: (sql.replace("{rows}", rows), [*values, search.limit]),
        )
        self.rows |= {(row[1], row[2]): row for row in rows}
        self.rows = {(row[1], row[2]): row for row in self.best()}

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
