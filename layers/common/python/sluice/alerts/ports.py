"""Contracts of alerting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from sluice.alerts.model import Group, GroupState, Rule

if TYPE_CHECKING:  # they are made of what is here
    from sluice.alerts.evaluate import Outcome
    from sluice.alerts.payload import Told


@dataclass(frozen=True, slots=True)
class Series:
    """Counts by group and the beginning of the step. ``is_cut``: there were more groups than are kept."""

    counts: Mapping[Group, Mapping[datetime, int]]
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Novelty:
    """A template that is new. ``text`` is the masked message."""

    template_id: int
    text: str
    appeared_at: datetime


class LogSource(Protocol):
    """What the logs of one application say. Methods raise Unavailable, also when an answer would not be complete."""

    def series(self, query: str, group_by: Sequence[str], since: datetime, until: datetime, step: timedelta) -> Series:
        """How many logs match, by event time; both times are whole steps from ORIGIN."""

    def novelties(self, since: datetime, until: datetime) -> list[Novelty]:
        """Templates that appeared in this time (of storing) and are no others in disguise, the first first."""

    def learnt_since(self) -> datetime | None:
        """When the first template appeared; None: there is none."""

    def template_text(self, template_id: int) -> str | None:
        """The masked message of a template."""

    def samples(self, query: str, since: datetime, until: datetime, limit: int) -> list[dict[str, Any]]:
        """Some of the logs that match, the newest, for people to see: id, timestamp, level and the beginning of the
        message. Never raises."""


@dataclass(frozen=True, slots=True)
class KnownIncident:
    """An episode of a group that is told. ``resolved_at`` is None while it fires."""

    incident_id: str
    group: Group
    opened_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """A rule that is to be evaluated, and where it stands. ``evaluated_until`` is None before its first window, and
    ``begun_at`` is where that began: what comes late of before is no business of this rule's.
    ``late_minutes`` are those between ``late_id`` and ``latest_id``, which it has not looked at again. ``incidents``
    are its own: those that fire, and of the last days."""

    rule: Rule
    evaluated_until: datetime | None
    begun_at: datetime | None = None
    late_id: int = 0
    latest_id: int = 0
    late_minutes: tuple[datetime, ...] = ()
    states: Mapping[Group, GroupState] = field(default_factory=dict)
    incidents: tuple[KnownIncident, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a rule: an outcome with what is to be told, or else a failure's code and detail."""

    due: Due
    outcome: "Outcome | None" = None
    told: "Sequence[Told]" = ()
    failure: tuple[str, str] | None = None


class RuleStates(Protocol):
    """What the evaluator keeps. Methods raise Unavailable."""

    def create_defaults(self) -> int:
        """Gives every application its default rules, once; how many were made."""

    def note_late(self, watermark: datetime) -> int:
        """Notes the minutes of events before the last watermark that got logs since the last call, for each rule to
        look at again; how many. ``watermark``: everything received before it is stored."""

    def due(self, watermark: datetime, began_at: datetime, limit: int) -> list[Due]:
        """Enabled rules of active applications that have a window to judge, or late minutes, and that nobody tried
        since ``began_at``: who waited longest first, applications in turn."""

    def settle(self, settled: Sequence[Settled], at: datetime) -> set[int]:
        """Keeps what came of rules, with incidents and events, all at once. What came of a rule that was evaluated or
        changed by somebody else meanwhile is dropped; the ids of the others."""
