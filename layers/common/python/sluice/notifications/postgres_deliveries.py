"""What became of events on their channels, under the row security of who asks."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sluice.runtime.postgres import Database, show_applications

STATUSES = ("pending", "delivered", "failed", "held", "silenced", "skipped")
# One that was decided against by a silence or window is silenced, by anything else skipped; what may still come is
# held.
_DELIVERIES = """
SELECT * FROM (
    SELECT d.event_id, d.channel_id::text, a.name AS application, d.incident_id::text, d.kind, d.message_id::text,
           d.reason, d.muting_id::text, d.decided_at, c.name AS channel, c.kind AS channel_kind, m.attempt_count,
           m.finished_at, CASE WHEN m.status = 'pending' THEN m.due_at END AS next_attempt_at,
           CASE WHEN m.message_id IS NOT NULL THEN m.status
                WHEN d.reason IN ('silence', 'maintenance') THEN 'silenced'
                WHEN d.is_final THEN 'skipped' ELSE 'held' END AS status,
           last.result, last.code, last.http_status, last.detail, last.finished_at AS attempted_at
    FROM deliveries d
    JOIN applications a USING (application_id)
    JOIN channels c ON c.channel_id = d.channel_id
    LEFT JOIN messages m ON m.message_id = d.message_id
    LEFT JOIN LATERAL (
        SELECT * FROM message_attempts t WHERE t.message_id = m.message_id AND t.finished_at IS NOT NULL
        ORDER BY t.number DESC LIMIT 1) last ON true) found"""


@dataclass(frozen=True, slots=True)
class DeliveryQuery:
    """Which deliveries: after ``after`` (event and channel) in the order of events, the newest first. Empty or None:
    any."""

    limit: int
    incident_id: str | None = None
    channel_id: str | None = None
    status: str | None = None
    applications: tuple[str, ...] = ()
    after: tuple[int, str] | None = None


class PostgresDeliveries:
    """The deliveries of the applications in ``visible`` (None: of all). Methods raise Unavailable."""

    def __init__(self, database: Database, visible: Collection[int] | None) -> None:
        self._database, self._visible = database, visible

    def page(self, query: DeliveryQuery) -> list[dict[str, Any]]:
        """Deliveries, the newest first, each with its last attempt that has an end."""
        conditions: dict[str, Any] = {
            "incident_id = %s": query.incident_id,
            "channel_id = %s": query.channel_id,
            "status = %s": query.status,
            "application = ANY (%s)": list(query.applications) or None,
            "(event_id, channel_id) < (%s, %s)": query.after,
        }
        asked = {sql: value for sql, value in conditions.items() if value is not None}
        where = f"WHERE {' AND '.join(asked)}" if asked else ""
        values = [part for value in asked.values() for part in (value if isinstance(value, tuple) else (value,))]
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            cursor.execute(
                f"{_DELIVERIES} {where} ORDER BY event_id DESC, channel_id DESC LIMIT %s", (*values, query.limit)
            )
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
