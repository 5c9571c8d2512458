"""What an event holds for whoever tells it to people: the hand-over from alerting to notifications.

``alert_events.payload`` is a JSON object, complete in itself and never changed:

    version        1
    kind           firing, resolved, corrected or acknowledged: as the event's
    status         firing or resolved: the incident's, when this was written
    incident_id    UUID; the same in all events of an incident
    application    name
    rule           {"id", "name", "kind"}, or null for an incident of an anomaly without a rule
    title          one line, the same in all events of an incident
    sentence       what was seen, in which window, against what
    severity       info, warning or critical
    labels         what silences and routes match: application, rule, kind, severity, the rule's own labels, and
                   the group's values by field
    opened_at, resolved_at     RFC 3339; resolved_at is null while it fires
    window         {"from", "until"}: of what was seen, event time
    observed, threshold        numbers, or null; threshold is what observed was held against
    query          in the query language: shows the logs, within the window
    samples        at most 3 logs: {"id", "timestamp", "level", "message"}, the message cut
    correction     null, or {"was": ok | firing | resolved, "is_withdrawn": bool}: late logs changed a verdict.
                   Withdrawn: it should never have fired. was = ok: it was missed
    acknowledged   null, or {"by": key id, "note": text or null}

Events of kind ``firing`` have a ``correction``, too, where late logs made it fire that late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from sluice.alerts.evaluate import Change
from sluice.alerts.model import EventKind, Group, Rule, Status
from sluice.alerts.wording import group_of, sentence, title
from sluice.search.language import parse_condition, text_of
from sluice.search.model import Condition, Field, Has, Not, OfTemplate, all_of

VERSION = 1
MAX_SAMPLES = 3
MAX_SAMPLE_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Told:
    """A change as it is stored: the incident's columns, and the event."""

    incident_id: str
    is_new: bool
    columns: Mapping[str, Any]
    kind: EventKind
    payload: Mapping[str, Any]


def fingerprint(rule_id: int, group: Group) -> str:
    """The same for every episode of a rule and group, 32 hexadecimal digits."""
    return blake2b(repr((rule_id, *group)).encode(), digest_size=16).hexdigest()


def query_of(rule: Rule, group: Group) -> str:
    """The rule's query, of this group alone."""
    condition = parse_condition(rule.spec.query)
    values = group_of(rule.spec, group).items()
    return text_of(all_of(condition, *(_is(field, value) for field, value in values))) if values else rule.spec.query


def _is(field: str, value: str) -> Condition:
    if not value:
        return Not(Has(field))
    if field == "template":
        return OfTemplate(int(value))
    return parse_condition(f"level:{value}") if field == "level" else Field(field, value)


def labels_of(rule: Rule, group: Mapping[str, str] | None = None) -> dict[str, str]:
    """What silences and routes match: what Sluice says of an incident comes before its owner's labels."""
    own = {
        "application": rule.application,
        "rule": rule.name,
        "kind": rule.spec.kind.value,
        "severity": rule.severity.value,
    }
    return {**rule.labels, **(group or {}), **own}


def tell(
    rule: Rule, change: Change, samples: Sequence[Mapping[str, Any]] = (), template_text: str | None = None
) -> Told:
    """The change in full."""
    incident, seen = change.incident, change.seen
    status = Status.RESOLVED if incident.resolved_at else Status.FIRING
    is_good = change.kind is EventKind.RESOLVED or change.is_withdrawn
    window = {"from": seen.at - rule.spec.window, "until": seen.at}
    group = dict(group_of(rule.spec, incident.group))
    columns = {
        "application_id": rule.application_id,
        "rule_id": rule.rule_id,
        "fingerprint": fingerprint(rule.rule_id, incident.group),
        "status": status.value,
        "severity": rule.severity.value,
        "labels": labels_of(rule, group),
        "group_values": list(incident.group),
        "rule_name": rule.name,
        "kind": rule.spec.kind.value,
        "title": title(rule, incident.group, template_text),
        "sentence": sentence(rule, seen, is_good=is_good),
        "query": query_of(rule, incident.group),
        "window_from": window["from"],
        "window_until": window["until"],
        "observed": seen.value,
        "threshold": seen.limit,
        "opened_at": incident.opened_at,
        "resolved_at": incident.resolved_at,
        "is_withdrawn": change.is_withdrawn,
    }
    correction = {"was": change.was, "is_withdrawn": change.is_withdrawn} if change.was else None
    return Told(
        incident.incident_id,
        change.is_new,
        columns,
        change.kind,
        payload(change.kind, incident.incident_id, rule.application, columns, samples, correction=correction),
    )


def payload(
    kind: EventKind,
    incident_id: str,
    application: str,
    columns: Mapping[str, Any],
    samples: Sequence[Mapping[str, Any]] = (),
    *,
    correction: Mapping[str, Any] | None = None,
    acknowledged: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """See above; ``columns`` are those of the incident."""
    has_rule = columns["rule_id"] is not None
    rule = {"id": columns["rule_id"], "name": columns["rule_name"], "kind": columns["kind"]} if has_rule else None
    return {
        "version": VERSION,
        "kind": kind.value,
        "status": columns["status"],
        "incident_id": incident_id,
        "application": application,
        "rule": rule,
        **{name: columns[name] for name in ("title", "sentence", "severity", "labels")},
        "opened_at": _text(columns["opened_at"]),
        "resolved_at": _text(columns["resolved_at"]),
        "window": {"from": _text(columns["window_from"]), "until": _text(columns["window_until"])},
        **{name: columns[name] for name in ("observed", "threshold", "query")},
        "samples": list(samples)[:MAX_SAMPLES],
        "correction": correction,
        "acknowledged": acknowledged,
    }


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
