"""Which anomalies rules of the kind anomaly have to tell of."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extras import RealDictCursor

from sluice.alerts.payload import Told
from sluice.alerts.postgres_states import write_told
from sluice.alerts.unusual import Pending
from sluice.runtime.postgres import Database, show_applications

RECENT = timedelta(hours=2)  # what is found later than this after its time is history, and no alarm

# Found and not told, or told and over. One that opens again after it was over is told again.
_PENDING = """
SELECT r.rule_id, r.application_id, ap.name AS application, r.name, r.severity, r.labels, fires.incident_id::text,
       coalesce(fires.opened_at, greatest(a.opened_at, told.resolved_at)) AS opened_at, to_jsonb(a) AS anomaly
FROM alert_rules r JOIN applications ap USING (application_id) JOIN anomalies a USING (application_id)
LEFT JOIN incidents fires ON fires.rule_id = r.rule_id AND fires.anomaly_id = a.anomaly_id AND fires.status = 'firing'
LEFT JOIN LATERAL (SELECT max(resolved_at) AS resolved_at, bool_or(is_withdrawn) AS is_withdrawn FROM incidents i
                   WHERE i.rule_id = r.rule_id AND i.anomaly_id = a.anomaly_id) AS told ON true
WHERE r.kind = 'anomaly' AND ap.status = 'active' AND (
    fires.incident_id IS NOT NULL AND (a.closed_at IS NOT NULL OR a.is_muted)
    OR fires.incident_id IS NULL AND r.is_enabled AND NOT a.is_muted AND NOT a.is_corrected
       AND a.score >= coalesce((r.spec->>'min_score')::float, 0.5) AND a.last_seen >= %(recent)s
       AND (told.resolved_at IS NULL OR a.closed_at IS NULL AND a.last_seen > told.resolved_at))
ORDER BY a.anomaly_id, r.rule_id LIMIT %(limit)s"""
_TIMES = ("opened_at", "onset", "last_seen", "closed_at", "window_from", "window_until")


class PostgresUnusual:
    """Methods raise Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pending(self, now: datetime, limit: int) -> list[Pending]:
        """What is to be told, at most so much."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, None)
            with open_cursor.connection.cursor(cursor_factory=RealDictCursor) as named:
                named.execute(_PENDING, {"recent": now - RECENT, "limit": limit})
                return [_pending(row) for row in named.fetchall()]

    def settle(self, told: Sequence[Told]) -> None:
        """Writes incidents and events, at once or not at all."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, None)
            for one in told:
                write_told(open_cursor, one)


def _pending(row: dict[str, Any]) -> Pending:
    anomaly = row["anomaly"]
    times = {name: anomaly[name] and datetime.fromisoformat(anomaly[name]) for name in _TIMES}
    return Pending(row, anomaly | times, row["incident_id"], row["opened_at"])
