"""When a rule would have fired: the evaluator over stored history. Pure but for the source.

The history is walked in pieces, each with a bound, and from piece to piece goes a resume: what is pending and firing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sluice.alerts.judge import judge
from sluice.alerts.model import Episode, Group, GroupState, Kind, Observation, Spec
from sluice.alerts.ports import LogSource
from sluice.alerts.state import run
from sluice.alerts.windows import ends, last_end
from sluice.errors import RejectedInput

PIECE = 360  # windows that are judged at once
MAX_WINDOWS = 50_000  # of one test
MAX_MARKS = 120  # of the timeline of one answer
MAX_EPISODES = 1_000  # of one answer


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a test goes on: windows are judged up to ``at``. ``open``: since when a group fires, with its worst."""

    at: datetime
    states: Mapping[Group, GroupState] = field(default_factory=dict)
    open: Mapping[Group, Episode] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of the timeline that ends at ``until``: what was seen in its worst window, and whether it fires."""

    until: datetime
    value: float | None
    fires: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of a part of the history. ``episodes`` are those that ended, and at the end of the history those that
    go on. ``resume`` is None when all is judged."""

    episodes: Sequence[Episode]
    marks: Sequence[Mark]
    window_count: int
    evaluated_until: datetime
    resume: Resume | None
    is_cut: bool = False


def begin(spec: Spec, since: datetime, until: datetime) -> Resume:
    """Where a test of this time begins. Raises RejectedInput ``invalid_since``."""
    if (until - since) // spec.step > MAX_WINDOWS:
        longest = MAX_WINDOWS * spec.step
        raise RejectedInput("invalid_since", f"a test of this rule can go over {longest.days} days, no longer")
    if since >= until:
        raise RejectedInput("invalid_since", "since must be before until, which is now unless given")
    return Resume(last_end(since, spec.step))


def replay(spec: Spec, source: LogSource, resume: Resume, until: datetime, has_time: Callable[[], bool]) -> Replay:
    """Judges windows up to ``until``, or until time is up: one piece at least. Raises Unavailable."""
    points = ends(resume.at, until, spec.step)
    width = max(1, -(-len(points) // MAX_MARKS))
    states, firing = dict(resume.states), dict(resume.open)
    episodes: list[Episode] = []
    marks: list[Mark] = []
    done, is_cut = 0, False
    while done < len(points) and (not done or has_time()) and len(episodes) < MAX_EPISODES:
        piece = points[done : done + max(width, PIECE // width * width)]
        judged = judge(spec, source, piece, states)
        is_cut = is_cut or judged.is_cut
        fires = [False] * len(piece)
        for group in sorted(judged.observations.keys() | states.keys()):
            seen = judged.observations.get(group, ())
            state, found = run(group, states.pop(group, None), seen, timedelta(seconds=spec.for_seconds))
            if state is not None:
                states[group] = state
            for episode in found:
                whole = _joined(firing.pop(group, None), episode)
                fires = [one or _covers(whole, at) for one, at in zip(fires, piece, strict=True)]
                if whole.resolved_at is None:
                    firing[group] = whole
                else:
                    episodes.append(whole)
        marks += _marks(spec, piece, list(judged.observations.values()), fires, width)
        done += len(piece)
    reached = points[done - 1] if done else resume.at
    is_over = done >= len(points)
    if is_over:
        episodes += firing.values()
    left = None if is_over else Resume(reached, states, firing)
    return Replay(episodes, marks, done, reached, left, is_cut)


def resume_document(resume: Resume) -> list[Any]:
    """A resume as JSON."""
    groups = [
        [list(group), state.since.isoformat(), state.is_firing, _opened(resume.open.get(group))]
        for group, state in resume.states.items()
    ]
    return [resume.at.isoformat(), groups]


def read_resume(at: str, groups: Sequence[Any]) -> Resume:
    """What ``resume_document`` made. Raises ValueError and TypeError for anything else."""
    states: dict[Group, GroupState] = {}
    firing: dict[Group, Episode] = {}
    for values, since, is_firing, opened in groups:
        group = tuple(str(value) for value in values)
        states[group] = GroupState(_moment(since), bool(is_firing))
        if opened is not None:
            opened_at, worst_at, value, limit = opened
            worst = Observation(_moment(worst_at), _number(value), _number(limit), is_breach=True, is_clear=False)
            firing[group] = Episode(group, _moment(opened_at), None, worst)
    return Resume(_moment(at), states, firing)


def _joined(begun: Episode | None, episode: Episode) -> Episode:
    """An episode that began in an earlier piece, as one."""
    if begun is None or episode.opened_at is not None:
        return episode
    return replace(begun, resolved_at=episode.resolved_at)


def _covers(episode: Episode, at: datetime) -> bool:
    has_begun = episode.opened_at is None or episode.opened_at <= at
    return has_begun and (episode.resolved_at is None or at < episode.resolved_at)


def _marks(
    spec: Spec,
    points: Sequence[datetime],
    observations: Sequence[Sequence[Observation]],
    fires: Sequence[bool],
    width: int,
) -> list[Mark]:
    worst = min if spec.below is not None or spec.kind is Kind.ABSENCE else max
    marks = []
    for first in range(0, len(points), width):
        stretch = slice(first, first + width)
        values = [one.value for seen in observations for one in seen[stretch] if one.value is not None]
        marks.append(Mark(points[stretch][-1], worst(values, default=None), any(fires[stretch])))
    return marks


def _opened(episode: Episode | None) -> list[Any] | None:
    if episode is None or episode.opened_at is None:
        return None
    worst = episode.worst
    return [episode.opened_at.isoformat(), worst.at.isoformat(), worst.value, worst.limit]


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
