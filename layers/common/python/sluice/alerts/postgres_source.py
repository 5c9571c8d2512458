"""What the logs of one application say, from the census where it decides, else from the logs themselves."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from sluice.alerts.census import Cell, group_of_cell, is_in_census, matches, needs_templates
from sluice.alerts.model import MAX_GROUPS, Group
from sluice.alerts.payload import MAX_SAMPLE_CHARACTERS
from sluice.alerts.ports import Novelty, Series
from sluice.errors import SluiceError, Unavailable
from sluice.runtime.postgres import Database, show_applications
from sluice.search.counts import ORIGIN
from sluice.search.language import parse_condition
from sluice.search.model import Condition, Filters, LogQuery, Visible
from sluice.search.postgres import PostgresLogReader
from sluice.search.postgres_counts import PostgresLogCounter
from sluice.search.postgres_scan import Budget
from sluice.templates.families import root_of
from sluice.templates.postgres_rows import read_parents

_MAX_NOVELTIES = 1_000
_BY_LEVEL = """
SELECT date_bin(make_interval(secs => %s), event_minute, %s), level, 0, sum(record_count)::bigint FROM template_counts
WHERE application_id = %s AND event_minute >= %s AND event_minute < %s GROUP BY 1, 2"""
_BY_TEMPLATE = """
SELECT date_bin(make_interval(secs => %s), event_minute, %s), level,
       coalesce(nullif(c.template_id, 0), k.template_id, 0), sum(record_count)::bigint
FROM template_counts c LEFT JOIN template_keys k
     ON c.template_id = 0 AND k.application_id = c.application_id AND k.template_key = c.template_key
WHERE c.application_id = %s AND event_minute >= %s AND event_minute < %s GROUP BY 1, 2, 3"""
# One that swallowed an older one says nothing new.
_NOVELTIES = f"""
SELECT template_id, text, created_at FROM templates t
WHERE application_id = %s AND created_at >= %s AND created_at < %s AND coalesce(merged_into, mined_into) IS NULL
  AND NOT is_ignored AND NOT EXISTS (
    SELECT FROM templates m WHERE m.application_id = t.application_id AND m.created_at < t.created_at
    AND coalesce(m.merged_into, m.mined_into) = t.template_id)
ORDER BY created_at, template_id LIMIT {_MAX_NOVELTIES}"""
_TEXT = "SELECT coalesce(name, text) FROM templates WHERE application_id = %s AND template_id = %s"
_ROLLED_UP = "SELECT received_before FROM template_rollups WHERE application_id = %s"
_LEARNT = "SELECT min(created_at) FROM templates WHERE application_id = %s"


class PostgresLogSource:
    """See LogSource. ``seconds`` is what one question may take."""

    def __init__(
        self, database: Database, application_id: int, application: str, *, has_census: bool = True, seconds: float = 5
    ) -> None:
        self._database, self._application_id = database, application_id
        self._visible = Visible({application_id: application})
        self._has_census, self._budget = has_census, Budget(seconds)

    def series(self, query: str, group_by: Sequence[str], since: datetime, until: datetime, step: timedelta) -> Series:
        """See LogSource.series."""
        condition = parse_condition(query)
        if self._has_census and is_in_census(condition, group_by, step) and since >= self._counted_since:
            return Series(self._census(condition, group_by, since, until, step))
        counter = PostgresLogCounter(self._database, self._visible, self._budget)
        filters = Filters(condition, since=since, until=until)
        found = counter.series(filters, tuple(group_by), int(step.total_seconds()), max_groups=MAX_GROUPS)
        if found.complete_since is not None:
            raise Unavailable("query_timed_out", f"not all could be counted within {self._budget.seconds} s")
        counts: defaultdict[Group, Counter[datetime]] = defaultdict(Counter)
        for start, values, count in found.rows:
            counts[values][start] += count
        return Series(counts, found.is_cut)

    def novelties(self, since: datetime, until: datetime) -> list[Novelty]:
        """See LogSource.novelties."""
        return [Novelty(*row) for row in self._rows(_NOVELTIES, self._application_id, since, until)]

    def learnt_since(self) -> datetime | None:
        """See LogSource.learnt_since."""
        ((first,),) = self._rows(_LEARNT, self._application_id)
        return first  # type: ignore[no-any-return]

    def template_text(self, template_id: int) -> str | None:
        """See LogSource.template_text."""
        rows = self._rows(_TEXT, self._application_id, template_id)
        return rows[0][0] if rows else None

    def samples(self, query: str, since: datetime, until: datetime, limit: int) -> list[dict[str, Any]]:
        """See LogSource.samples."""
        fields = ("id", "timestamp", "level", "message")
        filters = Filters(parse_condition(query), since=since, until=until)
        reader = PostgresLogReader(self._database, self._visible, self._budget)
        try:
            page = reader.search(LogQuery(filters, until, limit=limit, fields=fields))
        except SluiceError:
            return []
        return [log | {"message": log["message"][:MAX_SAMPLE_CHARACTERS]} for log in page.logs]

    def _census(
        self, condition: Condition, group_by: Sequence[str], since: datetime, until: datetime, step: timedelta
    ) -> dict[Group, Counter[datetime]]:
        by_template = needs_templates(condition, group_by)
        sql = _BY_TEMPLATE if by_template else _BY_LEVEL
        root: Callable[[int], int] = self._root if by_template else int
        rows = self._rows(sql, int(step.total_seconds()), ORIGIN, self._application_id, since, until)
        counts: defaultdict[Group, Counter[datetime]] = defaultdict(Counter)
        for start, level, template_id, count in rows:
            cell = Cell(level, root(template_id))
            if matches(condition, cell, root):
                counts[group_of_cell(group_by, cell)][start] += count
        return counts

    def _root(self, template_id: int) -> int:
        return root_of(template_id, self._parents) if template_id else 0

    @cached_property
    def _counted_since(self) -> datetime:
        """From where on the census has minutes; before, it has hours or days."""
        rows = self._rows(_ROLLED_UP, self._application_id)
        return rows[0][0] if rows else datetime.min.replace(tzinfo=UTC)

    @cached_property
    def _parents(self) -> dict[int, int]:
        return read_parents(self._database, [self._application_id])

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with self._database.transaction() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", (f"{self._budget.seconds}s",))
            show_applications(cursor, [self._application_id])
            cursor.execute(sql, values)
            return cursor.fetchall()
