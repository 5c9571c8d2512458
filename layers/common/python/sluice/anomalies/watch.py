"""Watches all applications: from the census to anomalies."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sluice.anomalies.anomaly import QUIET, Anomaly, assemble
from sluice.anomalies.explain import explain_anomaly
from sluice.anomalies.feedback import REPEATED, is_muted
from sluice.anomalies.monitor import LATE, STEP, Monitor
from sluice.anomalies.ports import Census, Conflict, Evidence, Progress, Template, WatchStore
from sluice.anomalies.series import BUCKET, Episode, Series, bucket_of
from sluice.entries.model import Level
from sluice.errors import SluiceError

EVALUATION_INTERVAL = BUCKET
HISTORY = timedelta(days=28)  # that a new application is learnt from
_READ_AT_ONCE = timedelta(days=1)
_READ_BY_MINUTE = timedelta(hours=1)
REMEMBERED = LATE + 2 * STEP + QUIET  # anomalies that are over: for as long as a monitor may tell their episodes again
_MAX_REMEMBERED = 64  # applications
_MAX_TEMPLATES, _MOST_NAMED = 20, 5  # of an anomaly
_SHARE_NAMED = 0.8  # of what is too much or too little that they make up


@dataclass(frozen=True, slots=True)
class Watched:
    """What a run did: ``buckets`` judged, anomalies opened, and whether there is more to judge."""

    buckets: int = 0
    opened: int = 0
    is_behind: bool = False

    def __add__(self, other: "Watched") -> "Watched":
        return Watched(
            self.buckets + other.buckets,
            self.opened + other.opened,
            self.is_behind or other.is_behind,
        )


@dataclass(slots=True)
class _Application:
    """What an execution environment remembers between two runs."""

    progress: Progress
    monitor: Monitor
    read_until: datetime  # events
    received_until: datetime  # logs
    lag: timedelta  # after which nearly all logs of an event's minute are there
    anomalies: list[Anomaly]


class Watcher:
    """See ``watch``. One instance per execution environment: it remembers what it has read."""

    def __init__(
        self,
        census: Census,
        store: WatchStore,
        evidence: Evidence | None = None,
        history_from: datetime | None = None,
        session_episodes: Callable[[int], Sequence[Episode]] = lambda _: (),
    ) -> None:
        """``history_from``: what new applications are learnt from; by default the last HISTORY. ``session_episodes``:
        what is odd in an application's sessions."""
        self._census, self._store, self._evidence = census, store, evidence
        self._session_episodes = session_episodes
        self._history_from = history_from
        self._known: OrderedDict[int, _Application] = OrderedDict()

    def run(
        self, watermark: datetime, has_time: Callable[[], bool], on_failure: Callable[[int, Exception], None]
    ) -> Watched:
        """Watches all applications, those first that are furthest behind, and in turns, until time is up. Of one that
        fails ``on_failure`` is told, and the others go on. Raises Unavailable."""
        total = Watched()
        waiting: list[tuple[int, Progress | None]] = [(each.application_id, each) for each in self._store.progress()]
        while waiting:
            behind: list[tuple[int, Progress | None]] = []
            for application_id, progress in waiting:
                if not has_time():
                    return replace(total, is_behind=True)
                try:
                    watched = self.watch(application_id, watermark, progress)
                except Conflict:
                    continue  # who saved it goes on
                except SluiceError:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever one application's logs bring about
                    self._known.pop(application_id, None)
                    on_failure(application_id, error)
                    continue
                total += replace(watched, is_behind=False)
                if watched.is_behind:
                    behind.append((application_id, None))
            waiting = behind
        return total

    def watch(self, application_id: int, watermark: datetime, progress: Progress | None = None) -> Watched:
        """Judges what is complete: all logs received before ``watermark`` (a whole minute) are stored. A long history
        takes several calls. Repeating a call, also one that was killed, does no harm. Raises Unavailable."""
        known = self._recall(application_id, watermark, progress)
        if known is None:
            return Watched()
        monitor = known.monitor
        before = monitor.until
        templates = self._census.templates(application_id)
        monitor.merge({template_id: each.root for template_id, each in templates.items() if each.root != template_id})
        until = min(watermark - known.lag, known.read_until + _READ_AT_ONCE)
        self._read(application_id, known, until, watermark)
        if monitor.is_outdated:
            known.monitor = self._begin(application_id, watermark) or monitor
            known.read_until = known.monitor.start
            return Watched(is_behind=True)
        monitor.judge(until)
        of_sessions = (each for each in self._session_episodes(application_id) if each.opened < until)
        episodes = [
            each for each in (*monitor.episodes(until), *of_sessions) if not _is_ignored(each.series, templates)
        ]
        found = assemble(application_id, known.anomalies, episodes, monitor.settled_until, until, monitor.level_of)
        changed = [self._told(anomaly, known.anomalies, monitor, templates) for anomaly in found]
        if changed:
            judged = self._store.judged(application_id, until - REPEATED)
            changed = [replace(each, is_muted=is_muted(each, judged, until)) for each in changed]
        is_settled = monitor.settled_until != known.progress.settled_until
        self._save(known, watermark, monitor.to_states() if is_settled else None, changed)
        known.lag = self._census.lag(application_id, watermark) if is_settled else known.lag
        monitor.forget()
        opened = len({each.key for each in changed} - {each.key for each in known.anomalies})
        by_key = {anomaly.key: anomaly for anomaly in (*known.anomalies, *changed)}
        known.anomalies = [each for each in by_key.values() if each.is_open or until - each.last <= REMEMBERED]
        return Watched((monitor.until - before) // BUCKET, opened, until < watermark - known.lag)

    def _recall(self, application_id: int, watermark: datetime, progress: Progress | None) -> _Application | None:
        """What is known, unless another process saved since; None for an application without logs."""
        known = self._known.get(application_id)
        if known and (progress is None or progress.generation == known.progress.generation):
            self._known.move_to_end(application_id)
            return known
        saved = self._store.load(application_id)
        settled_until = saved.progress.settled_until
        if settled_until:
            monitor = Monitor.from_states(settled_until, saved.states)
        elif begun := self._begin(application_id, watermark):
            monitor = begun
        else:
            return None
        lag = self._census.lag(application_id, watermark)
        known = _Application(saved.progress, monitor, monitor.settled_until, watermark, lag, list(saved.anomalies))
        self._known[application_id] = known
        if len(self._known) > _MAX_REMEMBERED:
            self._known.popitem(last=False)
        return known

    def _begin(self, application_id: int, watermark: datetime) -> Monitor | None:
        """What knows nothing yet; None for an application without logs."""
        start = self._census.first_minute(application_id, self._history_from or watermark - HISTORY)
        return Monitor(bucket_of(start)) if start is not None and start < watermark else None

    def _read(self, application_id: int, known: _Application, until: datetime, watermark: datetime) -> None:
        """What was counted since the last time, and in the minutes that are new."""
        if watermark > known.received_until:
            events = watermark - HISTORY, known.read_until
            received = known.received_until, watermark
            known.monitor.add(self._census.cells(application_id, events, received, is_by_minute=True))
        if until > known.read_until:
            is_by_minute = until - known.read_until <= _READ_BY_MINUTE
            events = known.read_until, until
            cells = self._census.cells(application_id, events, (None, watermark), is_by_minute=is_by_minute)
            known.monitor.add(cells)
            known.read_until = until
        known.received_until = watermark

    def _save(
        self, known: _Application, watermark: datetime, states: Mapping[str, Any] | None, changed: Sequence[Anomaly]
    ) -> None:
        """Forgets everything if that fails: what was read may be more than what is saved."""
        progress = replace(known.progress, settled_until=known.monitor.settled_until, watched_until=watermark)
        try:
            self._store.save(progress, states, changed)
        except BaseException:
            self._known.pop(progress.application_id, None)
            raise
        known.progress = replace(progress, generation=progress.generation + 1)

    def _told(
        self, anomaly: Anomaly, known: Sequence[Anomaly], monitor: Monitor, templates: Mapping[int, Template]
    ) -> Anomaly:
        """With its templates, level and sentence, and what the logs tell when it is new or led by another series."""
        lead = anomaly.lead
        before = next((each for each in known if each.key == anomaly.key), None)
        is_same = before is not None and before.lead.series == lead.series
        named = anomaly.template_ids if is_same else _named(lead, monitor)
        members = sorted(anomaly.members, key=lambda member: -member.score)
        others = (member.series.template_id for member in members if member.series.template_id)
        template_ids = tuple(dict.fromkeys((*named, *others)))[:_MAX_TEMPLATES]
        level = lead.series.level or monitor.level_of(lead.series.template_id)
        anomaly = replace(anomaly, template_ids=template_ids, level=level)
        if self._evidence and not is_same:
            samples = self._evidence.samples(anomaly.application_id, anomaly.query, lead.window)
            version = anomaly.version or self._evidence.new_version(anomaly.application_id, anomaly.onset)
            anomaly = replace(anomaly, samples=tuple(samples), version=version)
        texts = [templates[each].text for each in template_ids if each in templates]
        return replace(anomaly, sentence=_sentence(anomaly, texts))


def _is_ignored(series: Series, templates: Mapping[int, Template]) -> bool:
    template = templates.get(series.template_id)
    return template is not None and template.is_ignored


def _sentence(anomaly: Anomaly, texts: Sequence[str]) -> str:
    level = Level(anomaly.level).name if anomaly.level else None
    return explain_anomaly(anomaly.lead, level, texts, others=len(anomaly.members) - 1, version=anomaly.version)


def _named(lead: Episode, monitor: Monitor) -> tuple[int, ...]:
    """The templates that make up most of what is too much or too little."""
    if lead.series.template_id:
        return tuple(dict.fromkeys(filter(None, (lead.series.template_id, lead.series.entry))))
    sign = 1 if lead.is_above else -1
    excess = {template_id: sign * each for template_id, each in monitor.excess(lead).items() if sign * each > 0}
    named: list[int] = []
    total = sum(excess.values())
    for template_id in sorted(excess, key=lambda each: (-excess[each], each))[:_MOST_NAMED]:
        if sum(excess[each] for each in named) >= _SHARE_NAMED * total:
            break
        named.append(template_id)
    return tuple(named)
