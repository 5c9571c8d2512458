"""Watches the sessions of all applications: from stored logs to episodes."""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self

from sluice.anomalies.assembly import MAX_OPEN, MAX_SHARE
from sluice.anomalies.ports import Census, Conflict, SessionLogs, SessionProgress, SessionStore, Template
from sluice.anomalies.series import Episode
from sluice.anomalies.session_monitor import SessionMonitor
from sluice.anomalies.watch import REMEMBERED
from sluice.errors import SluiceError

QUIET = timedelta(minutes=5)  # without logs, after which a session is complete; beside the time that logs take
HISTORY = timedelta(days=2)  # that a new application is learnt from
MAX_PIECES = 50_000  # that are read at once
_STRETCH = timedelta(minutes=1)  # of receipts that are read at once
_PAST_STRETCH = timedelta(minutes=5)  # of events
_SAVED_EACH = timedelta(minutes=10)  # of receipts: a process that knows nothing reads them again
_PROBED_EACH = timedelta(hours=1)  # where no session was met
_CALM = timedelta(hours=1)  # after which more may be looked at again
_FAR_BEHIND = timedelta(minutes=15)  # that fewer are looked at
_TOO_FAR_BEHIND = timedelta(hours=2)  # that the rest is left out
_TURN_SECONDS = 3.0  # of one application, while others wait
_BUSY = 0.25  # of what can be looked at
_TIMES = ("past_until", "probed_at", "busy_at")
_MAX_REMEMBERED = 64  # applications
_MAX_OPEN_REMEMBERED = 5 * MAX_OPEN  # sessions of all of them

type _Times = tuple[tuple[datetime | None, datetime], tuple[datetime, datetime] | None]  # of receipt, of events


@dataclass(frozen=True, slots=True)
class SessionsWatched:
    """What a run did: sessions judged, ``pieces`` read of them, applications of which ``sampled`` a part alone is
    looked at, by how long the last one is ``behind``, and time ``skipped``."""

    sessions: int = 0
    pieces: int = 0
    sampled: int = 0
    behind: timedelta = timedelta()
    skipped: timedelta = timedelta()

    def __add__(self, other: "SessionsWatched") -> "SessionsWatched":
        return SessionsWatched(
            self.sessions + other.sessions,
            self.pieces + other.pieces,
            self.sampled + other.sampled,
            max(self.behind, other.behind),
            self.skipped + other.skipped,
        )


@dataclass(slots=True)
class _Application:
    """What an execution environment remembers between two runs. What was received before ``past_until`` is read by the
    time of events, everything later by the time of receipt."""

    progress: SessionProgress
    monitor: SessionMonitor
    past_until: datetime
    name: str  # of the field that names sessions; empty: none
    probed_at: datetime
    busy_at: datetime  # when there was last as much as can be looked at
    lag: timedelta
    saved: tuple[datetime, Sequence[Episode]] | None = None
    templates: Mapping[int, Template] | None = None
    roots: Mapping[int, int] = field(default_factory=dict)
    ignored: Collection[int] = ()

    def to_state(self) -> dict[str, Any]:
        """JSON-able; without episodes."""
        times = {name: getattr(self, name).isoformat() for name in _TIMES}
        rest = {"name": self.name, "lag": self.lag.total_seconds(), "monitor": self.monitor.to_state()}
        return times | rest

    @classmethod
    def from_state(cls, progress: SessionProgress, state: Mapping[str, Any], episodes: Sequence[Episode]) -> Self:
        monitor = SessionMonitor.from_state(state["monitor"], episodes)
        past_until, probed_at, busy_at = (datetime.fromisoformat(state[name]) for name in _TIMES)
        lag = timedelta(seconds=state["lag"])
        saved = monitor.until, list(episodes)
        return cls(progress, monitor, past_until, state["name"], probed_at, busy_at, lag, saved)


class SessionWatcher:
    """See ``watch``. One instance per execution environment: it remembers open sessions."""

    def __init__(
        self,
        census: Census,
        logs: SessionLogs,
        store: SessionStore,
        clock: Callable[[], float] = time.monotonic,
        history_from: datetime | None = None,
    ) -> None:
        """``history_from``: what new applications are learnt from; by default the last HISTORY."""
        self._census, self._logs, self._store, self._clock = census, logs, store, clock
        self._history_from = history_from
        self._known: OrderedDict[int, _Application] = OrderedDict()

    def run(
        self, watermark: datetime, has_time: Callable[[], bool], on_failure: Callable[[int, Exception], None]
    ) -> SessionsWatched:
        """Watches all applications, those first that are furthest behind, and in turns, until time is up. Of one that
        fails ``on_failure`` is told, and the others go on. Raises Unavailable."""
        total = SessionsWatched()
        waiting: list[tuple[int, SessionProgress | None]] = [
            (each.application_id, each) for each in self._store.progress()
        ]
        while waiting and has_time():
            behind: list[tuple[int, SessionProgress | None]] = []
            for place, (application_id, progress) in enumerate(waiting):
                if not has_time():
                    behind += waiting[place:]
                    break
                ends_at = self._clock() + _TURN_SECONDS
                has_turn = partial(self._has_turn, has_time, ends_at)
                try:
                    watched = self.watch(application_id, watermark, has_turn, progress)
                except Conflict:
                    continue  # who saved it goes on
                except SluiceError:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever one application's logs bring about
                    self._known.pop(application_id, None)
                    on_failure(application_id, error)
                    continue
                total += replace(watched, behind=timedelta())
                if watched.behind:
                    behind.append((application_id, None))
            waiting = behind
        known = [self._known[each] for each, _ in waiting if each in self._known]
        late = max((watermark - each.monitor.until for each in known), default=timedelta())
        sampled = sum(each.monitor.assembly.share > 0 for each in self._known.values())
        return replace(total, behind=late, sampled=sampled)

    def watch(
        self,
        application_id: int,
        watermark: datetime,
        has_time: Callable[[], bool],
        progress: SessionProgress | None = None,
    ) -> SessionsWatched:
        """Reads on, at least one stretch, until ``watermark`` (a whole minute) or until time is up: all logs received
        before it are stored. Repeating a call, also one that was killed, does no harm. Raises Unavailable."""
        known = self._recall(application_id, watermark, progress)
        if known is None:
            return SessionsWatched()
        total = SessionsWatched()
        if self._is_without_sessions(application_id, known, watermark):
            known.monitor.until = watermark
        elif known.monitor.until >= known.past_until and watermark - known.monitor.until > _TOO_FAR_BEHIND:
            total += SessionsWatched(skipped=watermark - _STRETCH - known.monitor.until)
            known.monitor.skip(watermark - _STRETCH)
        self._take_templates(application_id, known)
        while known.monitor.until < watermark:
            total += self._read(application_id, known, watermark)
            if not has_time():
                break
        self._adapt(known, watermark)
        self._save(known)
        # A watermark may lie before the last one.
        return replace(total, behind=max(watermark - known.monitor.until, timedelta()))

    def _has_turn(self, has_time: Callable[[], bool], ends_at: float) -> bool:
        return has_time() and self._clock() < ends_at

    def _recall(
        self, application_id: int, watermark: datetime, progress: SessionProgress | None
    ) -> _Application | None:
        """What is known, unless another process saved since; None for an application without logs."""
        known = self._known.get(application_id)
        if known and (progress is None or progress.generation == known.progress.generation):
            self._known.move_to_end(application_id)
            return known
        saved, state, episodes = self._store.load(application_id)
        known = _Application.from_state(saved, state, episodes) if state else self._begin(saved, watermark)
        if known is None:
            return None
        self._known[application_id] = known
        while len(self._known) > 1 and self._is_too_much():
            self._known.popitem(last=False)
        return known

    def _is_too_much(self) -> bool:
        open_sessions = sum(len(each.monitor.assembly.open) for each in self._known.values())
        return len(self._known) > _MAX_REMEMBERED or open_sessions > _MAX_OPEN_REMEMBERED

    def _begin(self, progress: SessionProgress, watermark: datetime) -> _Application | None:
        """What knows nothing yet; None for an application without logs."""
        since = self._history_from or watermark - HISTORY
        start = self._census.first_minute(progress.application_id, since)
        if start is None or start >= watermark:
            return None
        lag = self._census.lag(progress.application_id, watermark)
        return _Application(progress, SessionMonitor(start), watermark, "", start - _PROBED_EACH, start, lag)

    def _is_without_sessions(self, application_id: int, known: _Application, watermark: datetime) -> bool:
        """Asks for the field that names sessions, from time to time; when there is one, the past is read first."""
        if known.name or watermark - known.probed_at < _PROBED_EACH:
            return not known.name
        known.probed_at = watermark
        known.name = self._logs.field(application_id, (watermark - HISTORY, watermark))
        if known.name and known.monitor.until > known.monitor.since:
            self._begin_anew(known, watermark)
        return not known.name

    def _begin_anew(self, known: _Application, watermark: datetime) -> None:
        """Reads the past again; what was found stays."""
        begun = self._begin(known.progress, watermark)
        if begun:
            begun.monitor.episodes = [replace(each, is_open=False) for each in known.monitor.episodes]
            known.monitor, known.past_until, known.busy_at = begun.monitor, watermark, begun.busy_at

    def _take_templates(self, application_id: int, known: _Application) -> None:
        templates = self._census.templates(application_id)
        if templates is not known.templates:
            known.templates = templates
            known.roots = {each: template.root for each, template in templates.items() if template.root != each}
            known.ignored = {each for each, template in templates.items() if template.is_ignored}
            known.monitor.merge(known.roots)

    def _read(self, application_id: int, known: _Application, watermark: datetime) -> SessionsWatched:
        """The next stretch of time. Where that is too much, half as many sessions are looked at."""
        monitor, assembly = known.monitor, known.monitor.assembly
        since = monitor.until
        if since < known.past_until:
            until = min(since + _PAST_STRETCH, known.past_until)
            times: _Times = (None, known.past_until), (since, until)
        else:
            until = min(since + _STRETCH, watermark)
            times = (since, until), None
        while True:
            pieces = self._logs.pieces(application_id, known.name, *times, assembly.share, MAX_PIECES)
            if len(pieces) < MAX_PIECES or assembly.share >= MAX_SHARE:
                break
            assembly.halve()
        sessions = monitor.feed(pieces, until, QUIET + known.lag, known.roots, known.ignored, known.name)
        if max(len(pieces) / MAX_PIECES, len(assembly.open) / MAX_OPEN) > _BUSY:
            known.busy_at = until
        return SessionsWatched(sessions, len(pieces))

    def _adapt(self, known: _Application, watermark: datetime) -> None:
        """Looks at fewer sessions where reading them falls behind, and at more when there is time again."""
        monitor, calm = known.monitor, known.monitor.until - known.busy_at
        is_past = monitor.until <= known.past_until
        if not is_past and watermark - monitor.until > _FAR_BEHIND < calm and monitor.assembly.share < MAX_SHARE:
            monitor.assembly.halve()
            known.busy_at = monitor.until
        elif monitor.assembly.share and calm > _CALM:
            monitor.assembly.double(monitor.until)
            known.busy_at = monitor.until
        if monitor.is_outdated:
            self._begin_anew(known, watermark)

    def _save(self, known: _Application) -> None:
        """Forgets everything if that fails: what was read may be more than what is saved."""
        monitor, application_id = known.monitor, known.progress.application_id
        monitor.forget(monitor.until - REMEMBERED)
        if known.saved and known.saved[1] == monitor.episodes and monitor.until - known.saved[0] < _SAVED_EACH:
            return
        if known.name and monitor.until > known.past_until:
            known.lag = self._census.lag(application_id, monitor.until)
        progress = replace(known.progress, read_until=monitor.until)
        try:
            self._store.save(progress, known.to_state(), monitor.episodes)
        except BaseException:
            self._known.pop(application_id, None)
            raise
        known.progress = replace(progress, generation=progress.generation + 1)
        known.saved = monitor.until, list(monitor.episodes)
