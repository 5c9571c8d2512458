"""What was found, compared with what happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from scenarios.model import HOUR, Incident, Scenario, Template

_AFTERWARDS = HOUR  # in which what an incident leaves behind is still about it
_IN_TIME = 2  # intervals of evaluation


@dataclass(frozen=True, slots=True)
class Found:
    """An anomaly that was reported: ``opened_at`` is when, by the clock of the logs; the other facts are its latest.
    ``name`` identifies it."""

    kind: str
    templates: frozenset[Template]
    opened_at: datetime
    sentence: str = ""
    name: str = ""


class Outcome(StrEnum):
    """What became of an incident."""

    FOUND = "found"  # once, in time, and rightly explained
    MISSED = "missed"
    LATE = "late"
    WRONG = "wrong"  # explanation
    TWICE = "twice"


@dataclass(frozen=True, slots=True)
class Judged:
    """An incident, and the anomalies that were about it, oldest first."""

    application: str
    incident: Incident
    outcome: Outcome
    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """Of one scenario. ``false_alarms`` are those of the normal week, by application; ``beside`` those that came later,
    and were about no incident."""

    seed: int
    judged: tuple[Judged, ...]
    false_alarms: Mapping[str, tuple[Found, ...]]
    beside: Mapping[str, tuple[Found, ...]]


def score(scenario: Scenario, found: Mapping[str, Sequence[Found]], interval: timedelta) -> Score:
    """``found`` are the anomalies by application, ``interval`` is how often rates are judged."""
    judged: list[Judged] = []
    false_alarms, beside = {}, {}
    for application in scenario.applications:
        name = application.name
        anomalies = sorted(found[name], key=lambda each: each.opened_at)
        about = {each: tuple(one for one in anomalies if _is_about(one, each)) for each in application.incidents}
        judged += (Judged(name, each, _outcome(each, ones, interval), ones) for each, ones in about.items())
        unexplained = [one for one in anomalies if not any(one in ones for ones in about.values())]
        false_alarms[name] = _between(unexplained, scenario.judged_from, scenario.incidents_from)
        beside[name] = _between(unexplained, scenario.incidents_from, scenario.until)
    return Score(scenario.seed, tuple(judged), false_alarms, beside)


def _is_about(found: Found, incident: Incident) -> bool:
    is_then = incident.onset < found.opened_at <= incident.until + _AFTERWARDS
    return is_then and not found.templates.isdisjoint(incident.touched)


def _outcome(incident: Incident, found: Sequence[Found], interval: timedelta) -> Outcome:
    if not found:
        return Outcome.MISSED
    if len(found) > 1:
        return Outcome.TWICE
    (only,) = found
    if only.kind not in incident.kinds or only.templates.isdisjoint(incident.templates):
        return Outcome.WRONG
    return Outcome.FOUND if only.opened_at <= incident.visible + _IN_TIME * interval else Outcome.LATE


def _between(found: Sequence[Found], since: datetime, until: datetime) -> tuple[Found, ...]:
    return tuple(each for each in found if since < each.opened_at <= until)
