"""The census of releases, under the reader's row security."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from sluice.releases.compare import Comparison
from sluice.releases.model import Counted, Release
from sluice.runtime.postgres import Database, show_applications

_SECONDS = 10
_HOURS = """
SELECT release_id, service, version, event_hour, sum(record_count)::bigint
FROM release_counts JOIN releases USING (application_id, release_id)
WHERE application_id = %(application)s AND event_hour >= %(since)s AND event_hour < %(until)s
GROUP BY 1, 2, 3, 4"""
_COUNTS = """
WITH counted AS (
    SELECT template_id, template_key, event_hour, record_count, release_id = ANY (%(after)s) AS is_after,
           release_id <> ALL (%(after)s) AND event_hour >= %(beginning)s AS is_before
    FROM release_counts WHERE application_id = %(application)s AND release_id = ANY (%(after)s || %(before)s::int[])
                          AND event_hour >= %(since)s AND event_hour < %(until)s
    UNION ALL
    SELECT template_id, template_key, date_trunc('hour', event_from, 'UTC'), record_count, false, true
    FROM template_census WHERE %(is_unversioned)s AND application_id = %(application)s
                           AND event_from >= %(beginning)s AND event_from < %(end)s
    UNION ALL
    SELECT template_id, template_key, event_hour, -record_count, false, true
    FROM release_counts WHERE %(is_unversioned)s AND application_id = %(application)s
                          AND event_hour >= %(beginning)s AND event_hour < %(end)s
)
SELECT template_id, template_key,
       coalesce(sum(record_count) FILTER (WHERE is_before), 0)::bigint,
       coalesce(sum(record_count) FILTER (
           WHERE is_before AND extract(hour FROM event_hour AT TIME ZONE 'UTC') = ANY (%(hours_of_day)s)), 0)::bigint,
       coalesce(sum(record_count) FILTER (WHERE NOT is_after), 0)::bigint,
       coalesce(sum(record_count) FILTER (WHERE is_after), 0)::bigint,
       min(event_hour) FILTER (WHERE is_after),
       max(event_hour) FILTER (WHERE is_before)
FROM counted GROUP BY 1, 2"""


class PostgresReleases:
    """The releases of one application. Methods raise Unavailable."""

    def __init__(self, database: Database, application_id: int) -> None:
        self._database, self._application_id = database, application_id

    def releases(self, since: datetime | None, until: datetime | None) -> list[Release]:
        """Those that logged something between these whole hours; None: at any time."""
        hours: defaultdict[tuple[int, str, str], dict[datetime, int]] = defaultdict(dict)
        for release_id, service, version, hour, count in self._rows(_HOURS, self._bounds(since, until)):
            hours[release_id, service, version][hour.astimezone(UTC)] = count
        return [Release(*release, counts) for release, counts in hours.items()]

    def counts(self, comparison: Comparison, since: datetime | None, until: datetime | None) -> list[Counted]:
        """What is to be compared, within the same hours."""
        values = self._bounds(since, until)
        values |= {
            "after": [release.release_id for release in comparison.after],
            "before": [release.release_id for release in comparison.before],
            "beginning": max(filter(None, (comparison.since, since)), default="-infinity"),
            "end": comparison.until,
            "is_unversioned": not comparison.before,
            "hours_of_day": comparison.hours_of_day,
        }
        return [Counted(*row) for row in self._rows(_COUNTS, values)]

    def _bounds(self, since: datetime | None, until: datetime | None) -> dict[str, Any]:
        return {"application": self._application_id, "since": since or "-infinity", "until": until or "infinity"}

    def _rows(self, sql: str, values: dict[str, Any]) -> list[Any]:
        with self._database.transaction() as open_cursor:
            open_cursor.execute(
                "SELECT set_config('statement_timeout', %s, true), set_config('jit', 'off', true)", (f"{_SECONDS}s",)
            )
            show_applications(open_cursor, [self._application_id])
            open_cursor.execute(sql, values)
            return open_cursor.fetchall()
