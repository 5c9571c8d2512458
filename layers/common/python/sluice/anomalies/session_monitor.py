"""Watches the sessions of one application: which kinds there are, what is usual in each, and when that changes.

A session's kind is the template that it begins with; each kind has a detector of its own, since no event is in nearly
all sessions of an application that does several things. That single sessions are odd is usual, too: an incident is that
more of a kind are odd for the same reason than before, by more than chance brings.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from sluice.anomalies.assembly import Assembly, Piece, Session
from sluice.anomalies.model import Kind
from sluice.anomalies.oddities import AWAY, Oddity, Totals, trimmed
from sluice.anomalies.series import Episode, Series, bucket_of
from sluice.anomalies.sessions import LEARNING, LEAST_MEMORY, Reason, ReasonKind, SessionDetector
from sluice.entries.model import Level

LEARNING_TIME = timedelta(days=1)  # of a kind, besides its first sessions
ALARM_SURPRISE = 13.0  # of all reasons together, -ln of a probability
LEAST_LEVEL = Level.WARNING  # other events that are seldom in sessions are no news by themselves
KNOWN_AFTER = timedelta(days=1)  # what lasts longer is no longer news
LATE = timedelta(hours=6)  # that logs may come after their events, to correct what was said
_WEEK = timedelta(days=7)
_LATE_AFTER = timedelta(minutes=10)  # beside the time after which a session is complete
_MAX_KINDS, _MAX_ODDITIES, _MAX_SUSPECTS = 200, 1_000, 2_000
_LONGEST_NAME = 200  # of a session that a query can show


@dataclass(slots=True)
class _SessionKind:
    since: datetime
    detector: SessionDetector = field(default_factory=SessionDetector)
    totals: Totals = field(default_factory=dict)

    def is_learnt(self, now: datetime) -> bool:
        return self.detector.seen >= LEARNING and now - self.since >= LEARNING_TIME

    def learn(self, counts: Mapping[int, int], sessions: int, now: datetime) -> None:
        """Remembers a week, and no less than the detector does by itself."""
        weekly = self.detector.seen / max(1.0, (now - self.since) / _WEEK)
        self.detector.memory = max(LEAST_MEMORY, weekly)
        self.detector.learn(counts, sessions)


@dataclass(slots=True)
class _Suspect:
    """An odd session, for as long as late logs may show that it is not."""

    session: Session
    entry: int
    bucket: datetime
    oddities: list[Series]


@dataclass(slots=True)
class _Alike:
    """Sessions of one kind that have the same events equally often."""

    entry: int
    counts: Mapping[int, int]
    sessions: list[Session] = field(default_factory=list)
    oddities: dict[Series, float] = field(default_factory=dict)  # with the share that was odd like that before
    before: float = 0.0  # sessions


class SessionMonitor:
    """A fold over stretches of time: the same logs give the same episodes, in whatever order a stretch has them."""

    def __init__(self, start: datetime) -> None:
        self.since = self.until = start
        self.assembly = Assembly(start)
        self.episodes: list[Episode] = []
        self.seen = self.too_late = 0  # logs
        self._kinds: dict[int, _SessionKind] = {}
        self._oddities: dict[Series, Oddity] = {}
        self._suspects: dict[str, _Suspect] = {}

    def feed(
        self,
        pieces: Iterable[Piece],
        until: datetime,
        quiet: timedelta,
        roots: Mapping[int, int],
        ignored: Collection[int] = (),
        name: str = "",
    ) -> int:
        """The logs since ``self.until``. Sessions without logs for ``quiet`` are judged, and counted in the answer.
        ``roots`` are templates that are part of others by now, ``name`` is the field that names sessions."""
        previous, bucket = (bucket_of(end - timedelta(microseconds=1)) for end in (self.until, until))
        self.until = until
        self.assembly.add(self._on_time(pieces, until, quiet, roots), until, quiet)
        if bucket > previous:
            self._end(previous)
        done = self.assembly.complete(until, quiet)
        for session in done:
            session.resolve(roots)
        alikes = self._judged(done, ignored)
        totals, odd = self._count(alikes, bucket)
        self._extend(totals, odd, bucket)
        self._open(odd, bucket, name)
        self._learn(alikes)
        return len(done)

    @property
    def is_outdated(self) -> bool:
        """Whether more logs came too late than were seen in time: a history was brought in afterwards."""
        return self.too_late > self.seen

    def merge(self, roots: Mapping[int, int]) -> None:
        """Templates that are part of others by now. A kind of which nobody knows what it is then is learnt anew."""
        for entry, kind in list(self._kinds.items()):
            root = roots.get(entry, entry)
            if not kind.detector.merge(roots) or (root != entry and root in self._kinds):
                del self._kinds[entry]
            elif root != entry:
                self._kinds[root] = self._kinds.pop(entry)
        gone = [each for each in self._oddities if each.template_id in roots or each.entry in roots]
        for series in gone:
            del self._oddities[series]
        self.episodes = [
            replace(each, is_open=each.is_open and each.series not in gone and each.series.entry in self._kinds)
            for each in self.episodes
        ]

    def skip(self, until: datetime) -> None:
        """Leaves out the logs until then, and the sessions that may have some of them."""
        self.until = self.assembly.partial_since = until
        self.assembly.open.clear()

    def forget(self, until: datetime) -> None:
        """Episodes that are over and were last seen before."""
        self.episodes = [episode for episode in self.episodes if episode.is_open or episode.last >= until]

    def _on_time(
        self, pieces: Iterable[Piece], until: datetime, quiet: timedelta, roots: Mapping[int, int]
    ) -> Sequence[Piece]:
        """Without those of sessions that were judged long ago. They may show that such a one was not odd."""
        late_before = (until - quiet - _LATE_AFTER).timestamp()
        taken: list[Piece] = []
        corrected: dict[str, _Suspect] = {}
        for piece in pieces:
            if piece.last_at >= late_before or piece.session in self.assembly.open:
                taken.append(piece)
                self.seen += piece.logs
            elif suspect := self._suspects.get(piece.session):
                suspect.session.add(piece)
                corrected[piece.session] = suspect
            else:
                self.too_late += piece.logs
        for suspect in corrected.values():
            suspect.session.resolve(roots)
            self._correct(suspect)
        return taken

    def _entry(self, session: Session) -> int:
        """Its kind. One that lost its beginning is of the kind that has all its events."""
        entry = session.entry
        if entry in self._kinds:
            return entry
        homes = [
            (kind.detector.sessions, other)
            for other, kind in self._kinds.items()
            if kind.is_learnt(self.until) and all(map(kind.detector.knows, session.events))
        ]
        return max(homes)[1] if homes else entry

    def _judged(self, sessions: Iterable[Session], ignored: Collection[int]) -> list[_Alike]:
        alikes: dict[tuple[int, frozenset[tuple[int, int]]], _Alike] = {}
        for session in sessions:
            entry, counts = self._entry(session), session.counts
            key = entry, frozenset(counts.items())
            alikes.setdefault(key, _Alike(entry, counts)).sessions.append(session)
            self._kinds.setdefault(entry, _SessionKind(self.until))
        for alike in alikes.values():
            kind = self._kinds[alike.entry]
            if kind.is_learnt(self.until):
                verdict = kind.detector.judge(alike.counts)
                alike.before = verdict.sessions
                alike.oddities = {
                    Series(0, reason.event, reason.kind.value, alike.entry): kind.detector.odd_share(reason)
                    for reason in verdict.reasons
                    if reason.event not in ignored and _is_news(reason, alike.sessions[0])
                }
        return list(alikes.values())

    def _count(
        self, alikes: Iterable[_Alike], bucket: datetime
    ) -> tuple[Mapping[int, int], Mapping[Series, list[Session]]]:
        """Sessions of each kind, and those that are odd for each reason."""
        totals: dict[int, int] = defaultdict(int)
        odd: dict[Series, list[Session]] = defaultdict(list)
        for alike in alikes:
            totals[alike.entry] += len(alike.sessions)
            for series, share in alike.oddities.items():
                odd[series] += alike.sessions
                oddity = self._oddities.setdefault(series, Oddity())
                oddity.share, oddity.sessions = share, alike.before
            for session in alike.sessions if alike.oddities else ():
                self._suspects[session.name] = _Suspect(session, alike.entry, bucket, list(alike.oddities))
        for entry, total in totals.items():
            kept = self._kinds[entry].totals
            kept[bucket.timestamp()] = kept.get(bucket.timestamp(), 0) + total
        for series, sessions in odd.items():
            names = [session.name for session in sessions if len(session.name) <= _LONGEST_NAME]
            self._oddities[series].add(bucket, names, min(session.first_at for session in sessions))
        return totals, odd

    def _extend(self, totals: Mapping[int, int], odd: Mapping[Series, Sequence[Session]], bucket: datetime) -> None:
        """What goes on, or is over."""
        known: set[int] = set()
        for place, episode in enumerate(self.episodes):
            series = episode.series
            if not episode.is_open:
                continue
            oddity, kind = self._oddities[series], self._kinds[series.entry]
            sessions = odd.get(series, ())
            usual = episode.expected / episode.total
            total = episode.total + totals.get(series.entry, 0)
            observed = episode.observed + len(sessions)
            last = max([episode.last, *(_moment(each.last_at) for each in sessions)])
            score = max(episode.score, self._score(oddity.surprise(observed, total)))
            is_known = self.until - episode.opened >= KNOWN_AFTER
            is_over = oddity.is_over(bucket, kind.totals, observed / total) or self.until - last >= AWAY
            self.episodes[place] = replace(
                episode,
                last=last,
                window=(episode.onset, last),
                observed=observed,
                total=total,
                expected=usual * total,
                score=score,
                is_open=not (is_known or is_over),
            )
            if is_over:
                oddity.restart(bucket)
            if is_known:
                known.add(series.entry)
        self._begin_anew(known)

    def _open(self, odd: Mapping[Series, Sequence[Session]], bucket: datetime, name: str) -> None:
        going_on = {episode.series for episode in self.episodes if episode.is_open}
        for series in sorted(odd.keys() - going_on):
            if series.entry not in self._kinds:
                continue
            oddity, kind = self._oddities[series], self._kinds[series.entry]
            found = oddity.window(bucket, kind.totals)
            if found.surprise < self._needed():
                continue
            onset = _moment(min(at for start, at in oddity.first_at.items() if start >= found.since))
            last = max(_moment(session.last_at) for session in odd[series])
            episode = Episode(
                series=series,
                opened=bucket,
                kind=Kind.SESSION,
                onset=onset,
                last=last,
                score=self._score(found.surprise),
                observed=float(found.odd),
                expected=oddity.usual * found.total,
                window=(onset, last),
                baseline_from=kind.since,
                total=found.total,
                field=name,
                sessions=tuple(oddity.names),
                one_in=1 << self.assembly.share,
            )
            if episode.key not in {each.key for each in self.episodes}:
                self.episodes.append(episode)

    def _learn(self, alikes: Iterable[_Alike]) -> None:
        """From all sessions that belong to no incident."""
        going_on = {episode.series for episode in self.episodes if episode.is_open}
        for alike in alikes:
            kind = self._kinds.get(alike.entry)
            if kind and going_on.isdisjoint(alike.oddities):
                kind.learn(alike.counts, len(alike.sessions), self.until)

    def _correct(self, suspect: _Suspect) -> None:
        """Late logs came of an odd session."""
        kind = self._kinds.get(suspect.entry)
        verdict = kind.detector.judge(suspect.session.counts) if kind else None
        still = {(reason.event, reason.kind.value) for reason in verdict.reasons} if verdict else set()
        for series in [each for each in suspect.oddities if (each.template_id, each.reason) not in still]:
            suspect.oddities.remove(series)
            oddity, at = self._oddities.get(series), suspect.bucket.timestamp()
            if oddity is None:
                continue
            if oddity.odd.get(at):
                oddity.odd[at] -= 1
            first_at = _moment(suspect.session.first_at)
            for episode in [each for each in self.episodes if each.series == series and first_at <= each.last]:
                self.episodes.remove(episode)
                corrected = replace(episode, observed=episode.observed - 1)
                if oddity.surprise(corrected.observed, corrected.total) >= self._needed():
                    self.episodes.append(corrected)

    def _end(self, bucket: datetime) -> None:
        """A bucket is over."""
        going_on = {episode.series for episode in self.episodes if episode.is_open}
        for series, oddity in self._oddities.items():
            oddity.end(bucket, learns=series not in going_on)
        for kind in self._kinds.values():
            kind.totals = trimmed(kind.totals, bucket)
        suspects = [each for each in self._suspects.items() if bucket - each[1].bucket <= LATE]
        self._suspects = dict(suspects[-_MAX_SUSPECTS:])
        often = sorted(self._kinds, key=lambda entry: (-self._kinds[entry].detector.seen, entry))
        self._begin_anew(set(often[_MAX_KINDS:]))
        quiet = [each for each, oddity in self._oddities.items() if each not in going_on and not oddity.odd]
        for series in quiet[: max(0, len(self._oddities) - _MAX_ODDITIES)]:
            del self._oddities[series]

    def _begin_anew(self, entries: Collection[int]) -> None:
        """Forgets what is usual in these kinds."""
        if entries:
            self._kinds = {each: kind for each, kind in self._kinds.items() if each not in entries}
            self._oddities = {each: oddity for each, oddity in self._oddities.items() if each.entry not in entries}
            self.episodes = [
                replace(each, is_open=each.is_open and each.series.entry not in entries) for each in self.episodes
            ]

    def _needed(self) -> float:
        return ALARM_SURPRISE + math.log(1 + len(self._oddities))

    def _score(self, surprise: float) -> float:
        return surprise / (surprise + self._needed())

    def to_state(self) -> dict[str, Any]:
        """JSON-able; without episodes."""
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "seen": self.seen,
            "too_late": self.too_late,
            "assembly": self.assembly.to_state(),
            "kinds": [
                [entry, kind.since.isoformat(), kind.detector.to_state(), list(kind.totals.items())]
                for entry, kind in self._kinds.items()
            ],
            "oddities": [[series.key, oddity.to_state()] for series, oddity in self._oddities.items()],
            "suspects": [
                [each.session.to_state(), each.entry, each.bucket.isoformat(), [series.key for series in each.oddities]]
                for each in self._suspects.values()
            ],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], episodes: Iterable[Episode]) -> Self:
        monitor = cls(datetime.fromisoformat(state["since"]))
        monitor.until = datetime.fromisoformat(state["until"])
        monitor.seen, monitor.too_late = state["seen"], state["too_late"]
        monitor.assembly = Assembly.from_state(state["assembly"])
        monitor.episodes = list(episodes)
        for entry, since, detector, totals in state["kinds"]:
            kind = _SessionKind(datetime.fromisoformat(since), SessionDetector.from_state(detector), dict(totals))
            monitor._kinds[entry] = kind
        monitor._oddities = {Series.from_key(key): Oddity.from_state(plain) for key, plain in state["oddities"]}
        for plain, entry, bucket, keys in state["suspects"]:
            session = Session.from_state(plain)
            times = datetime.fromisoformat(bucket)
            monitor._suspects[session.name] = _Suspect(session, entry, times, list(map(Series.from_key, keys)))
        return monitor


def _is_news(reason: Reason, session: Session) -> bool:
    return reason.kind is not ReasonKind.SELDOM or session.events[reason.event].level >= LEAST_LEVEL


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
