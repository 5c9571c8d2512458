"""The end of a run, as an object and as lines for people. Pure."""

from typing import Any

from sluice_cli.loading.balance import Balance
from sluice_cli.loading.schedule import Schedule
from sluice_cli.loading.tally import Tally

type JsonObject = dict[str, Any]


def summarise(
    schedule: Schedule, batch: int, tally: Tally, processor_share: float, balance: Balance | None, outcome: str
) -> JsonObject:
    """All numbers of a run. outcome: "complete" or "interrupted". Latencies are ms, rates requests per second.

    `balance` is None where the ledger was not asked; then `ledger` is null.
    """
    planned_seconds = schedule.duration_seconds if outcome == "complete" else 0.0
    unknown_logs = (tally.unknown_requests + tally.in_flight) * batch
    ledger = None
    if balance is not None:
        is_balanced = balance.is_balanced(tally.accepted_logs, unknown_logs)
        ledger = {**balance.as_json(), "is_settled": balance.is_settled(), "is_balanced": is_balanced}
    return {
        "outcome": outcome,
        "asked_rate": schedule.rate,
        "achieved_rate": round(tally.answered / max(tally.last_seconds, planned_seconds, 0.001), 2),
        "requests": {
            "sent": tally.started,
            "accepted": tally.accepted_requests,
            "refused": dict(tally.errors.most_common()),
            "retries": tally.retries,
            "not_sent": tally.not_sent,
            "unanswered": tally.in_flight,
        },
        "logs": {
            "sent": tally.started * batch,
            "accepted": tally.accepted_logs,
            "rejected": dict(tally.rejected_logs.most_common()),
            "accepted_per_second": round(tally.accepted_logs / max(tally.last_seconds, 0.001), 1),
        },
        "latency_ms": tally.percentiles(tally.latency),
        "service_ms": tally.percentiles(tally.service),
        "ledger": ledger,
        "warnings": tally.warnings(processor_share),
    }


def is_clean(summary: JsonObject) -> bool:
    """Whether everything that was due was sent and accepted, and the ledger (if asked) agrees and lost nothing."""
    requests, ledger = summary["requests"], summary["ledger"]
    failures = (requests["refused"], requests["not_sent"], requests["unanswered"], summary["logs"]["rejected"])
    return not any(failures) and (ledger is None or bool(ledger["is_balanced"]))
