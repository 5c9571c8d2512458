"""An anomaly as it is stored, and as it is shown."""

from collections.abc import Mapping
from typing import Any

from sluice.anomalies.anomaly import Anomaly
from sluice.entries.model import Level

type Row = Mapping[str, Any]


def row_of(anomaly: Anomaly) -> dict[str, Any]:
    """Its columns in the table of anomalies, but for what people say of it."""
    founder, founded = anomaly.key
    lead = anomaly.lead
    return {
        "application_id": anomaly.application_id,
        "founder": founder,
        "founded": founded,
        "lead": lead.series.key,
        "kind": lead.kind.value,
        "level": anomaly.level or None,
        "template_ids": list(anomaly.template_ids),
        "onset": anomaly.onset,
        "opened_at": anomaly.opened_at,
        "last_seen": anomaly.last,
        "closed_at": anomaly.closed_at,
        "window_from": lead.window[0],
        "window_until": lead.window[1],
        "baseline_from": lead.baseline_from,
        "baseline_until": lead.window[0],
        "score": anomaly.score,
        "observed": lead.observed,
        "expected": lead.expected,
        "sentence": anomaly.sentence,
        "query": anomaly.query,
        "version": anomaly.version,
        "samples": list(anomaly.samples),
        "members": [member.to_state() for member in anomaly.members],
        "is_corrected": anomaly.is_corrected,
        "is_muted": anomaly.is_muted,
    }


def document(row: Row, application: str, texts: Mapping[int, str]) -> dict[str, Any]:
    """What clients get of a row; ``texts`` are templates'. One that is not stored has no id and no feedback."""
    return {
        "id": row.get("anomaly_id"),
        "application": application,
        "kind": row["kind"],
        "level": Level(row["level"]).name if row["level"] else None,
        "templates": [{"id": each, "text": texts[each]} for each in row["template_ids"] if each in texts],
        "onset": row["onset"],
        "opened_at": row["opened_at"],
        "last_seen": row["last_seen"],
        "closed_at": row["closed_at"],
        "status": "closed" if row["closed_at"] else "open",
        "score": round(row["score"], 4),
        "observed": row["observed"],
        "expected": round(row["expected"], 3),
        "window": {"from": row["window_from"], "until": row["window_until"]},
        "baseline": {"from": row["baseline_from"], "until": row["baseline_until"]},
        "sentence": row["sentence"],
        "query": row["query"],
        "version": row["version"],
        "samples": row["samples"],
        "feedback": row.get("feedback"),
        "corrected": row["is_corrected"],
        "muted": row["is_muted"],
    }
