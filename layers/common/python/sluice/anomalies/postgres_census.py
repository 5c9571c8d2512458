"""Counts of stored logs, for who watches them."""

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sluice.anomalies.ports import Template
from sluice.anomalies.series import BUCKET, Cell
from sluice.runtime.postgres import Database, show_applications
from sluice.templates.families import root_of

_MINUTE = timedelta(minutes=1)
_MOST_LAG = 15  # minutes
_LAG_SHARE = 0.99  # of logs
_LAG_HOURS = 6  # that are looked at
_MAX_REMEMBERED = 64  # applications' templates

_FIRST = "SELECT min(event_minute) FROM template_counts WHERE application_id = %s AND event_minute >= %s"
_CELLS = """
SELECT date_bin(%s, event_minute, 'epoch'::timestamptz),
       CASE WHEN c.template_id = 0 THEN coalesce(k.template_id, 0) ELSE c.template_id END, level,
       sum(record_count)::bigint FROM template_counts c
LEFT JOIN template_keys k ON c.template_id = 0 AND k.application_id = c.application_id AND k.template_key =
c.template_key WHERE c.application_id = %s AND event_minute >= %s AND event_minute < %s
  AND received_minute >= %s AND received_minute < %s
GROUP BY 1, 2, 3"""
_LAGS = f"""
SELECT least(greatest(extract(epoch FROM received_minute - event_minute) / 60, 0), {_MOST_LAG})::int,
sum(record_count)::bigint FROM template_counts WHERE application_id = %s AND received_minute >= %s AND received_minute <
%s GROUP BY 1"""
_VERSION = """
SELECT (SELECT version FROM template_sets WHERE application_id = %(id)s),
       (SELECT max(change_id) FROM template_changes WHERE application_id = %(id)s)"""
_TEMPLATES = """
SELECT template_id, coalesce(name, text), is_ignored, coalesce(merged_into, mined_into) FROM templates
WHERE application_id = %s"""


class PostgresCensus:
    """See Census. Remembers templates until one of the application's changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._templates: OrderedDict[int, tuple[Any, Mapping[int, Template]]] = OrderedDict()

    def first_minute(self, application_id: int, since: datetime) -> datetime | None:
        """See Census.first_minute."""
        minute: datetime | None = self._rows(application_id, _FIRST, application_id, since)[0][0]
        return minute

    def lag(self, application_id: int, now: datetime) -> timedelta:
        """See Census.lag."""
        rows = self._rows(application_id, _LAGS, application_id, now - timedelta(hours=_LAG_HOURS), now)
        total = sum(count for _, count in rows)
        lag, seen = 0, 0
        for minutes, count in sorted(rows):
            if seen >= _LAG_SHARE * total:
                break
            lag, seen = minutes, seen + count
        return lag * _MINUTE

    def cells(
        self,
        application_id: int,
        events: tuple[datetime, datetime],
        received: tuple[datetime | None, datetime],
        *,
        is_by_minute: bool,
    ) -> Sequence[Cell]:
        """See Census.cells."""
        width = _MINUTE if is_by_minute else BUCKET
        bounds = (*events, received[0] or "-infinity", received[1])
        rows = self._rows(application_id, _CELLS, width, application_id, *bounds)
        templates = self.templates(application_id)
        counts: Counter[tuple[datetime, int, int]] = Counter()
        for start, template_id, level, count in rows:
            known = templates.get(template_id)
            counts[start, known.root if known else template_id, level] += count
        return [Cell(*key, count) for key, count in counts.items()]

    def templates(self, application_id: int) -> Mapping[int, Template]:
        """See Census.templates."""
        ((*version,),) = self._rows(application_id, _VERSION, id=application_id)
        remembered = self._templates.get(application_id)
        if remembered and remembered[0] == version:
            self._templates.move_to_end(application_id)
            return remembered[1]
        rows = self._rows(application_id, _TEMPLATES, application_id)
        parents = {template_id: parent for template_id, _, _, parent in rows if parent}
        templates = {
            template_id: Template(text, root_of(template_id, parents), is_ignored)
            for template_id, text, is_ignored, _ in rows
        }
        self._templates[application_id] = version, templates
        if len(self._templates) > _MAX_REMEMBERED:
            self._templates.popitem(last=False)
        return templates

    def _rows(self, application_id: int, sql: str, *values: Any, **named: Any) -> list[Any]:
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, [application_id])
            open_cursor.execute("SET LOCAL timezone TO 'UTC'")
            open_cursor.execute(sql, named or values)
            return open_cursor.fetchall()
