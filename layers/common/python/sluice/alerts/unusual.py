"""Incidents of anomalies: rules of the kind anomaly tell what the detectors found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sluice.alerts.model import EventKind, Kind, Status
from sluice.alerts.payload import Told, fingerprint, payload


@dataclass(frozen=True, slots=True)
class Pending:
    """An anomaly that a rule has to tell something of. ``rule`` has rule_id, application_id, application, name,
    severity and labels; ``anomaly`` the columns of the table of anomalies; ``incident_id`` is None where none fires
    yet."""

    rule: Mapping[str, Any]
    anomaly: Mapping[str, Any]
    incident_id: str | None
    opened_at: datetime


def tell_anomaly(pending: Pending, new_id: str, samples: Sequence[Mapping[str, Any]]) -> Told:
    """That it is there, or no longer; or that it never was, if logs that came late showed that. ``new_id`` is for a new
    incident."""
    rule, anomaly = pending.rule, pending.anomaly
    is_new = pending.incident_id is None
    kind = EventKind.FIRING if is_new else EventKind.CORRECTED if anomaly["is_corrected"] else EventKind.RESOLVED
    incident_id = pending.incident_id or new_id
    labels = {
        "application": rule["application"],
        "rule": rule["name"],
        "kind": Kind.ANOMALY.value,
        "severity": rule["severity"],
        "anomaly": anomaly["kind"],
    }
    columns = {
        "application_id": rule["application_id"],
        "rule_id": rule["rule_id"],
        "anomaly_id": anomaly["anomaly_id"],
        "fingerprint": fingerprint(rule["rule_id"], (f"anomaly {anomaly['anomaly_id']}",)),
        "status": (Status.FIRING if is_new else Status.RESOLVED).value,
        "severity": rule["severity"],
        "labels": {**rule["labels"], **labels},
        "group_values": [],
        "rule_name": rule["name"],
        "kind": Kind.ANOMALY.value,
        "title": f"{rule['name']}: {anomaly['kind'].replace('_', ' ')} in {rule['application']}",
        "sentence": f"{rule['application']}: {anomaly['sentence']}.",
        "query": anomaly["query"],
        "window_from": anomaly["window_from"],
        "window_until": anomaly["window_until"],
        "observed": anomaly["observed"],
        "threshold": anomaly["expected"],
        "opened_at": pending.opened_at,
        "resolved_at": None if is_new else max(anomaly["closed_at"] or anomaly["last_seen"], pending.opened_at),
        "is_withdrawn": kind is EventKind.CORRECTED,
    }
    correction = {"was": Status.FIRING.value, "is_withdrawn": True} if kind is EventKind.CORRECTED else None
    told = payload(kind, incident_id, rule["application"], columns, samples, correction=correction)
    return Told(incident_id, is_new, columns, kind, told)
