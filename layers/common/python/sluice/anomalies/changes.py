"""What a version changed: pure functions on counts by template."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sluice.anomalies.model import ALARM_SCORE
from sluice.anomalies.tails import surprise_above, surprise_below

_CHANGED_SURPRISE = 10.0  # once in 22,000 templates that did not change
_OWN_SCATTER = 0.1  # relative variance of a template's share of logs between two stretches of time
_LEAST_CHANGE = 2.0  # times as many, or as few
_ENOUGH_LOGS, _ENOUGH_TEMPLATES = 10, 3  # on both sides, for their median to tell how much came


class ChangeKind(StrEnum):
    """What became of a template."""

    ADDED = "added"
    GONE = "gone"
    MORE = "more"
    LESS = "less"


@dataclass(frozen=True, slots=True)
class Change:
    """``expected`` is what ``before`` makes of the traffic that came after."""

    template_id: int
    kind: ChangeKind
    score: float
    before: int
    after: int
    expected: float


def changes(before: Mapping[int, int], after: Mapping[int, int], known: Collection[int] = ()) -> tuple[Change, ...]:
    """What a deployment changed, strongest first: counts by template of the logs of earlier versions, and of those of
    the new one. Empty where either has no logs. Those that are ``known`` are not new, even if ``before`` has none."""
    scale = traffic(before, after)
    if not scale:
        return ()
    found = (
        _change(template_id, before.get(template_id, 0), after.get(template_id, 0), scale, template_id in known)
        for template_id in before.keys() | after.keys()
    )
    return tuple(sorted(filter(None, found), key=lambda change: (-change.score, change.template_id)))


def traffic(before: Mapping[int, int], after: Mapping[int, int]) -> float:
    """How much came after, as a multiple of what came before; 0 where either has no logs.

    The median over the templates of both sides, as in Anders and Huber, Genome Biology 11:R106, 2010: one template that
    comes far more often must not make all others seem rarer. All logs where few templates are on both sides."""
    logs_before, logs_after = sum(before.values()), sum(after.values())
    if not logs_before or not logs_after:
        return 0.0
    ratios = sorted(
        after[template_id] / count
        for template_id, count in before.items()
        if count >= _ENOUGH_LOGS and after.get(template_id, 0) >= _ENOUGH_LOGS
    )
    return ratios[len(ratios) // 2] if len(ratios) >= _ENOUGH_TEMPLATES else logs_after / logs_before


def _change(template_id: int, before: int, after: int, scale: float, is_known: bool) -> Change | None:
    if not before and not after:
        return None
    expected = (before + 0.5) * scale  # half an event stands for what merely was not seen yet
    variance = expected + expected * expected * (1 / (before + 0.5) + _OWN_SCATTER)
    surprise = (surprise_above if after > expected else surprise_below)(after, expected, variance)
    score = surprise / (surprise + _CHANGED_SURPRISE)
    is_large = after >= _LEAST_CHANGE * expected or after * _LEAST_CHANGE <= expected
    if not before and not is_known:
        return Change(template_id, ChangeKind.ADDED, max(score, ALARM_SCORE), before, after, 0.0)
    if score < ALARM_SCORE or not is_large:
        return None
    if not after:
        return Change(template_id, ChangeKind.GONE, score, before, after, before * scale)
    kind = ChangeKind.MORE if after > expected else ChangeKind.LESS
    return Change(template_id, kind, score, before, after, before * scale)
