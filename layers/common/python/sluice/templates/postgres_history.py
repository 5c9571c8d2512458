"""Old counts by template are moved to longer spans of time, so that they need not be deleted."""

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg2.extensions import cursor

from sluice.runtime.postgres import Database

MINUTES_KEPT = timedelta(days=35)  # after receipt; who watches rates looks back 28 days
HOURS_KEPT = timedelta(days=90)  # after the event
MAX_RELEASES = 1_000  # the latest ones, which are told apart

_DUE = """
SELECT application_id FROM applications LEFT JOIN template_rollups AS known USING (application_id)
WHERE known IS NULL OR received_before < %s OR NOT is_done ORDER BY 1 LIMIT 1"""
_BEGIN = """
INSERT INTO template_rollups VALUES (%s, %s, false)
ON CONFLICT (application_id) DO UPDATE SET received_before = excluded.received_before, is_done = false"""
_END = "UPDATE template_rollups SET is_done = true WHERE application_id = %s"

# Each moves at most so many rows; what is deleted and what is added is one statement. A row that somebody adds to
# meanwhile is another one by then, and stays until the next time.
_MINUTES = """
WITH moved AS (
    DELETE FROM template_counts WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM template_counts WHERE application_id = %(application)s
                                           AND received_minute < %(received_before)s LIMIT %(limit)s
    )) RETURNING *
), added AS (
    INSERT INTO template_history AS known (application_id, event_from, template_id, template_key, level, received_day,
                                           span_hours, record_count)
    SELECT application_id, date_trunc('hour', event_minute, 'UTC'), template_id, template_key, level,
           (received_minute AT TIME ZONE 'UTC')::date, 1, sum(record_count)
    FROM moved GROUP BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (application_id, event_from, template_id, template_key, level, received_day, span_hours)
    DO UPDATE SET record_count = known.record_count + excluded.record_count
)
SELECT count(*) FROM moved"""
_HOURS = """
WITH moved AS (
    DELETE FROM template_history WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM template_history WHERE application_id = %(application)s AND event_from < %(event_before)s
                                            AND span_hours = 1 LIMIT %(limit)s
    )) RETURNING *
), added AS (
    INSERT INTO template_history AS known (application_id, event_from, template_id, template_key, level, received_day,
                                           span_hours, record_count)
    SELECT application_id, date_trunc('day', event_from, 'UTC'), template_id, template_key, level, received_day, 24,
           sum(record_count)
    FROM moved GROUP BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (application_id, event_from, template_id, template_key, level, received_day, span_hours)
    DO UPDATE SET record_count = known.record_count + excluded.record_count
)
SELECT count(*) FROM moved"""
_RELEASE_HOURS = """
WITH moved AS (
    DELETE FROM release_counts WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM release_counts WHERE application_id = %(application)s AND event_hour < %(event_before)s
                                          AND event_hour <> date_trunc('day', event_hour, 'UTC') LIMIT %(limit)s
    )) RETURNING *
), added AS (
    INSERT INTO release_counts AS known (application_id, release_id, event_hour, template_id, template_key,
                                         record_count)
    SELECT application_id, release_id, date_trunc('day', event_hour, 'UTC'), template_id, template_key,
           sum(record_count)
    FROM moved GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (application_id, release_id, event_hour, template_id, template_key)
    DO UPDATE SET record_count = known.record_count + excluded.record_count
)
SELECT count(*) FROM moved"""
# A release goes when none of its counts is left. What somebody counts in it at that moment stays, without a name.
_RELEASES = """
WITH old AS MATERIALIZED (
    SELECT release_id FROM releases WHERE application_id = %(application)s
    ORDER BY release_id DESC OFFSET %(max_releases)s
), moved AS (
    DELETE FROM release_counts WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM release_counts WHERE application_id = %(application)s
                                          AND release_id IN (SELECT release_id FROM old) LIMIT %(limit)s
    )) RETURNING *
), added AS (
    INSERT INTO release_counts AS known (application_id, release_id, event_hour, template_id, template_key,
                                         record_count)
    SELECT application_id, 0, event_hour, template_id, template_key, sum(record_count)
    FROM moved GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (application_id, release_id, event_hour, template_id, template_key)
    DO UPDATE SET record_count = known.record_count + excluded.record_count
), forgotten AS (
    DELETE FROM releases WHERE application_id = %(application)s AND release_id IN (SELECT release_id FROM old)
        AND (SELECT count(*) FROM moved) < %(limit)s
)
SELECT count(*) FROM moved"""


class PostgresCountHistory:
    """See CountHistory."""

    def __init__(self, database: Database, *, max_releases: int = MAX_RELEASES) -> None:
        self._database, self._max_releases = database, max_releases

    def roll_up(self, now: datetime, max_rows: int) -> int | None:
        """See CountHistory.roll_up."""
        today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        received_before = today - MINUTES_KEPT
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_DUE, (received_before,))
            due = open_cursor.fetchone()
            if due is None:
                return None
            open_cursor.execute(_BEGIN, (*due, received_before))
            values = {
                "application": due[0],
                "received_before": received_before,
                "event_before": today - HOURS_KEPT,
                "limit": max_rows,
                "max_releases": self._max_releases,
            }
            for sql in (_MINUTES, _HOURS, _RELEASE_HOURS, _RELEASES):
                moved = _moved(open_cursor, sql, values)
                if moved:
                    return moved
            open_cursor.execute(_END, due)
            return 0


def _moved(open_cursor: cursor, sql: str, values: dict[str, Any]) -> int:
    open_cursor.execute(sql, values)
    ((count,),) = open_cursor.fetchall()
    return int(count)
