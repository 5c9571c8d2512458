"""New and rare templates, and what a version changed: pure functions on counts."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sluice.anomalies.model import ALARM_SCORE
from sluice.anomalies.tails import surprise_above, surprise_below

LEARNING = timedelta(days=7)  # of an application, in which every template is new
RARE_SHARE = 1e-4  # of an application's logs
_RARE_DAYS = 7.0  # without the template, before its return is worth a word
_NEW_LIMIT = 0.05  # probability that the next log has a template of its own, at which a new one is no news
_CHANGED_SURPRISE = 10.0  # once in 22,000 templates that did not change
_OWN_SCATTER = 0.1  # relative variance of a template's share of logs between two stretches of time
_LEAST_CHANGE = 2.0  # times as many, or as few
_ENOUGH_LOGS, _ENOUGH_TEMPLATES = 10, 3  # on both sides, for their median to tell how much came


@dataclass(frozen=True, slots=True)
class History:
    """A template's past, before the logs that are judged. ``last`` is None for a template that is new."""

    count: int
    last: datetime | None


class NoveltyKind(StrEnum):
    """Why a template is worth a word."""

    NEW = "new"
    RARE = "rare"  # was seldom seen, and not for days


@dataclass(frozen=True, slots=True)
class Novelty:
    """``score`` is from 0 to 1, an anomaly from ALARM_SCORE on. ``probability`` is how likely a log was to be one."""

    template_id: int
    kind: NoveltyKind
    score: float
    probability: float


def novelties(
    seen: Mapping[int, datetime], histories: Mapping[int, History], since: datetime, learning: timedelta = LEARNING
) -> tuple[Novelty, ...]:
    """Which of the templates that were seen (with their first time in the logs that are judged) are new or rare.

    ``histories`` are of all templates of the application, which sends logs since ``since``. A new template surprises
    the less, the more templates have come only once so far: their share of all logs is the probability that the next
    log's template is new (Good and Turing, Biometrika 40, 1953)."""
    total = sum(history.count for history in histories.values())
    once = sum(history.count == 1 for history in histories.values())
    answers = []
    for template_id, time in seen.items():
        if time - since < learning:
            continue
        history = histories.get(template_id)
        if history is None or history.last is None:
            probability = (once + 1) / (total + 1)
            answers.append(Novelty(template_id, NoveltyKind.NEW, _score(probability, _NEW_LIMIT), probability))
        elif history.count <= RARE_SHARE * total and time - history.last >= timedelta(days=_RARE_DAYS):
            probability = history.count / total
            answers.append(Novelty(template_id, NoveltyKind.RARE, _score(probability, 10 * RARE_SHARE), probability))
    return tuple(sorted(answers, key=lambda novelty: (-novelty.score, novelty.template_id)))


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


def _score(probability: float, limit: float) -> float:
    """1/2 at the limit, 1 for what is impossible."""
    return 1 / (1 + math.exp(math.log(max(probability, 1e-12)) - math.log(limit)))
