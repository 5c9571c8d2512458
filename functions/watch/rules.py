"""The step that judges alert rules."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sluice.alerts.evaluate import Change, Outcome, evaluate
from sluice.alerts.model import EventKind, Kind
from sluice.alerts.payload import MAX_SAMPLES, Told, query_of, tell
from sluice.alerts.ports import Due, LogSource, RuleStates, Settled
from sluice.alerts.watermark import stored_until
from sluice.applications.ports import Clock
from sluice.errors import SluiceError
from sluice.metrics.model import Sample
from sluice.metrics.ports import MetricStore
from sluice.runtime.observability import Logger, Metrics, keep, told
from sluice.streams.ports import QueueInspection

RULES_AT_ONCE = 20
EVALUATED = tuple(kind for kind in Kind if kind is not Kind.ANOMALY)  # window by window


@dataclass(frozen=True, slots=True)
class Rules:
    """The use case. ``open_source``: by id and name of an application."""

    states: RuleStates
    open_source: Callable[[int, str], LogSource]
    queue: QueueInspection
    now: Clock
    logger: Logger
    metrics: Metrics
    store: Callable[[], MetricStore] | None = None

    def evaluate(self, has_time: Callable[[], bool]) -> dict[str, Any]:
        """Judges the rules that have something to judge, until none is left or time is up: who is left waits longest,
        and comes first in the next run."""
        began_at = self.now()
        complete_until = stored_until(self.queue, began_at)
        self.states.create_defaults()
        late_minutes = self.states.note_late(complete_until)
        totals: Counter[str] = Counter()
        while has_time():
            due = self.states.due(complete_until, began_at, RULES_AT_ONCE)
            if not due:
                break
            settled = [self._settle(one, complete_until) for one in due if has_time()]
            kept = self.states.settle(settled, began_at)
            totals += _counted([one for one in settled if one.due.rule.rule_id in kept or one.failure])
        else:
            totals["unfinished"] = 1
        self._count(totals, began_at, complete_until)
        return {
            "rules": totals["rules"],
            "failed": totals["failed"],
            "windows": totals["windows"],
            "late_minutes": late_minutes,
            **{kind.value: totals[kind.value] for kind in EventKind if kind is not EventKind.ACKNOWLEDGED},
            "lag_seconds": round((began_at - complete_until).total_seconds(), 1),
            "is_complete": not totals["unfinished"],
        }

    def _settle(self, due: Due, complete_until: datetime) -> Settled:
        """What comes of one rule; a failure is the rule's own, and stops no other."""
        source = self.open_source(due.rule.application_id, due.rule.application)
        try:
            outcome = evaluate(due, source, complete_until, lambda: str(uuid4()))
            return Settled(due, outcome, [self._tell(due, change, source) for change in outcome.changes])
        except SluiceError as error:
            extra = told(error) | {"rule": due.rule.rule_id}
            self.logger.warning("a rule could not be evaluated", extra=extra)
            keep(self.metrics, self.store, self.logger, [Sample("rules_failed", 1, {"code": error.code})])
            return Settled(due, failure=(error.code, error.detail))

    def _tell(self, due: Due, change: Change, source: LogSource) -> Told:
        rule, at = due.rule, change.seen.at
        samples: list[dict[str, Any]] = []
        if change.kind is not EventKind.RESOLVED and rule.spec.kind is not Kind.ABSENCE:
            samples = source.samples(query_of(rule, change.incident.group), at - rule.spec.window, at, MAX_SAMPLES)
        return tell(rule, change, samples, self._template_text(rule.spec.kind, change, source))

    def _template_text(self, kind: Kind, change: Change, source: LogSource) -> str | None:
        if kind is not Kind.NEW_TEMPLATE or not change.is_new:
            return None
        return source.template_text(int(change.incident.group[0]))

    def _count(self, totals: Counter[str], began_at: datetime, complete_until: datetime) -> None:
        samples = [Sample("evaluations", totals["rules"]), Sample("windows_judged", totals["windows"])]
        samples += [Sample("alert_transitions", totals[kind.value], {"kind": kind.value}) for kind in EventKind]
        keep(self.metrics, self.store, self.logger, [sample for sample in samples if sample.value])
        self.metrics.add("watch_lag", (began_at - complete_until).total_seconds())


def _counted(settled: list[Settled]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for one in settled:
        outcome: Outcome | None = one.outcome
        totals["rules"] += 1
        totals["failed"] += outcome is None
        totals["windows"] += outcome.window_count if outcome else 0
        totals.update(told.kind.value for told in one.told)
    return totals
