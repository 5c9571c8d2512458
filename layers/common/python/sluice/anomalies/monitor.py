"""Everything that is watched of one application."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from sluice.anomalies.catalogue import Catalogue
from sluice.anomalies.series import ALL, BUCKET, Cell, Episode, Series, bucket_of, series_of
from sluice.anomalies.tracks import Counts, Track
from sluice.entries.model import Level

LATE = timedelta(hours=6)  # that logs may come after their events, to be judged
STEP = timedelta(hours=2)  # between two states that are kept
MAX_TEMPLATES = 200  # with a rate of their own, the most frequent ones
_ALARM_SURPRISE = 11.0  # of all rates together, -ln of a probability: weeks without a false alarm, minutes gained
_LEAST_WEEKLY = 30.0  # logs of a template, to have one
_STILL_WEEKLY = 10.0  # to keep it
_MUCH = 0.2  # of a rate

CATALOGUE_KEY = "catalogue"


class Monitor:
    """Watches the rates of all logs, of each level and of the frequent templates, and the catalogue of all templates.

    A fold over buckets: the same counts give the same episodes, whenever and in how many steps they come. Logs that are
    late by up to LATE are judged by going back. What is older teaches nothing any more.
    """

    def __init__(self, start: datetime) -> None:
        """``start`` is the bucket of the application's first logs."""
        self.start = self.settled_until = self.until = start
        self.too_late = 0  # logs
        self._cells: dict[datetime, Counter[tuple[int, int]]] = defaultdict(Counter)  # by bucket: template, level
        self._counts: dict[datetime, Counter[Series]] = defaultdict(Counter)
        self._minutes: dict[datetime, Counter[Series]] = defaultdict(Counter)  # of buckets that are not judged yet
        self._catalogue = Catalogue(start)
        self._settled_catalogue = self._catalogue.to_state()
        alarm_surprise = _ALARM_SURPRISE + math.log(1 + len(Level))
        series = [ALL, *(Series(level) for level in Level)]
        self._tracks = {each: Track(each, start, alarm_surprise, is_minor=_is_minor(each.level)) for each in series}
        self._is_changed = False  # a bucket that is judged already

    def add(self, cells: Iterable[Cell]) -> None:
        """Counts logs in."""
        for cell in cells:
            bucket = bucket_of(cell.minute)
            if bucket < self.settled_until:
                self.too_late += cell.count
                continue
            self._cells[bucket][cell.template_id, cell.level] += cell.count
            self._is_changed |= bucket < self.until
            for counts in (self._counts[bucket], self._minutes[cell.minute]):
                for series in series_of(cell):
                    counts[series] += cell.count

    def judge(self, until: datetime) -> None:
        """All buckets that end by then. Settles what late logs can no longer change by then."""
        if self._is_changed:
            self._go_back()
        while self.until + BUCKET <= until:
            is_long_ago = until - self.until >= LATE + STEP
            self._catch_up(self.until + STEP if is_long_ago else bucket_of(until))
            if is_long_ago:
                self._settle(self.until)
            elif until - self.settled_until >= LATE + 2 * STEP:
                self._settle(self.settled_until + STEP)

    @property
    def is_outdated(self) -> bool:
        """Whether more logs came too late than it knows of the last week: a history was brought in afterwards."""
        return self.too_late > sum(self._catalogue.weekly().values())

    def forget(self) -> None:
        """Episodes that are over and that nothing can change any more, once they are told."""
        for track in self._tracks.values():
            track.forget()
        self._catalogue.forget(self.settled_until)

    def episodes(self, now: datetime) -> list[Episode]:
        """Those that are open, or opened since what is settled; also such as the unfinished bucket opens before
        ``now``."""
        found = [episode for track in self._tracks.values() for episode in track.episodes]
        found += self._catalogue.episodes
        passed: Counter[Series] = Counter()
        for minute, counts in self._minutes.items():
            if self.until <= minute < now:
                passed.update(counts)
        peeks = (track.peek(now, passed[series]) for series, track in self._tracks.items())
        return [*found, *(episode for episode in peeks if episode)]

    def level_of(self, template_id: int) -> int:
        """Of most of its logs, lately; 0 if it is not known."""
        return self._catalogue.level_of(template_id)

    def excess(self, episode: Episode) -> dict[int, float]:
        """How many more (or, with a minus, fewer) logs than expected each template had in the episode's window, of the
        templates of its level."""
        since, until = episode.window
        observed: Counter[int] = Counter()
        for bucket, cells in self._cells.items():
            if bucket_of(since) <= bucket < until:
                for (template_id, level), count in cells.items():
                    if template_id and episode.series.level in (0, level):
                        observed[template_id] += count
        buckets = (until - since) / BUCKET
        weekly = self._catalogue.weekly()
        week = max(1.0, min(timedelta(days=7), self.until - self.start) / BUCKET)
        excess = {}
        for template_id in weekly.keys() | observed.keys():
            if episode.series.level in (0, self.level_of(template_id)) or template_id in observed:
                track = self._tracks.get(Series(0, template_id))
                usual = track.expected(bucket_of(since)) if track else weekly.get(template_id, 0.0) / week
                excess[template_id] = observed[template_id] - usual * buckets
        return excess

    def to_states(self) -> dict[str, Any]:
        """What is settled, by series; each JSON-able."""
        states = {series.key: track.to_state() for series, track in self._tracks.items()}
        return states | {CATALOGUE_KEY: self._settled_catalogue}

    @classmethod
    def from_states(cls, settled_until: datetime, states: Mapping[str, Any]) -> Self:
        catalogue = states[CATALOGUE_KEY]
        monitor = cls(datetime.fromisoformat(catalogue["since"]))
        monitor.settled_until = settled_until
        monitor._settled_catalogue = catalogue
        monitor._tracks = {
            series: Track.from_state(series, settled_until, state)
            for key, state in states.items()
            if key != CATALOGUE_KEY
            for series in [Series.from_key(key)]
        }
        monitor._go_back()
        return monitor

    def merge(self, roots: Mapping[int, int]) -> None:
        """Templates that are part of others by now. Their own rates are forgotten, and a rate that grows much by that
        is learnt anew."""
        weekly = self._catalogue.weekly()
        merged = {each: roots[each] for each in weekly if each in roots}
        if not merged:
            return
        for template_id, root in merged.items():
            self._tracks.pop(Series(0, template_id), None)
            if Series(0, root) in self._tracks and weekly[template_id] > _MUCH * weekly.get(root, 0.0):
                self._start(root)
        for cells in self._cells.values():
            for template_id, level in [each for each in cells if each[0] in merged]:
                cells[merged[template_id], level] += cells.pop((template_id, level))
        for counts in (*self._counts.values(), *self._minutes.values()):
            for series in [each for each in counts if each.template_id in merged]:
                counts[Series(0, merged[series.template_id])] += counts.pop(series)
        catalogue = Catalogue.from_state(self._settled_catalogue)
        catalogue.merge(merged)
        self._settled_catalogue = catalogue.to_state()
        self._is_changed = True

    def _go_back(self) -> None:
        for track in self._tracks.values():
            track.reset()
        self._catalogue = Catalogue.from_state(self._settled_catalogue)
        self.until = self.settled_until
        self._is_changed = False

    def _catch_up(self, until: datetime) -> None:
        for series, track in self._tracks.items():
            track.catch_up(until, self._counter(series))
        self._read(self._catalogue, until)
        self.until = until
        self._minutes = defaultdict(Counter, {at: found for at, found in self._minutes.items() if at >= self.until})

    def _settle(self, until: datetime) -> None:
        for series, track in self._tracks.items():
            track.settle(until, self._counter(series))
        catalogue = Catalogue.from_state(self._settled_catalogue)
        self._read(catalogue, until)
        self._settled_catalogue = catalogue.to_state()
        self.settled_until = until
        for kept in (self._cells, self._counts):
            for bucket in [bucket for bucket in kept if bucket < until]:
                del kept[bucket]
        self._choose(catalogue.weekly())

    def _choose(self, weekly: Mapping[int, float]) -> None:
        """Which templates have rates of their own from now on."""
        known = {series.template_id for series in self._tracks if series.template_id}
        ranked = sorted(weekly, key=lambda template_id: -weekly[template_id])[:MAX_TEMPLATES]
        chosen = {each for each in ranked if weekly[each] >= (_STILL_WEEKLY if each in known else _LEAST_WEEKLY)}
        for template_id in known - chosen:
            del self._tracks[Series(0, template_id)]
        for template_id in sorted(chosen - known):
            self._start(template_id)

    def _start(self, template_id: int) -> None:
        """A rate of its own for a template, as far back as counts are at hand."""
        series = Series(0, template_id)
        alarm_surprise = _ALARM_SURPRISE + math.log(1 + len(self._tracks))
        track = self._tracks[series] = Track(
            series, self.settled_until, alarm_surprise, is_minor=_is_minor(self.level_of(template_id))
        )
        track.catch_up(self.until, self._counter(series))

    def _read(self, catalogue: Catalogue, until: datetime) -> None:
        """The buckets up to then, of which templates whose rate is not learnt yet are not left to their rates."""
        while catalogue.until < until:
            learnt = {each.template_id for each, track in self._tracks.items() if track.learnt_at <= catalogue.until}
            catalogue.feed(self._cells.get(catalogue.until, {}), learnt)

    def _counter(self, series: Series) -> Counts:
        return lambda bucket: self._counts[bucket][series] if bucket in self._counts else 0


def _is_minor(level: int) -> bool:
    """Whether more logs of the level are no harm by themselves."""
    return 0 < level <= Level.INFO
