"""Incidents as people see them, under the row security of who asks."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor

from sluice.alerts.model import EventKind
from sluice.alerts.payload import payload
from sluice.errors import RejectedInput
from sluice.runtime.postgres import Database, show_applications

_INCIDENTS = """
SELECT incident_id::text, a.name AS application, i.application_id, rule_id, anomaly_id, rule_name, kind, title,
       sentence, severity, i.status, labels, query, window_from, window_until, observed, threshold, opened_at,
       resolved_at, is_withdrawn, is_silenced, acknowledged_at, acknowledged_by, acknowledge_note, noticed_at
FROM incidents i JOIN applications a USING (application_id)"""
_EVENTS = """
SELECT event_id, kind, payload, created_at FROM alert_events WHERE incident_id = %s ORDER BY event_id LIMIT 200"""
_ACKNOWLEDGE = """
UPDATE incidents SET acknowledged_at = now(), acknowledged_by = %s, acknowledge_note = %s
WHERE incident_id = %s AND acknowledged_at IS NULL"""
_EVENT = "INSERT INTO alert_events (incident_id, application_id, kind, payload) VALUES (%s, %s, %s, %s)"


@dataclass(frozen=True, slots=True)
class IncidentQuery:
    """Which incidents: those that fired at some time from ``since`` until ``until``, after ``after`` in the order of
    opening, the newest first. Empty or None: any."""

    limit: int
    status: str | None = None
    severity: str | None = None
    applications: tuple[str, ...] = ()
    rule_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: tuple[datetime, str] | None = None  # opened_at and id of the last one on the page before


class PostgresIncidents:
    """The incidents of the applications in ``visible`` (None: of all). Methods raise Unavailable, and RejectedInput
    ``unknown_incident`` (404)."""

    def __init__(self, database: Database, visible: Collection[int] | None) -> None:
        self._database, self._visible = database, visible

    def page(self, query: IncidentQuery) -> list[dict[str, Any]]:
        """Incidents, the newest first."""
        conditions = {
            "i.status = %s": query.status,
            "severity = %s": query.severity,
            "a.name = ANY (%s)": list(query.applications) or None,
            "rule_id = %s": query.rule_id,
            "coalesce(resolved_at, 'infinity') >= %s": query.since,
            "opened_at < %s": query.until,
            "(opened_at, incident_id) < (%s, %s::uuid)": query.after,
        }
        asked = {sql: value for sql, value in conditions.items() if value is not None}
        where = f"WHERE {' AND '.join(asked)}" if asked else ""
        values = [part for value in asked.values() for part in (value if isinstance(value, tuple) else (value,))]
        sql = f"{_INCIDENTS} {where} ORDER BY opened_at DESC, incident_id DESC LIMIT %s"
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, self._visible)
            return _rows(open_cursor, sql, *values, query.limit)

    def find(self, incident_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """One incident, and its events in order."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, self._visible)
            return _incident(open_cursor, incident_id), _rows(open_cursor, _EVENTS, incident_id)

    def acknowledge(self, incident_id: str, key_id: str, note: str | None) -> dict[str, Any]:
        """The incident, acknowledged: by whoever did it first."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, self._visible)
            open_cursor.execute(_ACKNOWLEDGE, (key_id, note, incident_id))
            is_first = bool(open_cursor.rowcount)
            incident = _incident(open_cursor, incident_id)
            if is_first:
                by = {"by": key_id, "note": note}
                told = payload(EventKind.ACKNOWLEDGED, incident_id, incident["application"], incident, acknowledged=by)
                values = (incident_id, incident["application_id"], EventKind.ACKNOWLEDGED.value, json.dumps(told))
                open_cursor.execute(_EVENT, values)
            return incident


def _incident(open_cursor: cursor, incident_id: str) -> dict[str, Any]:
    rows = _rows(open_cursor, f"{_INCIDENTS} WHERE incident_id = %s", incident_id)
    if not rows:
        raise unknown_incident()
    return rows[0]


def unknown_incident() -> RejectedInput:
    """What is said of an incident that does not exist, or of somebody else."""
    return RejectedInput("unknown_incident", "this API key sees no such incident", status=404)


def _rows(open_cursor: cursor, sql: str, *values: Any) -> list[dict[str, Any]]:
    open_cursor.execute(sql, values)
    names = [column.name for column in open_cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in open_cursor.fetchall()]
