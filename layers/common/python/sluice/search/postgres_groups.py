"""Groups of rows that may match, by their word filters, in windows of event time and the order of a search.

Filters stand by themselves at first, and in slabs later. They may get there while a search reads: what is not (or no
longer) by itself in the window of a statement is in a slab that overlaps the window, so these are read in the same one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

from sluice.search.postgres_ranges import Execute, array_text
from sluice.search.ranges import RowRange
from sluice.search.slabs import MEMBER_BYTES, MEMBER_SQL, SLICE_BYTES, matching, ranges
from sluice.search.words import HASHES, Clauses, hashes

MAX_SHARE = 0.4  # of groups that may match: above it, walking through the rows finds a page sooner
_JUDGED_FROM = 100  # groups
_TARGET_FILTERS = 30_000  # a statement
_FILTERS_PER_SLAB = 50  # take as long as the slices of a slab
_FIRST_WIDTH = timedelta(hours=1)
_WIDE = timedelta(hours=1)  # see word_filters.is_wide
_INSTANT = timedelta(microseconds=1)
_TOKEN_BYTES = HASHES * SLICE_BYTES
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

_WANTED = """
application_id = ANY (%s) AND received_from >= %s AND received_from < %s AND event_until >= %s AND event_from <= %s"""
# Of the filters by themselves, what they stand for is put together as it stands in slabs.
_CANDIDATES = f"""
SELECT application_id, null AS slab_id, null AS received_from, null AS edge, count(*),
       string_agg({MEMBER_SQL}, ''::bytea) FILTER (WHERE filter IS NULL OR ({{test}}))
FROM word_filters WHERE {_WANTED} AND slab_id IS NULL AND {{window}} GROUP BY application_id
UNION ALL
SELECT application_id, slab_id::text, received_from, {{column}}, octet_length(members) / {MEMBER_BYTES}, (
    SELECT string_agg(substr(slab, ((bit & 7) * (bit_count / 8) + (bit >> 3)) * {SLICE_BYTES} + 1, {SLICE_BYTES}), '')
    FROM unnest(%s::bigint[]) AS number, LATERAL (SELECT (number * bit_count >> 32)::int AS bit) AS of_filter)
FROM word_filters WHERE {_WANTED} AND slab_id IS NOT NULL AND {{slabs}} AND slab_id <> ALL (%s::uuid[])"""
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
    stored: tuple[datetime, datetime] = (EARLIEST, LATEST)  # all rows' event times, both included

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


class _Slab(NamedTuple):
    """What may match in a slab, whose first event time in the order of the search is ``edge``."""

    edge: datetime
    members: list[_Member]


@dataclass(slots=True)
class GroupReader:
    """Reads groups for one search. Its methods raise QueryCanceled."""

    execute: Execute
    search: FilteredSearch
    members_at_once: int = 512  # that are read at least, if there are as many: more would often not be needed
    _seen_count: int = 0
    _match_count: int = 0
    _cost: int = 0  # of the last statement
    _slab_ids: list[str] = field(default_factory=list)  # that were read
    _slabs: list[_Slab] = field(default_factory=list)  # whose members were not read
    _later: list[RowRange] = field(default_factory=list)  # from slabs, beyond the window

    @property
    def is_common(self) -> bool:
        """Whether nearly all groups may match; then there may be more than those that were read."""
        return self._seen_count >= _JUDGED_FROM and self._match_count > MAX_SHARE * self._seen_count

    def all(self) -> list[RowRange]:
        """All that may match, in no order."""
        _, last = self.search.event_bounds
        found = self._read("is_wide", [], "false", [])
        found += self._read("NOT is_wide AND event_until <= %s", [_shifted(last, _WIDE)], "true", [])
        members = [member for slab in self._slabs for member in slab.members]
        return found if self.is_common else found + self._members(members)

    def windows(self) -> Iterator[tuple[list[RowRange], datetime]]:
        """Those of a window of event times each, in order, and the first event time of all later windows. Before them
        the few wide ones that begin far outside of the bounds. Empty if they are common."""
        ascending, (first, last), stored = self.search.is_ascending, self.search.event_bounds, self.search.stored
        if ascending:
            ahead, column, near, far = 1, "event_from", first, min(last, stored[1])
            edge = max(near, stored[0])
        else:
            ahead, column, near, far = -1, "event_until", last, max(first, stored[0])
            edge = min(near, stored[1], self.search.now or LATEST)
        begin, width = _shifted(near, -ahead * _WIDE), _FIRST_WIDTH
        if begin not in (EARLIEST, LATEST):
            outside = f"{column} {'<' if ascending else '>'} %s"
            yield from self._parts(self._read(f"is_wide AND {outside}", [begin], outside, [begin]), near, near)
        while True:
            end = _shifted(edge, ahead * width)
            end = min(end, far) if ascending else max(end, far)
            slabs = f"{column} {'<=' if ascending else '>='} %s"
            found = self._read(f"{column} BETWEEN %s AND %s", sorted((begin, end)), slabs, [end])
            edge = begin = _shifted(end, ahead * _INSTANT)
            yield from self._parts(found, end, edge)
            if end == far:
                break
            width *= max(0.25, min(1000.0, _TARGET_FILTERS / max(self._cost, 1)))
        if self._later:
            yield self._ready([], LATEST if ascending else EARLIEST), edge

    def edge(self, item: RowRange) -> datetime:
        """The first event time, in the order of the search, that is in the range and wanted."""
        return self._wanted(item.event_from if self.search.is_ascending else item.event_until)

    def _wanted(self, edge: datetime) -> datetime:
        first, last = self.search.event_bounds
        return max(edge, first) if self.search.is_ascending else min(edge, last)

    def _parts(
        self, found: list[RowRange], end: datetime, beyond: datetime
    ) -> Iterator[tuple[list[RowRange], datetime]]:
        """A window, in as many as it takes to read some members at once."""
        is_ascending = self.search.is_ascending
        slabs, self._slabs = sorted(self._slabs, key=lambda slab: slab.edge, reverse=not is_ascending), []
        at = 0
        while at < len(slabs) and not self.is_common:
            members: list[_Member] = []
            while at < len(slabs) and len(members) < self.members_at_once:
                members += slabs[at].members
                at += 1
            found = found + self._members(members)
            if at < len(slabs):
                edge = slabs[at].edge
                yield self._ready(found, _shifted(edge, -_INSTANT if is_ascending else _INSTANT)), edge
                found = []
        yield self._ready(found, end), beyond

    def _ready(self, found: list[RowRange], end: datetime) -> list[RowRange]:
        """Of what was found now and before, what begins up to ``end``, in order."""
        every = sorted([*self._later, *found], key=self.edge, reverse=not self.search.is_ascending)
        is_ready = [self.edge(item) <= end if self.search.is_ascending else self.edge(item) >= end for item in every]
        count = sum(is_ready)
        self._later = every[count:]
        return every[:count]

    def _read(self, window: str, values: list[datetime], slabs: str, slab_values: list[datetime]) -> list[RowRange]:
        """Groups that may match: of filters by themselves in a window, and all of slabs in another one that were not
        read yet. None if they are common."""
        search = self.search
        wanted = [list(search.application_ids), *search.received, *search.event_bounds]
        column = "event_from" if search.is_ascending else "event_until"
        sql = _CANDIDATES.format(test=_test(self._tests), window=window, slabs=slabs, column=column)
        numbers = [number for tokens in self._tests for token in tokens for number in hashes(token)]
        rows = self.execute(sql, [*numbers, *wanted, *values, numbers, *wanted, *slab_values, self._slab_ids])
        found: list[RowRange] = []
        for application_id, slab_id, received_from, edge, count, text in rows:
            if slab_id is None:
                found += ranges(bytes(text or b""), application_id)
                continue
            matches = self._matches(count, text)
            members = [_Member(application_id, received_from, slab_id, number) for number in matches]
            self._slabs += [_Slab(self._wanted(edge), members)] if members else []
            self._slab_ids.append(slab_id)
            self._match_count += len(members)
        self._seen_count += sum(row[4] for row in rows)
        self._match_count += len(found)
        self._cost = sum(_FILTERS_PER_SLAB if row[1] else row[4] for row in rows)
        return [] if self.is_common else found

    @property
    def _tests(self) -> list[list[bytes]]:
        """Of each, a group that may match holds a token."""
        return [sorted(clause) for clause in self.search.clauses]

    def _matches(self, count: int, slices: Any) -> Sequence[int]:
        """Which of a slab's ``count`` filters may match, by the slices of the tests' tokens; all where there are
        none."""
        if slices is None:
            return range(count)
        text = bytes(slices)
        tokens = iter([text[at : at + _TOKEN_BYTES] for at in range(0, len(text), _TOKEN_BYTES)])
        return matching([list(islice(tokens, len(test))) for test in self._tests], count)

    def _members(self, wanted: list[_Member]) -> list[RowRange]:
        """What these stand for, as far as it overlaps the event times that are wanted."""
        if not wanted:
            return []
        rows = self.execute(_MEMBERS, [*map(array_text, zip(*wanted, strict=True)), *self.search.received])
        found = (
            item
            for application_id, members in groupby(rows, itemgetter(0))
            for item in ranges(b"".join(member for _, member in members), application_id)
        )
        first, last = self.search.event_bounds
        return [item for item in found if item.event_until >= first and item.event_from <= last]


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
