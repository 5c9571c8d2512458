"""Anomalous sessions: which events a trace, request or session had, and how often, compared with the sessions before.

Presence and counts of events are what tells (invariants of counts: Lou et al., USENIX ATC 2010); the order of events is
not used, because what runs in parallel comes in any order.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from sluice.anomalies.model import ALARM_SCORE

LEARNING = 100  # sessions without a verdict
LEAST_MEMORY = 4_000.0  # sessions after which one weighs a third of a new one
_SELDOM = 0.03  # share of sessions
_NEARLY_NEVER_MISSING = 0.005  # a session that was cut off lacks events without harm, so more is asked for
_CONSTANT = 0.95  # share of an event's sessions that have it equally often
_LEAST_EVIDENCE = 0.01
_MAX_EVENTS, _MAX_COUNT = 2_000, 64
_MAX_REASONS = 20
_RESCALED_AT = 1e9


class ReasonKind(StrEnum):
    """What is unusual about an event of a session."""

    SELDOM = "seldom"  # hardly any session had it
    MISSING = "missing"  # nearly every session had it
    COUNT = "count"  # sessions that have it have it another number of times


@dataclass(frozen=True, slots=True)
class Reason:
    """``share`` of the sessions so far were like this one; ``usual`` is how often sessions have the event."""

    event: int
    kind: ReasonKind
    share: float
    observed: int
    usual: int


@dataclass(frozen=True, slots=True)
class SessionVerdict:
    """``score`` is from 0 to 1, and anomalous from ALARM_SCORE on. The strongest reason comes first."""

    score: float
    reasons: tuple[Reason, ...]
    sessions: float  # that it was compared with; old ones weigh less

    @property
    def is_anomalous(self) -> bool:
        return self.score >= ALARM_SCORE


@dataclass(slots=True)
class _Event:
    weight: float  # of the sessions that had it
    counts: dict[int, float]  # the same by how often they had it

    @property
    def usual(self) -> int:
        return max(self.counts, key=lambda count: (self.counts[count], -count))


class SessionDetector:
    """Feed it each session once it is complete. Its state is bounded, JSON-able, and gives the same verdicts again.

    ``memory`` is the number of sessions after which one weighs a third of a new one; it is no part of the state."""

    def __init__(self) -> None:
        self.memory = LEAST_MEMORY
        self._events: dict[int, _Event] = {}
        self._total = 0.0
        self._seen = 0
        self._weight = 1.0  # of the next session; grows instead of all others' fading

    def feed(self, events: Iterable[int]) -> SessionVerdict:
        """``events`` are template ids, in any order. Judges the session by those before it, then learns from it."""
        counts = Counter(events)
        verdict = self.judge(counts)
        self.learn(counts)
        return verdict

    def judge(self, counts: Mapping[int, int]) -> SessionVerdict:
        """What is to be said of a session that has each event so often."""
        if self._seen < LEARNING:
            return SessionVerdict(0.0, (), self.sessions)
        return self._judge({event: min(count, _MAX_COUNT) for event, count in counts.items()})

    def learn(self, counts: Mapping[int, int], sessions: int = 1) -> None:
        """From so many sessions that are alike."""
        growth = 1 + 1 / self.memory
        weight = (
            self._weight * growth if sessions == 1 else self._weight * growth * (growth**sessions - 1) / (growth - 1)
        )
        self._weight *= growth**sessions
        self._total += weight
        self._seen += sessions
        for event, count in counts.items():
            known = self._events.setdefault(event, _Event(0.0, {}))
            known.weight += weight
            number = min(count, _MAX_COUNT)
            known.counts[number] = known.counts.get(number, 0.0) + weight
        while len(self._events) > _MAX_EVENTS:
            del self._events[min(self._events, key=lambda event: self._events[event].weight)]
        if self._weight > _RESCALED_AT:
            self._rescale()

    @property
    def seen(self) -> int:
        """Sessions that it learnt from."""
        return self._seen

    @property
    def sessions(self) -> float:
        """The same, where old ones weigh less."""
        return self._total / self._weight

    def knows(self, event: int) -> bool:
        """Whether more than a few of the sessions had it."""
        known = self._events.get(event)
        return known is not None and known.weight >= _SELDOM * self._total

    def odd_share(self, reason: Reason) -> float:
        """Of the sessions before, those that were odd in that way: also by another number of times."""
        known = self._events.get(reason.event)
        if reason.kind is not ReasonKind.COUNT or known is None:
            return reason.share
        return 1 - known.counts[known.usual] / known.weight

    def merge(self, roots: Mapping[int, int]) -> bool:
        """Events that are part of others by now. False if it knew both: nobody counted the sessions that had either."""
        for event in [each for each in self._events if each in roots]:
            if roots[event] in self._events:
                return False
            self._events[roots[event]] = self._events.pop(event)
        return True

    def to_state(self) -> dict[str, Any]:
        return {
            "total": self._total,
            "seen": self._seen,
            "weight": self._weight,
            "events": [[event, known.weight, list(known.counts.items())] for event, known in self._events.items()],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        detector = cls()
        detector._total = state["total"]
        detector._seen = state["seen"]
        detector._weight = state["weight"]
        detector._events = {event: _Event(weight, dict(counts)) for event, weight, counts in state["events"]}
        return detector

    def _judge(self, counts: dict[int, int]) -> SessionVerdict:
        doubt = self._weight / (self._total + self._weight)
        evidence: list[tuple[float, Reason]] = []
        rarest = 1.0
        for reason, limit in (*self._present(counts), *self._missing(counts)):
            rarest = min(rarest, reason.share / limit)
            if reason.share < limit:
                evidence.append((max(math.log(limit / (reason.share + doubt)), _LEAST_EVIDENCE), reason))
        if not evidence:
            return SessionVerdict(ALARM_SCORE * (1 - min(rarest, 1.0)), (), self.sessions)
        evidence.sort(key=lambda pair: (-pair[0], pair[1].event))
        strength = sum(weight for weight, _ in evidence)
        score = ALARM_SCORE + (1 - ALARM_SCORE) * strength / (1 + strength)
        reasons = tuple(reason for _, reason in evidence[:_MAX_REASONS])
        return SessionVerdict(score, reasons, self.sessions)

    def _present(self, counts: dict[int, int]) -> Iterable[tuple[Reason, float]]:
        """About the events that the session has."""
        for event, count in counts.items():
            known = self._events.get(event)
            share = known.weight / self._total if known else 0.0
            usual = known.usual if known else 0
            if known is None or share < _SELDOM:
                yield Reason(event, ReasonKind.SELDOM, share, count, usual), _SELDOM
            elif count != usual and known.counts[usual] >= _CONSTANT * known.weight:
                share = known.counts.get(count, 0.0) / known.weight
                yield Reason(event, ReasonKind.COUNT, share, count, usual), _SELDOM

    def _missing(self, counts: dict[int, int]) -> Iterable[tuple[Reason, float]]:
        """About those that it lacks."""
        for event, known in self._events.items():
            share = max(0.0, 1 - known.weight / self._total)
            if share < _NEARLY_NEVER_MISSING and event not in counts:
                yield Reason(event, ReasonKind.MISSING, share, 0, known.usual), _NEARLY_NEVER_MISSING

    def _rescale(self) -> None:
        """Weights in units of the newest session's, before they grow out of a float."""
        for known in self._events.values():
            known.weight /= self._weight
            known.counts = {count: weight / self._weight for count, weight in known.counts.items()}
        self._total /= self._weight
        self._weight = 1.0
