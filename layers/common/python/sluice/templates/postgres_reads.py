"""Templates and their counts, under the reader's row security."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor

from sluice.errors import Unavailable
from sluice.runtime.postgres import Database, show_applications
from sluice.search.counts import ORIGIN
from sluice.templates.families import root_of
from sluice.templates.query import Span
from sluice.templates.summary import Counted, Known, Summary

_SECONDS, _EXAMPLE_SECONDS = 10, 3
_MAX_EXAMPLE_CHARACTERS = 2_000
_SELECT = """
SELECT template_id, application_id, text, name, is_ignored, mined_into, merged_into, created_at, is_split FROM templates
WHERE"""
_KNOWN = f"{_SELECT} application_id = ANY (%s)"
_FAMILY = f"{_SELECT} template_id = ANY (template_family(%s))"
_KEY = "SELECT template_id FROM template_keys WHERE application_id = ANY (%s) AND template_key = %s"
_KEYS = "SELECT template_key, template_id FROM template_keys WHERE application_id = ANY (%s)"
_COUNTS = """
SELECT application_id, template_id, template_key, level, date_bin(make_interval(secs => %s), event_from, %s),
       sum(record_count)::bigint, max(event_from), least(max(event_from + span), '9999-12-31Z')
FROM template_census WHERE application_id = ANY (%s) AND event_from >= %s AND event_from < %s
GROUP BY 1, 2, 3, 4, 5"""
_HEALTH = """
SELECT application_id, overflowed_at, (SELECT count(*) FROM templates t WHERE t.application_id = s.application_id
                                       AND coalesce(merged_into, mined_into) IS NULL)
FROM template_sets s WHERE application_id = ANY (%s)"""
_EXAMPLES = f"""
SELECT wanted.template_id, left(found.message, {_MAX_EXAMPLE_CHARACTERS})
FROM unnest(%s::int[], %s::int[], %s::timestamptz[], %s::timestamptz[])
    AS wanted (application_id, template_id, last_seen, last_until),
LATERAL (SELECT message FROM log_entries l WHERE l.application_id = wanted.application_id
         AND event_at >= wanted.last_seen AND event_at < wanted.last_until
         AND l.template_id = wanted.template_id LIMIT 1) AS found"""
_CHANGES = """
SELECT change_id, template_id, key_id, was, became, changed_at FROM template_changes WHERE template_id = ANY (%s)
ORDER BY change_id DESC LIMIT 100"""


@dataclass(frozen=True, slots=True)
class Health:
    """``overflowed_at``: since when lines go to the template for all the rest, because there are too many."""

    application_id: int
    overflowed_at: datetime | None
    template_count: int


class PostgresTemplates:
    """Templates of the applications in ``visible``. Methods raise Unavailable."""

    def __init__(self, database: Database, visible: Collection[int]) -> None:
        self._database, self._visible = database, list(visible)

    def known(self) -> list[Known]:
        """All templates."""
        return [Known(*row) for row in self._rows(_KNOWN, self._visible)]

    def find(self, template_id: int) -> Known | None:
        """A template, or what it was merged into."""
        family = {row[0]: Known(*row) for row in self._rows(_FAMILY, template_id)}
        return family.get(root_of(template_id, {number: each.parent for number, each in family.items() if each.parent}))

    def find_by_key(self, key: int) -> Known | None:
        """The template that lines with this key got later."""
        found = self._rows(_KEY, self._visible, key)
        return self.find(found[0][0]) if found else None

    def keys(self) -> dict[int, int]:
        """Templates by key, of lines that got theirs later."""
        return dict(self._rows(_KEYS, self._visible))

    def counts(self, span: Span) -> list[Counted]:
        """The census of events in ``span``."""
        rows = self._rows(_COUNTS, span.interval_seconds, ORIGIN, self._visible, span.since, span.until)
        first = span.starts[0]
        return [
            Counted(application_id, template_id, key, level, max(start, first), *others)
            for application_id, template_id, key, level, start, *others in rows
        ]

    def health(self) -> list[Health]:
        """Of the applications that have templates."""
        return [Health(*row) for row in self._rows(_HEALTH, self._visible)]

    def examples(self, summaries: Sequence[Summary]) -> dict[int, str]:
        """A recent message by template id, of those that can be found fast."""
        wanted = [
            (summary.root.application_id, summary.latest_member, summary.last_seen, summary.last_until)
            for summary in summaries
            if summary.last_seen is not None
        ]
        if not wanted:
            return {}
        try:
            columns = [list(column) for column in zip(*wanted, strict=True)]
            return dict(self._rows(_EXAMPLES, *columns, seconds=_EXAMPLE_SECONDS))
        except Unavailable:  # too slow, and not worth waiting for
            return {}

    def changes(self, template_ids: Collection[int]) -> list[dict[str, Any]]:
        """What people did to these templates, the newest first."""
        names = ("change_id", "template_id", "key_id", "was", "became", "changed_at")
        return [dict(zip(names, row, strict=True)) for row in self._rows(_CHANGES, list(template_ids))]

    def _rows(self, sql: str, *values: Any, seconds: int = _SECONDS) -> list[Any]:
        with self._database.transaction() as open_cursor:
            self._prepare(open_cursor, seconds)
            open_cursor.execute(sql, values)
            return open_cursor.fetchall()

    def _prepare(self, open_cursor: cursor, seconds: int) -> None:
        open_cursor.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('jit', 'off', true)", (f"{seconds}s",)
        )
        show_applications(open_cursor, self._visible)
