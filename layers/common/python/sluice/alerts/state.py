"""From observations to episodes: ok → pending → firing → ok, one group at a time."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from sluice.alerts.model import Episode, Group, GroupState, Observation


def run(
    group: Group, state: GroupState | None, observations: Iterable[Observation], lasting: timedelta
) -> tuple[GroupState | None, list[Episode]]:
    """The state after the observations, which are in order of time, and the episodes that they belong to. A breach has
    to last for ``lasting`` before it fires. ``state`` is that before the first; None: ok."""
    episodes: list[Episode] = []
    current: Episode | None = None
    for seen in observations:
        was_firing = state is not None and state.is_firing
        state = advance(state, seen, lasting)
        is_firing = state is not None and state.is_firing
        if is_firing and current is None:
            current = Episode(group, None if was_firing else seen.at, None, seen)
        elif is_firing and current is not None:
            current = replace(current, worst=_worse(current.worst, seen))
        elif was_firing:
            begun = current or Episode(group, None, None, seen)
            episodes.append(replace(begun, resolved_at=seen.at))
            current = None
    return state, [*episodes, current] if current else episodes


def advance(state: GroupState | None, seen: Observation, lasting: timedelta) -> GroupState | None:
    """The state after one more observation."""
    if state is not None and state.is_firing:
        return None if seen.is_clear else state
    if not seen.is_breach:
        return None
    since = seen.at if state is None else state.since
    return GroupState(since, is_firing=seen.at - since >= lasting)


def _worse(one: Observation, other: Observation) -> Observation:
    return other if _excess(other) > _excess(one) else one


def _excess(seen: Observation) -> float:
    return -1.0 if seen.value is None or seen.limit is None else abs(seen.value - seen.limit)
