"""What stored logs tell of an anomaly beyond their counts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sluice.errors import Unavailable
from sluice.runtime.postgres import Database, show_applications
from sluice.search.language import parse_condition
from sluice.search.model import Filters, LogQuery, Visible
from sluice.search.postgres import PostgresLogReader
from sluice.search.postgres_scan import Budget

_SAMPLES = 3
_BUDGET = Budget(seconds=2)
_SHORTLY = timedelta(hours=1)

# The latest release that began then, counted by hours, unless nothing ran before it.
_NEW_VERSION = """
SELECT version FROM releases r, LATERAL (
    SELECT event_hour FROM release_counts c WHERE c.application_id = r.application_id AND c.release_id = r.release_id
    ORDER BY event_hour LIMIT 1) AS first
WHERE r.application_id = %(application)s
  AND event_hour BETWEEN date_trunc('hour', %(since)s::timestamptz) AND %(onset)s
  AND EXISTS (SELECT FROM release_counts c WHERE c.application_id = r.application_id AND c.release_id <> r.release_id
              AND c.event_hour < first.event_hour)
ORDER BY event_hour DESC, r.release_id DESC LIMIT 1"""


class PostgresEvidence:
    """See Evidence."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def samples(self, application_id: int, query: str, window: tuple[datetime, datetime]) -> Sequence[str]:
        """See Evidence.samples."""
        filters = Filters(parse_condition(query), since=window[0], until=window[1])
        reader = PostgresLogReader(self._database, Visible({application_id: ""}), _BUDGET)
        try:
            page = reader.search(LogQuery(filters, window[1], limit=_SAMPLES, fields=("id",)))
        except Unavailable:
            return []
        return [log["id"] for log in page.logs]

    def new_version(self, application_id: int, onset: datetime) -> str | None:
        """See Evidence.new_version."""
        values = {"application": application_id, "onset": onset, "since": onset - _SHORTLY}
        try:
            with self._database.transaction() as open_cursor:
                open_cursor.execute("SELECT set_config('statement_timeout', '2s', true)")
                show_applications(open_cursor, [application_id])
                open_cursor.execute(_NEW_VERSION, values)
                rows = open_cursor.fetchall()
        except Unavailable:
            return None
        return rows[0][0] if rows else None
