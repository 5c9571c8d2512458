"""The use cases of incidents."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sluice.alerts.model import Severity, Status
from sluice.alerts.postgres_incidents import IncidentQuery, PostgresIncidents, unknown_incident
from sluice.applications.model import KeyRecord
from sluice.applications.parse import refuse_others
from sluice.applications.ports import Clock
from sluice.entries.normalise import storable_text
from sluice.errors import RejectedInput
from sluice.search.parse import check_names, parse_choice, parse_limit, parse_moment

if TYPE_CHECKING:
    from functions.alerts.rules import rule_id_of
    from functions.alerts.sight import DEFAULT_LIMIT, MAX_LIMIT, Sight, cursor_text, read_cursor
else:
    from rules import rule_id_of
    from sight import DEFAULT_LIMIT, MAX_LIMIT, Sight, cursor_text, read_cursor

MAX_NOTE_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Incidents:
    """Each takes the key of who asks."""

    sight: Sight
    open_incidents: Callable[[Collection[int] | None], PostgresIncidents]
    now: Clock

    def list(self, key: KeyRecord, parameters: Mapping[str, str]) -> dict[str, Any]:
        """A page of incidents, the newest first."""
        check_names(parameters, "status", "severity", "application", "rule", "since", "until", "limit", "cursor")
        now = self.now()
        limit = parse_limit("limit", parameters.get("limit"), DEFAULT_LIMIT, MAX_LIMIT)
        query = IncidentQuery(
            limit=limit + 1,
            status=parse_choice("status", parameters.get("status"), ("", *Status)) or None,
            severity=parse_choice("severity", parameters.get("severity"), ("", *Severity)) or None,
            applications=self.sight.named(key, parameters.get("application")),
            rule_id=rule_id_of(parameters["rule"]) if parameters.get("rule") else None,
            since=parse_moment("since", parameters.get("since"), now),
            until=parse_moment("until", parameters.get("until"), now),
            after=read_cursor(parameters.get("cursor"), _place),
        )
        found = self._incidents(key).page(query)
        shown = found[:limit]
        more = cursor_text(shown[-1]["opened_at"].isoformat(), shown[-1]["incident_id"]) if len(found) > limit else None
        return {"incidents": [document(incident) for incident in shown], "next_cursor": more}

    def show(self, key: KeyRecord, text: str) -> dict[str, Any]:
        """One incident, and what was told of it."""
        incident, events = self._incidents(key).find(_incident_id(text))
        shown = [
            {
                "id": event["event_id"],
                "kind": event["kind"],
                "created_at": event["created_at"],
                "payload": event["payload"],
            }
            for event in events
        ]
        return {"incident": document(incident), "events": shown}

    def acknowledge(self, key: KeyRecord, text: str, members: Mapping[str, Any]) -> dict[str, Any]:
        """Notes that somebody is on it, with their ``note``; who was first stays."""
        refuse_others(members, "note")
        note = members.get("note")
        if note is not None and (
            not isinstance(note, str) or len(note) > MAX_NOTE_CHARACTERS or storable_text(note)[1]
        ):
            raise RejectedInput("invalid_note", f"note must be text of at most {MAX_NOTE_CHARACTERS} characters")
        found = self._incidents(key).acknowledge(_incident_id(text), key.key_id, note or None)
        return {"incident": document(found)}

    def _incidents(self, key: KeyRecord) -> PostgresIncidents:
        return self.open_incidents(self.sight.visible(key))


def document(incident: Mapping[str, Any]) -> dict[str, Any]:
    """An incident as JSON."""
    rule = {"id": incident["rule_id"], "name": incident["rule_name"], "kind": incident["kind"]}
    return {
        "id": incident["incident_id"],
        "application": incident["application"],
        "source": "rule" if incident["anomaly_id"] is None else "anomaly",
        "rule": rule,
        "title": incident["title"],
        "sentence": incident["sentence"],
        "severity": incident["severity"],
        "status": incident["status"],
        "labels": incident["labels"],
        "opened_at": incident["opened_at"],
        "resolved_at": incident["resolved_at"],
        "withdrawn": incident["is_withdrawn"],
        "acknowledged_at": incident["acknowledged_at"],
        "acknowledged_by": incident["acknowledged_by"],
        "acknowledge_note": incident["acknowledge_note"],
        "observed": incident["observed"],
        "threshold": incident["threshold"],
        "query": incident["query"],
        "window": {"from": incident["window_from"], "until": incident["window_until"]},
        "silenced": incident["is_silenced"],
        "noticed_at": incident["noticed_at"],
    }


def _incident_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise unknown_incident() from error


def _place(opened_at: Any, incident_id: Any) -> tuple[datetime, str]:
    moment = datetime.fromisoformat(opened_at)
    if moment.tzinfo is None:
        raise ValueError(opened_at)
    return moment, str(UUID(incident_id))
