"""Which events a channel is told, and in which messages. Pure.

What is not sent at once is *held* (it may be sent later: a silence ends, a flood is over) or *dropped* (never). A
channel hears of an incident's end only if it heard of the incident.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from sluice.notifications.model import Event
from sluice.notifications.silences import Muting, find_muting

Reason = Literal["silence", "maintenance", "rate", "unannounced"]

MAX_MESSAGES = (
    10  # to one channel in RATE_WINDOW; what is more comes in one message, when the channel may have one again
)
RATE_WINDOW = timedelta(minutes=10)
ANNOUNCING = ("firing", "corrected")
_KINDS = ("group", "firing", "corrected", "acknowledged", "resolved")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a channel knows of an incident: whether it was told, or why it was not yet."""

    is_announced: bool = False
    held: Reason | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one event on one channel: in a message (no reason), held or dropped."""

    event: Event
    reason: Reason | None = None
    is_final: bool = True
    muting_id: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Events that make one message. ``kind``: theirs, or ``group``."""

    kind: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """One decision for each event, and the messages for those that are sent."""

    decisions: tuple[Decision, ...]
    groups: tuple[Group, ...]


def plan(
    events: Iterable[Event],
    waiting: Mapping[int, Reason],
    standings: Mapping[str, Standing],
    mutings: Collection[Muting],
    room: int,
) -> Plan:
    """Decides on a channel's new events and on those it holds, whose ids and reasons are ``waiting``.

    ``standings`` by incident; ``room``: how many messages the channel may get now. Events of one kind that come
    together make one message; those that were held because there was no room make one of their own.
    """
    known = dict(standings)
    decisions: list[Decision] = []
    for event in sorted(events, key=lambda event: event.event_id):
        decision = _decide(event, waiting.get(event.event_id), known, mutings)
        decisions.append(decision)
        _note(decision, known)
    groups = _grouped([decision.event for decision in decisions if decision.reason is None], waiting)
    late = {event.event_id for group in groups[room:] for event in group.events}
    held = (
        replace(decision, reason="rate", is_final=False) if decision.event.event_id in late else decision
        for decision in decisions
    )
    return Plan(tuple(held), tuple(groups[:room]))


def _decide(
    event: Event,
    waited: Reason | None,
    known: Mapping[str, Standing],
    mutings: Collection[Muting],
) -> Decision:
    standing = known.get(event.incident_id, Standing())
    if event.kind != "firing":
        if standing.held is not None:
            return Decision(event, standing.held, is_final=standing.held != "rate")
        if not standing.is_announced and event.kind != "corrected":
            return Decision(event, "unannounced")
    elif waited not in (None, "rate") and not event.is_firing:
        return Decision(event, waited)
    if muting := find_muting(event, mutings):
        reason: Reason = "silence" if muting.reason == "silence" else "maintenance"
        return Decision(event, reason, is_final=not _may_be_told_later(event), muting_id=muting.muting_id)
    return Decision(event)


def _may_be_told_later(event: Event) -> bool:
    """When the silence ends, what is still wrong is told, and that what was told before is over."""
    return event.is_firing if event.kind == "firing" else event.kind == "resolved"


def _note(decision: Decision, known: dict[str, Standing]) -> None:
    event = decision.event
    if decision.reason is None and event.kind in ANNOUNCING:
        known[event.incident_id] = Standing(is_announced=True)
    elif event.kind == "firing":
        known[event.incident_id] = Standing(held=None if decision.is_final else decision.reason)


def _grouped(events: Iterable[Event], waiting: Mapping[int, Reason]) -> list[Group]:
    """What was held first, then in the order in which these things happen to an incident."""
    gathered: dict[str, list[Event]] = {kind: [] for kind in _KINDS}
    for event in events:
        is_late = waiting.get(event.event_id) == "rate"
        gathered["group" if is_late else event.kind].append(event)
    return [Group(kind, tuple(members)) for kind, members in gathered.items() if members]
