"""One rule up to the watermark: new windows get their verdict, touched ones another look. Pure but for the source.

Verdicts follow from stored logs alone. So whoever judges windows again, with what came late, learns what should have
been told of them; what differs from what was told is a correction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sluice.alerts.judge import judge
from sluice.alerts.model import Episode, EventKind, Group, GroupState, Observation
from sluice.alerts.ports import Due, KnownIncident, LogSource
from sluice.alerts.state import run
from sluice.alerts.windows import ends, last_end, touched_ends

LATEST = timedelta(days=1)  # how late logs may be to change a verdict, and how far back a stopped watch catches up
MAX_POINTS = 240  # new windows of one rule in one run; what is left comes with the next


@dataclass(frozen=True, slots=True)
class Change:
    """Something to be told about an incident, which is as it is now. ``seen``: what the rule saw. ``was``: what was
    said before, of a correction: ok, firing or resolved. ``is_withdrawn``: late logs showed that it never was."""

    kind: EventKind
    incident: KnownIncident
    seen: Observation
    is_new: bool = False
    was: str | None = None
    is_withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where the rule stands after its evaluation, and what changed on the way, in order."""

    evaluated_until: datetime
    states: Mapping[Group, GroupState] = field(default_factory=dict)
    changes: Sequence[Change] = ()
    is_cut: bool = False
    window_count: int = 0


def evaluate(due: Due, source: LogSource, watermark: datetime, new_id: Callable[[], str]) -> Outcome:
    """Judges what there is to judge. Raises Unavailable."""
    spec = due.rule.spec
    newest = last_end(watermark, spec.step)
    if due.evaluated_until is None:
        return Outcome(newest)
    reached = max(due.evaluated_until, newest - LATEST)
    evaluation = _Evaluation(due, source, reached, new_id)
    began_at = max(reached - LATEST, due.begun_at or due.evaluated_until)
    for first, last in touched_ends(due.late_minutes, spec.window, spec.step, began_at, reached):
        evaluation.look_again(first, last)
    fresh = ends(reached, newest, spec.step)[:MAX_POINTS]
    if fresh:
        evaluation.go_on(fresh)
    return Outcome(
        fresh[-1] if fresh else reached,
        evaluation.states,
        evaluation.changes,
        evaluation.is_cut,
        evaluation.window_count,
    )


class _Evaluation:
    """``told`` are the incidents by group, in order of time; of one group they do not overlap."""

    def __init__(self, due: Due, source: LogSource, reached: datetime, new_id: Callable[[], str]) -> None:
        self._spec, self._source, self._reached, self._new_id = due.rule.spec, source, reached, new_id
        self._lasting = timedelta(seconds=due.rule.spec.for_seconds)
        self._told: dict[Group, list[KnownIncident]] = {}
        for incident in sorted(due.incidents, key=lambda incident: incident.opened_at):
            self._told.setdefault(incident.group, []).append(incident)
        self.states: dict[Group, GroupState] = dict(due.states)
        self.changes: list[Change] = []
        self.is_cut = False
        self.window_count = 0

    def go_on(self, points: Sequence[datetime]) -> None:
        """Judges new windows."""
        observations = self._judge(points, self.states)
        states: dict[Group, GroupState] = {}
        for group, seen in observations.items():
            state, episodes = run(group, self.states.get(group), seen, self._lasting)
            if state is not None:
                states[group] = state
            for episode in episodes:
                self._tell(episode, {one.at: one for one in seen})
        self.states = states

    def look_again(self, first: datetime, last: datetime) -> None:
        """Judges again the windows that end from ``first`` to ``last``, and those behind them that what is pending
        reaches. If the verdict at the end is another one than was told, it goes on to where the rule is."""
        end = min(last_end(last + self._lasting, self._spec.step), self._reached)
        if not self._try_again(first, end) and end < self._reached:
            self._try_again(first, self._reached)

    def _try_again(self, first: datetime, end: datetime) -> bool:
        start = last_end(first - self._lasting, self._spec.step)  # from where on something may be pending at first
        points = ends(start - self._spec.step, end, self._spec.step)
        told = {group: [one for one in known if _touches(one, first, end)] for group, known in self._told.items()}
        judged = self._judge(points, {*self.states, *(group for group, known in told.items() if known)})
        observations = {group: [one for one in seen if one.at >= first] for group, seen in judged.items()}
        replayed = {
            group: run(group, self._state_before(told.get(group, ()), seen, first), observations[group], self._lasting)
            for group, seen in judged.items()
        }
        if end < self._reached and any(
            (state is not None and state.is_firing) != _is_told(told.get(group, ()), end)
            for group, (state, _) in replayed.items()
        ):
            return False
        for group, (state, episodes) in replayed.items():
            self._correct(group, told.get(group, []), episodes, observations[group], is_latest=end == self._reached)
            if end == self._reached:
                self.states.pop(group, None)
                if state is not None:
                    self.states[group] = state
        return True

    def _state_before(
        self, told: Sequence[KnownIncident], seen: Sequence[Observation], first: datetime
    ) -> GroupState | None:
        """The state before the window that ends at ``first``: firing if that was told, else what was pending, which the
        windows before it tell."""
        before = next((one for one in told if one.opened_at < first), None)
        if before is not None:
            return GroupState(before.opened_at, is_firing=True)
        state, _ = run((), None, [one for one in seen if one.at < first], self._lasting)
        return None if state is None else replace(state, is_firing=False)

    def _judge(
        self, points: Sequence[datetime], known: Mapping[Group, object] | set[Group]
    ) -> Mapping[Group, list[Observation]]:
        judged = judge(self._spec, self._source, points, set(known))
        self.is_cut = self.is_cut or judged.is_cut
        self.window_count += len(points)
        return judged.observations

    def _tell(self, episode: Episode, seen: Mapping[datetime, Observation]) -> None:
        """What there is to tell of an episode in new windows."""
        open_one = self._firing(episode.group)
        if open_one is None:
            opened_at = episode.opened_at or episode.worst.at
            open_one = KnownIncident(self._new_id(), episode.group, opened_at, None)
            self._add(Change(EventKind.FIRING, open_one, seen.get(opened_at, episode.worst), is_new=True))
        if episode.resolved_at is not None:
            resolved = replace(open_one, resolved_at=episode.resolved_at)
            self._add(Change(EventKind.RESOLVED, resolved, seen[episode.resolved_at]))

    def _correct(
        self,
        group: Group,
        told: Sequence[KnownIncident],
        episodes: Sequence[Episode],
        seen: Sequence[Observation],
        *,
        is_latest: bool,
    ) -> None:
        """Tells how ``episodes``, which are what should have been told, differ from what was."""
        for incident in told:
            if not any(_overlap(incident, episode) for episode in episodes):
                at = next((one for one in seen if one.at >= incident.opened_at), seen[-1])
                gone = replace(incident, resolved_at=incident.resolved_at or at.at)
                was = "resolved" if incident.resolved_at else "firing"
                self._add(Change(EventKind.CORRECTED, gone, at, was=was, is_withdrawn=True))
        for episode in episodes:
            known = [incident for incident in told if _overlap(incident, episode)]
            if not known:
                opened_at = episode.opened_at or episode.worst.at
                kind = EventKind.CORRECTED if episode.resolved_at else EventKind.FIRING
                missed = KnownIncident(self._new_id(), group, opened_at, episode.resolved_at)
                self._add(Change(kind, missed, episode.worst, is_new=True, was="ok"))
            elif is_latest and (known[-1].resolved_at is None) != (episode.resolved_at is None):
                was = "firing" if known[-1].resolved_at is None else "resolved"
                other = replace(known[-1], resolved_at=episode.resolved_at)
                self._add(Change(EventKind.CORRECTED, other, episode.worst, was=was))

    def _add(self, change: Change) -> None:
        self.changes.append(change)
        known = self._told.setdefault(change.incident.group, [])
        known[:] = [one for one in known if one.incident_id != change.incident.incident_id]
        if not change.is_withdrawn:
            known.append(change.incident)
            known.sort(key=lambda incident: incident.opened_at)

    def _firing(self, group: Group) -> KnownIncident | None:
        return next((one for one in self._told.get(group, ()) if one.resolved_at is None), None)


def _touches(incident: KnownIncident, start: datetime, end: datetime) -> bool:
    return incident.opened_at <= end and (incident.resolved_at is None or incident.resolved_at >= start)


def _is_told(told: Sequence[KnownIncident], at: datetime) -> bool:
    """Whether it was said to fire at that window."""
    return any(one.opened_at <= at and (one.resolved_at is None or one.resolved_at > at) for one in told)


def _overlap(incident: KnownIncident, episode: Episode) -> bool:
    begins_before_its_end = (
        incident.resolved_at is None or episode.opened_at is None or (episode.opened_at < incident.resolved_at)
    )
    return begins_before_its_end and (episode.resolved_at is None or incident.opened_at < episode.resolved_at)
