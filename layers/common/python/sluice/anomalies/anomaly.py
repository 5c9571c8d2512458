"""What is told of an incident: episodes in several series of an application that belong together."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Self

from sluice.anomalies.model import Kind
from sluice.anomalies.series import ALL, BUCKET, Episode, EpisodeKey, Series
from sluice.anomalies.sessions import ReasonKind
from sluice.entries.model import Level
from sluice.search.language import text_of
from sluice.search.model import Field, Levels, OfTemplate, any_of

TOGETHER = 2 * BUCKET  # between the onsets of what is one incident
QUIET = timedelta(hours=1)  # after which the same series begins another incident
_TIMES = ("opened_at", "closed_at")
_MOST_MEMBERS = 50
_MOST_QUERIED = 5  # templates
_TELLING = {ReasonKind.SELDOM.value: 2, ReasonKind.COUNT.value: 4, ReasonKind.MISSING.value: 4}


@dataclass(frozen=True, slots=True)
class Anomaly:
    """``members`` are what it was made of, the founder first; ``opened_at`` is the event time up to which logs were
    known when it was found. It is ``corrected`` if logs that came late took away what it was made of."""

    application_id: int
    opened_at: datetime
    members: tuple[Episode, ...]
    template_ids: tuple[int, ...] = ()
    level: int = 0
    sentence: str = ""
    version: str | None = None
    samples: tuple[str, ...] = ()
    is_corrected: bool = False
    is_muted: bool = False
    closed_at: datetime | None = None

    @property
    def key(self) -> tuple[str, datetime]:
        """Identifies it within its application."""
        return self.members[0].series.key, self.members[0].opened

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    def to_state(self) -> dict[str, Any]:
        """JSON-able."""
        state = {each.name: getattr(self, each.name) for each in fields(self)}
        times = {name: state[name] and state[name].isoformat() for name in _TIMES}
        return state | times | {"members": [member.to_state() for member in self.members]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        times = {name: state[name] and datetime.fromisoformat(state[name]) for name in _TIMES}
        rest = {"template_ids": tuple(state["template_ids"]), "samples": tuple(state["samples"])}
        return cls(**{**state, **times, **rest, "members": tuple(map(Episode.from_state, state["members"]))})

    @property
    def onset(self) -> datetime:
        return min(member.onset for member in self.members)

    @property
    def last(self) -> datetime:
        return max(member.last for member in self.members)

    @property
    def query(self) -> str:
        """In the query language: shows the logs; all where it is empty."""
        if self.lead.sessions:
            return text_of(any_of(*(Field(self.lead.field, session) for session in self.lead.sessions)))
        if self.lead.series.template_id:
            return text_of(any_of(*map(OfTemplate, self.template_ids[:_MOST_QUERIED])))
        if self.lead.series.level:
            return text_of(Levels(Level(self.lead.series.level), Level(self.lead.series.level)))
        return ""

    @property
    def score(self) -> float:
        return max(member.score for member in self.members)

    @property
    def lead(self) -> Episode:
        """The member that says most: sessions that lack something before a template before a level before all logs,
        unless everything is silent."""
        silent = [member for member in self.members if member.series == ALL and member.kind is Kind.SILENCE]
        return silent[0] if silent else max(self.members, key=_weight)


def _weight(member: Episode) -> tuple[bool, int, float]:
    series = member.series
    # A template that is seldom in sessions says no more than its rate.
    tells = _TELLING[series.reason] if series.reason else 3 * bool(series.template_id) + bool(series.level)
    return member.is_open, tells, member.score


type LevelOf = Callable[[int], int]  # of a template


def assemble(
    application_id: int,
    known: Sequence[Anomaly],
    episodes: Iterable[Episode],
    settled_until: datetime,
    now: datetime,
    level_of: LevelOf,
) -> list[Anomaly]:
    """New and changed anomalies. ``known`` are those that are open or were lately, ``episodes`` all that are open or
    were opened since ``settled_until``; ``now`` is the event time up to which logs are known."""
    current = {episode.key: episode for episode in episodes}
    anomalies = [_renewed(anomaly, current, settled_until) for anomaly in known]
    taken = {member.key for anomaly in anomalies for member in anomaly.members}
    for episode in sorted(current.values(), key=lambda each: (each.opened, each.series)):
        if episode.key in taken:
            continue
        place = next((at for at, each in enumerate(anomalies) if _belongs(episode, each, level_of)), None)
        if place is None:
            anomalies.append(Anomaly(application_id, min(episode.opened + BUCKET, now), (episode,)))
        else:
            members = anomalies[place].members
            if len(members) < _MOST_MEMBERS:
                anomalies[place] = replace(anomalies[place], members=(*members, episode))
    before = {anomaly.key: anomaly for anomaly in known}
    ended = (_ended(anomaly, now) for anomaly in anomalies)
    return [anomaly for anomaly in ended if before.get(anomaly.key) != anomaly]


def _renewed(anomaly: Anomaly, current: Mapping[EpisodeKey, Episode], settled_until: datetime) -> Anomaly:
    """With its members as they are now. One that late logs took away is over, as is one that is no longer watched."""
    members = [current.get(member.key, replace(member, is_open=False)) for member in anomaly.members]
    is_gone = not any(member.key in current for member in members)
    is_lost = is_gone and all(member.opened >= settled_until for member in members)
    return replace(anomaly, members=tuple(members), is_corrected=is_lost or (is_gone and anomaly.is_corrected))


def _belongs(episode: Episode, anomaly: Anomaly, level_of: LevelOf) -> bool:
    since_last = episode.onset - anomaly.last
    if anomaly.is_corrected or since_last > QUIET:
        return False
    if any(member.series == episode.series for member in anomaly.members):
        return True
    if since_last > TOGETHER:
        return False
    return abs(episode.onset - anomaly.onset) <= TOGETHER or any(
        _is_same(member.series, episode.series)
        or (
            member.is_above == episode.is_above
            # The rarer events are, the later their silence shows.
            and (not episode.is_above or _overlap(member.series, episode.series, level_of))
        )
        for member in anomaly.members
    )


def _is_same(one: Series, other: Series) -> bool:
    """Whether a rate changed as sessions have its template more or less often."""
    return bool(one.reason or other.reason) and one.template_id == other.template_id


def _overlap(one: Series, other: Series, level_of: LevelOf) -> bool:
    """Whether logs count in both."""
    if ALL in (one, other):
        return True
    levels = [each.level or level_of(each.template_id) for each in (one, other)]
    return levels[0] == levels[1] and not (one.template_id and other.template_id)


def _ended(anomaly: Anomaly, now: datetime) -> Anomaly:
    if any(member.is_open for member in anomaly.members):
        return replace(anomaly, closed_at=None)
    return anomaly if anomaly.closed_at else replace(anomaly, closed_at=now)
