"""One incident, one anomaly: signals of the same subject that follow each other, and subjects that begin together."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

QUIET = timedelta(hours=1)  # without a signal of its own, after which the next one is another incident
TOGETHER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Signal:
    """An anomaly of a detector. ``subject`` is what it is about: a series, a template, a kind of session."""

    subject: str
    time: datetime
    score: float


@dataclass(frozen=True, slots=True)
class Incident:
    """``subjects`` in the order in which they began; ``peak`` is the signal with the highest score."""

    subjects: tuple[str, ...]
    first: datetime
    last: datetime
    peak: Signal
    signals: int


def group(signals: Iterable[Signal], quiet: timedelta = QUIET) -> tuple[Incident, ...]:
    """Incidents of one subject each, oldest first. The order of the signals does not matter."""
    incidents: list[Incident] = []
    latest: dict[str, int] = {}
    for signal in sorted(signals, key=lambda signal: (signal.time, signal.subject)):
        place = latest.get(signal.subject)
        incident = Incident((signal.subject,), signal.time, signal.time, signal, 1)
        if place is not None and signal.time - incidents[place].last <= quiet:
            incidents[place] = _joined(incidents[place], incident)
        else:
            latest[signal.subject] = len(incidents)
            incidents.append(incident)
    return tuple(incidents)


def join(incidents: Iterable[Incident], together: timedelta = TOGETHER) -> tuple[Incident, ...]:
    """Incidents of one application that began together are one, however many series show it."""
    joined: list[Incident] = []
    for incident in sorted(incidents, key=lambda incident: (incident.first, incident.subjects)):
        if joined and incident.first - joined[-1].first <= together:
            joined[-1] = _joined(joined[-1], incident)
        else:
            joined.append(incident)
    return tuple(joined)


def _joined(one: Incident, other: Incident) -> Incident:
    return Incident(
        subjects=tuple(dict.fromkeys((*one.subjects, *other.subjects))),
        first=min(one.first, other.first),
        last=max(one.last, other.last),
        peak=max(one.peak, other.peak, key=lambda signal: signal.score),
        signals=one.signals + other.signals,
    )
