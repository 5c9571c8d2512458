"""Counting stored records under the reader's row security."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sluice.entries.model import Level
from sluice.runtime.postgres import Database
from sluice.search.counts import ORIGIN, Counts, FacetCounts, FacetQuery, HistogramQuery, SeriesCounts
from sluice.search.model import METADATA, Filters, Visible
from sluice.search.postgres_conditions import Sql, filters_sql, metadata_text
from sluice.search.postgres_filters import narrow
from sluice.search.postgres_groups import FilteredSearch
from sluice.search.postgres_ranges import RangeReader
from sluice.search.postgres_scan import RESOLUTION, Budget, Scan, open_scan
from sluice.search.required import required
from sluice.templates.families import root_of
from sluice.templates.postgres_rows import TEMPLATE, read_parents

_FIRST_WINDOW_ROWS, _LAST_WINDOW_ROWS = 50_000, 2_000_000
_MAX_WINDOW_VALUES = 5_000  # of a field that are read from one window
_MAX_VALUE_CHARACTERS = 256
_MAX_SERIES_ROWS = 50_000  # from one window of the scan
_GROUPINGS = {"level": "level", "application": "application_id", "template": TEMPLATE, "none": "0"}

_HISTOGRAM = """
SELECT date_bin(make_interval(secs => %s), event_at, %s), {grouping}, count(*) FROM {rows} WHERE {conditions}
GROUP BY 1, 2"""
_SERIES = """
SELECT date_bin(make_interval(secs => %s), event_at, %s), {values} count(*) FROM {rows} WHERE {conditions}
GROUP BY {places} ORDER BY count(*) DESC LIMIT {limit}"""
_STATS = """
SELECT level, application_id, count(*), min(event_at), max(event_at), sum(octet_length(message)) FROM {rows}
WHERE {conditions} GROUP BY 1, 2"""
_FACET = """
SELECT grouping(value), value, count(*), count(*) FROM (
    SELECT {value} AS value FROM {rows} WHERE {conditions}) AS found
GROUP BY GROUPING SETS ((value), ()) ORDER BY 1 DESC, value IS NULL DESC, 3 DESC LIMIT {limit}"""
_KEYS = """
SELECT grouping(value), value, count(*), count(*) FILTER (WHERE coalesce(n, 1) = 1) FROM (
    SELECT left(key, {characters}) AS value, n FROM {rows}
    LEFT JOIN LATERAL json_object_keys(metadata) WITH ORDINALITY AS keys (key, n) ON true WHERE {conditions}) AS found
GROUP BY GROUPING SETS ((value), ()) ORDER BY 1 DESC, value IS NULL DESC, 3 DESC LIMIT {limit}"""


class PostgresLogCounter:
    """See LogCounter: of the applications in ``visible``."""

    def __init__(self, database: Database, visible: Visible, budget: Budget | None = None) -> None:
        self._database, self._visible, self._budget = database, visible, budget or Budget()

    def histogram(self, query: HistogramQuery) -> Counts:
        """See LogCounter.histogram."""
        sql = _HISTOGRAM.replace("{grouping}", _GROUPINGS[query.by])
        found = self._count(query.filters, sql, [query.interval_seconds, ORIGIN])
        totals: Counter[tuple[datetime, Any]] = Counter()
        parents = self._parents(query.by)
        for start, value, count in found.rows:
            totals[max(start, query.starts[0]), self._shown(query.by, value, parents)] += count
        return Counts([(*key, count) for key, count in totals.items()], found.complete_since)

    def series(
        self, filters: Filters, fields: tuple[str, ...], interval_seconds: int, *, max_groups: int
    ) -> SeriesCounts:
        """See LogCounter.series."""
        expressions = [_value_sql(name) for name in fields]
        sql = _SERIES.replace("{values}", "".join(f"({expression})::text, " for expression, _ in expressions))
        sql = sql.replace("{places}", ", ".join(map(str, range(1, len(fields) + 2))))
        sql = sql.replace("{limit}", str(_MAX_SERIES_ROWS))
        values = [value for _, several in expressions for value in several]
        found = self._count(filters, sql, [interval_seconds, ORIGIN, *values])
        parents = self._parents("template" if "template" in fields else "none")
        counts: Counter[tuple[datetime, tuple[str, ...]]] = Counter()
        totals: Counter[tuple[str, ...]] = Counter()
        for start, *texts, count in found.rows:
            group = tuple(self._shown_text(name, text, parents) for name, text in zip(fields, texts, strict=True))
            counts[start, group] += count
            totals[group] += count
        kept = {group for group, _ in totals.most_common(max_groups)}
        rows = [(start, group, count) for (start, group), count in counts.items() if group in kept]
        is_cut = len(kept) < len(totals) or len(found.rows) >= _MAX_SERIES_ROWS
        return SeriesCounts(rows, is_cut, found.complete_since)

    def stats(self, filters: Filters) -> Counts:
        """See LogCounter.stats."""
        found = self._count(filters, _STATS, [])
        merged: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        for level, application_id, *numbers in found.rows:
            merged[Level(level).name, self._visible.names[application_id]].append(numbers)
        rows = [
            (*key, sum(counts), min(firsts), max(lasts), int(sum(sizes)))
            for key, parts in merged.items()
            for counts, firsts, lasts, sizes in [zip(*parts, strict=True)]
        ]
        return Counts(rows, found.complete_since)

    def facet(self, query: FacetQuery) -> FacetCounts:
        """See LogCounter.facet."""
        expression, values = _value_sql(query.field)
        sql = (_KEYS if query.field == "metadata" else _FACET).replace("{value}", expression)
        sql = sql.replace("{limit}", str(_MAX_WINDOW_VALUES)).replace("{characters}", str(_MAX_VALUE_CHARACTERS))
        found = self._count(query.filters, sql, values)
        counts: Counter[Any] = Counter()
        parents = self._parents(query.field)
        total = 0
        for is_total, value, count, log_count in found.rows:
            if is_total:
                total += log_count
            else:
                counts[value if value is None else self._shown(query.field, value, parents)] += count
        missing = counts.pop(None, 0)
        return FacetCounts(counts, total, missing, len(found.rows) >= _MAX_WINDOW_VALUES, found.complete_since)

    def _count(self, filters: Filters, sql: str, values: list[Any]) -> Counts:
        """The rows that ``sql`` returns for each window, its conditions filled in behind ``values``."""
        rows: list[Any] = []
        condition, condition_values = filters_sql(filters, self._visible)
        with open_scan(self._database, self._visible, filters, self._budget) as scan:
            if scan is None:
                return Counts([], None)

            def read(window: Sql) -> bool:
                conditions = f"{window[0]} AND {condition}", [*window[1], *condition_values]
                narrowed = _narrowed_rows(scan, filters, sql, values, conditions)
                rows.extend(_rows(scan, sql, values, conditions) if narrowed is None else narrowed)
                return False

            scan.walk(False, _FIRST_WINDOW_ROWS, _LAST_WINDOW_ROWS, read)
            if scan.is_partial and scan.reached is None:
                raise scan.timed_out()
            return Counts(rows, scan.reached if scan.is_partial else None)

    def _parents(self, name: str) -> dict[int, int]:
        """What templates were merged into, if that is asked for."""
        return read_parents(self._database, self._visible.ids) if name == "template" else {}

    def _shown_text(self, name: str, text: str | None, parents: Mapping[int, int]) -> str:
        """A value of a series, from its text in the database; "" where there is none."""
        if not text:
            return ""
        if name == "level":
            return Level(int(text)).name.lower()
        return str(root_of(int(text), parents)) if name == "template" else text[:_MAX_VALUE_CHARACTERS]

    def _shown(self, name: str, value: Any, parents: Mapping[int, int]) -> Any:
        if name == "level":
            return Level(value).name
        if name == "template":
            return "" if value is None else str(root_of(value, parents))
        return self._visible.names[value] if name == "application" else value


def _rows(scan: Scan, sql: str, values: list[Any], conditions: Sql) -> list[Any]:
    """What ``sql`` returns for the rows for which ``conditions`` hold, from all there are."""
    complete = sql.replace("{rows}", "log_entries").replace("{conditions}", conditions[0])
    return scan.rows(complete, [*values, *conditions[1]])


def _narrowed_rows(scan: Scan, filters: Filters, sql: str, values: list[Any], conditions: Sql) -> list[Any] | None:
    """The same, from the ranges that may match; None if word filters are of no use."""
    since, until = scan.window
    wanted = FilteredSearch(
        clauses=required(filters),
        application_ids=scan.ids,
        received=scan.received,
        event_from=since,
        event_until=until and until - RESOLUTION,
    )
    ranges = None if scan.batch_id else narrow(scan.rows, wanted)
    if ranges is None:
        return None
    reader = RangeReader(scan.rows, scan.ids, scan.received)
    complete = sql.replace("{conditions}", "true")

    def build(rows: str, row_values: list[Any]) -> Sql:
        return complete.replace("{rows}", rows), [*values, *row_values]

    return list(reader.read(ranges, "*", "log_entries", conditions, build))


def _value_sql(name: str) -> Sql:
    if name.startswith(METADATA):
        text, values = metadata_text(name)
        return f"left({text}, {_MAX_VALUE_CHARACTERS})", values
    return {"application": "application_id", "template": TEMPLATE}.get(name, name), []
