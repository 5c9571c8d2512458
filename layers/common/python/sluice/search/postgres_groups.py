"""Groups of rows that may match, by their word filters, in windows of event time and the order of a search.

Filters stand by themselves at first, and in slabs later. They may get there while a search reads: what is not (or no
longer) by itself in the window of a statement is in a slab that overlaps the window, so these are read in the same one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from sluice.search.postgres_ranges import Execute
from sluice.search.ranges import Blocks, RowRange
from sluice.search.slabs import MEMBER_BYTES, SLICE_BYTES, matching, ranges
from sluice.search.words import HASHES, Clauses, hashes

MAX_SHARE = 0.4  # of groups that may match: above it, walking through the rows finds a page sooner
_JUDGED_FROM = 100  # groups
_TARGET_FILTERS = 30_000  # a statement
_FILTERS_PER_SLAB = 50  # take as long as the slices of a slab
_FIRST_WIDTH = timedelta(minutes=10)
_WIDE = timedelta(hours=1)  # see word_filters.is_wide
_INSTANT = timedelta(microseconds=1)
_TOKEN_BYTES = HASHES * SLICE_BYTES
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

_SPANS = """
application_id, received_from, received_until, position_from, position_until, event_from, event_until, heap_id,
first_block, block_count"""
_WANTED = """
application_id = ANY (%s) AND received_from >= %s AND received_from < %s AND event_until >= %s AND event_from <= %s"""
_CANDIDATES = f"""
WITH alone AS MATERIALIZED (
    SELECT {_SPANS}, filter IS NULL OR ({{test}}) AS may_match FROM word_filters
    WHERE {_WANTED} AND slab_id IS NULL AND {{window}})
SELECT {_SPANS}, null AS slab_id, null AS slices FROM alone WHERE may_match
UNION ALL
SELECT application_id, received_from, null, null, null, null, null, null, null, octet_length(members) / {MEMBER_BYTES},
       slab_id::text, (
    SELECT string_agg(substr(slab, ((bit & 7) * (bit_count / 8) + (bit >> 3)) * {SLICE_BYTES} + 1, {SLICE_BYTES}), '')
    FROM unnest(%s::bigint[]) AS number, LATERAL (SELECT (number * bit_count >> 32)::int AS bit) AS of_filter)
FROM word_filters WHERE {_WANTED} AND slab_id IS NOT NULL AND {{slabs}} AND slab_id <> ALL (%s::uuid[])
UNION ALL
SELECT null, null, null, null, null, (
    SELECT {{extreme}}(edge) FROM unnest(%s::int[]) AS of_one, LATERAL (
        SELECT {{column}} AS edge FROM word_filters
        WHERE application_id = of_one AND {{column}} >= %s AND {{column}} <= %s
          AND received_from >= %s AND received_from < %s
        ORDER BY {{column}} {{order}} LIMIT 1) AS found),
    null, null, null, count(*), null, null FROM alone"""
_MEMBERS = f"""
SELECT of_one, member
FROM unnest(%s::int[], %s::timestamptz[], %s::uuid[], %s::int[]) AS wanted (of_one, first, id, number), LATERAL (
    SELECT substr(members, number * {MEMBER_BYTES} + 1, {MEMBER_BYTES}) AS member FROM word_filters
    WHERE slab_id = id AND received_from = first AND received_from >= %s AND received_from < %s OFFSET 0) AS found"""


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
    now: datetime | None = None  # around which logs are to be expected

    @property
    def event_bounds(self) -> tuple[datetime, datetime]:
        """The event times that are wanted, both included."""
        return self.event_from or EARLIEST, self.event_until or LATEST

    @property
    def order(self) -> str:
        """As SQL says it."""
        return "ASC" if self.is_ascending else "DESC"


class _Member(NamedTuple):
    """A filter in a slab, as _MEMBERS takes it."""

    application_id: int
    received_from: datetime  # of the slab
    slab_id: str
    number: int


@dataclass(slots=True)
class GroupReader:
    """Reads groups for one search. Its methods raise QueryCanceled."""

    execute: Execute
    search: FilteredSearch
    _seen_count: int = 0
    _match_count: int = 0
    _cost: int = 0  # of the last statement
    _slab_ids: list[str] = field(default_factory=list)  # that were read
    _later: list[RowRange] = field(default_factory=list)  # from slabs, beyond the window

    @property
    def is_common(self) -> bool:
        """Whether nearly all groups may match; then there may be more than those that were read."""
        return self._seen_count >= _JUDGED_FROM and self._match_count > MAX_SHARE * self._seen_count

    def all(self) -> list[RowRange]:
        """All that may match, in no order."""
        _, last = self.search.event_bounds
        wide, _ = self._read("is_wide", [], "false", [], last)
        others, _ = self._read("NOT is_wide AND event_until <= %s", [_shifted(last, _WIDE)], "true", [], last)
        return wide + others

    def windows(self) -> Iterator[tuple[list[RowRange], datetime]]:
        """Those of a window of event times each, in order, and the first event time of all later windows. Before them
        the few wide ones that begin far outside of the bounds."""
        ascending, (first, last) = self.search.is_ascending, self.search.event_bounds
        near, far, column = (first, LATEST, "event_from") if ascending else (last, EARLIEST, "event_until")
        ahead = 1 if ascending else -1
        start = _shifted(near, -ahead * _WIDE)
        edge, end, width = self.search.now, None, _FIRST_WIDTH
        if edge is None or start != LATEST:
            outside = f"{column} {'<' if ascending else '>'} %s"
            found, edge = self._read(f"is_wide AND {outside}", [start], outside, [start], start)
            yield self._ready(found, near), near
        while edge is not None:
            begin, end = start if end is None else edge, _shifted(edge, ahead * width)
            beyond = _shifted(end, ahead * _INSTANT)
            slabs = f"{column} {'<=' if ascending else '>='} %s"
            found, edge = self._read(f"{column} BETWEEN %s AND %s", sorted((begin, end)), slabs, [end], beyond)
            yield self._ready(found, end), beyond
            if end == far:
                break
            width *= max(0.25, min(1000.0, _TARGET_FILTERS / max(self._cost, 1)))
        if self._later:
            yield self._ready([], far), far

    def edge(self, item: RowRange) -> datetime:
        """The first event time, in the order of the search, that is in the range and wanted."""
        first, last = self.search.event_bounds
        return max(item.event_from, first) if self.search.is_ascending else min(item.event_until, last)

    def _ready(self, found: list[RowRange], end: datetime) -> list[RowRange]:
        """Of what was found now and before, what begins up to ``end``, in order."""
        every = sorted([*self._later, *found], key=self.edge, reverse=not self.search.is_ascending)
        is_ready = [self.edge(item) <= end if self.search.is_ascending else self.edge(item) >= end for item in every]
        count = sum(is_ready)
        self._later = every[count:]
        return every[:count]

    def _read(
        self, window: str, values: list[datetime], slabs: str, slab_values: list[datetime], beyond: datetime
    ) -> tuple[list[RowRange], datetime | None]:
        """Groups that may match (of filters by themselves in a window, and all of slabs in another one that were not
        read yet; none if they are common), and the first event time at or beyond ``beyond`` at which there are any."""
        search, (first, last) = self.search, self.search.event_bounds
        wanted = [list(search.application_ids), *search.received, first, last]
        column, edges = ("event_from", (beyond, last)) if search.is_ascending else ("event_until", (first, beyond))
        sql = _CANDIDATES.format(
            test=_test(self._tests),
            window=window,
            slabs=slabs,
            extreme="min" if search.is_ascending else "max",
            column=column,
            order=search.order,
        )
        numbers = [number for tokens in self._tests for token in tokens for number in hashes(token)]
        parameters = [*numbers, *wanted, *values, numbers, *wanted, *slab_values]
        parameters += [self._slab_ids, list(search.application_ids), *edges, *search.received]
        *rows, (*_, edge, _, _, _, alone_count, _, _) = self.execute(sql, parameters)
        alone = [replace(RowRange(*row[:7]), blocks=Blocks(*row[7:10])) for row in rows if row[10] is None]
        members = [member for row in rows if row[10] for member in self._matching_members(row)]
        counts = {row[10]: row[9] for row in rows if row[10]}
        self._seen_count += alone_count + sum(counts.values())
        self._match_count += len(alone) + len(members)
        self._slab_ids += counts
        self._cost = alone_count + _FILTERS_PER_SLAB * len(counts)
        return alone if self.is_common else alone + self._members(members), edge

    @property
    def _tests(self) -> list[list[bytes]]:
        """Of each, a group that may match holds a token."""
        return [sorted(clause) for clause in self.search.clauses]

    def _matching_members(self, row: Any) -> Iterator[_Member]:
        """Of a slab, as a row of candidates shows it."""
        application_id, received_from, *_, count, slab_id, slices = row
        numbers: Sequence[int] = range(count)
        if slices is not None:
            text = bytes(slices)
            tokens = iter([text[at : at + _TOKEN_BYTES] for at in range(0, len(text), _TOKEN_BYTES)])
            numbers = matching([list(islice(tokens, len(test))) for test in self._tests], count)
        return (_Member(application_id, received_from, slab_id, number) for number in numbers)

    def _members(self, wanted: list[_Member]) -> list[RowRange]:
        """What these stand for."""
        if not wanted:
            return []
        rows = self.execute(_MEMBERS, [*map(list, zip(*wanted, strict=True)), *self.search.received])
        return [item for application_id, member in rows for item in ranges(bytes(member), application_id)]


def _test(tests: Sequence[Sequence[bytes]]) -> str:
    """SQL that tells whether a filter may hold a token of each test; its placeholders are for the tokens' hashes."""
    bit = "get_bit(filter, %s::bigint * bit_count >> 32) = 1"
    return " AND ".join(
        "(" + " OR ".join("(" + " AND ".join(bit for _ in hashes(token)) + ")" for token in tokens) + ")"
        for tokens in tests
    )


def _shifted(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return LATEST if by > timedelta(0) else EARLIEST
