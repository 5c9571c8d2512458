"""Watching over history: what the detectors would have found, in steps that somebody waits for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sluice.anomalies.anomaly import Anomaly
from sluice.anomalies.assembly import Piece
from sluice.anomalies.feedback import Judged
from sluice.anomalies.ports import Census, Progress, Saved, SessionLogs, SessionProgress, Template
from sluice.anomalies.series import Cell, Episode, EpisodeKey
from sluice.anomalies.session_watch import HISTORY as SESSION_HISTORY
from sluice.anomalies.session_watch import SessionWatcher
from sluice.anomalies.watch import HISTORY, REMEMBERED, Watcher

MAX_RANGE = timedelta(days=28)  # that is judged
_STEP = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Backtest:
    """Of one application, from ``since`` until ``until``; what came in HISTORY before is learnt from. ``state`` is
    JSON-able, None before the first step."""

    application_id: int
    since: datetime
    until: datetime
    state: Mapping[str, Any] | None = None

    @property
    def begins(self) -> datetime:
        """From when on logs are looked at."""
        return self.since - HISTORY

    @property
    def judged_until(self) -> datetime:
        """How far it is."""
        return datetime.fromisoformat(self.state["judged_until"]) if self.state else self.begins

    @property
    def is_complete(self) -> bool:
        return self.judged_until >= self.until

    @property
    def progress(self) -> float:
        """The share of the work that is done: sessions are read first, and count as half of it."""
        sessions = self.state["sessions"]["read_until"] if self.state else None
        begins = self.since - SESSION_HISTORY
        read = (datetime.fromisoformat(sessions) - begins) / (self.until - begins) if sessions else 0.0
        judged = (self.judged_until - self.begins) / (self.until - self.begins)
        return 1.0 if self.is_complete else min(1.0, max(0.0, read)) / 2 + judged / 2

    @property
    def found(self) -> list[Anomaly]:
        """Anomalies since the beginning of what is judged, the latest first."""
        known = map(Anomaly.from_state, self.state["anomalies"] if self.state else ())
        return sorted((each for each in known if each.last >= self.since), key=lambda each: each.onset, reverse=True)


def advance(census: Census, logs: SessionLogs, backtest: Backtest, has_time: Callable[[], bool]) -> Backtest:
    """The backtest some minutes of sessions further or, after the last of them, some days of rates, at least one, until
    time is up or all is judged. Raises Unavailable."""
    store, sessions = _Store(backtest), _Sessions(backtest)
    all_received = _AllReceived(census, backtest.until)
    session_watcher = SessionWatcher(
        all_received, _AllLogs(logs, backtest.until), sessions, history_from=backtest.since - SESSION_HISTORY
    )
    judged_until = backtest.judged_until
    if session_watcher.watch(backtest.application_id, backtest.until, has_time).behind:
        return _kept(backtest, store, sessions, judged_until)
    watcher = Watcher(
        all_received, store, history_from=backtest.begins, session_episodes=lambda _: list(sessions.found.values())
    )
    while judged_until < backtest.until:
        judged_until = min(judged_until + _STEP, backtest.until)
        while watcher.watch(backtest.application_id, judged_until).is_behind:
            pass
        if not has_time():
            break
    return _kept(backtest, store, sessions, judged_until)


def _kept(backtest: Backtest, store: "_Store", sessions: "_Sessions", judged_until: datetime) -> Backtest:
    state = store.to_state() | {"sessions": sessions.to_state(), "judged_until": judged_until.isoformat()}
    return replace(backtest, state=state)


class _AllReceived:
    """A census in which every log was received at once."""

    def __init__(self, census: Census, now: datetime) -> None:
        self._census, self._now = census, now

    def first_minute(self, application_id: int, since: datetime) -> datetime | None:
        return self._census.first_minute(application_id, since)

    def lag(self, application_id: int, now: datetime) -> timedelta:  # noqa: ARG002 - the port's
        return timedelta()

    def cells(
        self,
        application_id: int,
        events: tuple[datetime, datetime],
        received: tuple[datetime | None, datetime],
        *,
        is_by_minute: bool,
    ) -> Sequence[Cell]:
        if received[0] is not None:  # late ones, of which there are none
            return ()
        return self._census.cells(application_id, events, (None, self._now + HISTORY), is_by_minute=is_by_minute)

    def templates(self, application_id: int) -> Mapping[int, Template]:
        return self._census.templates(application_id)


class _AllLogs:
    """Logs by session, each received at once."""

    def __init__(self, logs: SessionLogs, until: datetime) -> None:
        self._logs, self._until = logs, until

    def field(self, application_id: int, received: tuple[datetime, datetime]) -> str:
        return self._logs.field(application_id, (received[0], self._until + HISTORY))

    def pieces(
        self,
        application_id: int,
        field: str,
        received: tuple[datetime | None, datetime],  # noqa: ARG002 - the port's
        events: tuple[datetime, datetime] | None,
        share: int,
        limit: int,
    ) -> Sequence[Piece]:
        ever = None, self._until + HISTORY
        return self._logs.pieces(application_id, field, ever, events, share, limit)


class _Sessions:
    """A SessionStore that begins with a backtest's state; ``found`` are all episodes that there ever were."""

    def __init__(self, backtest: Backtest) -> None:
        state = backtest.state["sessions"] if backtest.state else {"read_until": None, "state": None, "episodes": []}
        read_until = state["read_until"] and datetime.fromisoformat(state["read_until"])
        self._progress = SessionProgress(backtest.application_id, 0, read_until)
        self._state: Mapping[str, Any] | None = state["state"]
        self.found: dict[EpisodeKey, Episode] = {each.key: each for each in map(Episode.from_state, state["episodes"])}

    def to_state(self) -> dict[str, Any]:
        read_until, episodes = self._progress.read_until, [each.to_state() for each in self.found.values()]
        return {"read_until": read_until and read_until.isoformat(), "state": self._state, "episodes": episodes}

    def progress(self) -> Sequence[SessionProgress]:
        return [self._progress]

    def load(self, application_id: int) -> tuple[SessionProgress, Mapping[str, Any] | None, Sequence[Episode]]:  # noqa: ARG002 - the port's
        return self._progress, self._state, list(self.found.values())

    def save(self, progress: SessionProgress, state: Mapping[str, Any], episodes: Sequence[Episode]) -> None:
        self._progress, self._state = replace(progress, generation=progress.generation + 1), state
        self.found |= {episode.key: episode for episode in episodes}

    def episodes(self, application_id: int) -> Sequence[Episode]:  # noqa: ARG002 - the port's
        return list(self.found.values())


class _Store:
    """A WatchStore that begins with a backtest's state and can be asked for the next one."""

    def __init__(self, backtest: Backtest) -> None:
        state = backtest.state or {"settled_until": None, "states": {}, "anomalies": []}
        settled = state["settled_until"] and datetime.fromisoformat(state["settled_until"])
        self._progress = Progress(backtest.application_id, 0, settled, backtest.judged_until)
        self._states: Mapping[str, Any] = state["states"]
        self._anomalies = {each.key: each for each in map(Anomaly.from_state, state["anomalies"])}

    def to_state(self) -> dict[str, Any]:
        settled = self._progress.settled_until
        anomalies = [anomaly.to_state() for anomaly in self._anomalies.values()]
        return {"settled_until": settled and settled.isoformat(), "states": self._states, "anomalies": anomalies}

    def progress(self) -> Sequence[Progress]:
        return [self._progress]

    def load(self, application_id: int) -> Saved:  # noqa: ARG002 - the port's
        until = self._progress.watched_until or datetime.min.replace(tzinfo=UTC)
        known = [each for each in self._anomalies.values() if each.is_open or until - each.last <= REMEMBERED]
        return Saved(self._progress, self._states, known)

    def save(self, progress: Progress, states: Mapping[str, Any] | None, anomalies: Sequence[Anomaly]) -> None:
        self._progress = replace(progress, generation=progress.generation + 1)
        self._states = self._states if states is None else states
        self._anomalies |= {anomaly.key: anomaly for anomaly in anomalies}

    def judged(self, application_id: int, since: datetime) -> Sequence[Judged]:  # noqa: ARG002 - the port's
        return ()  # a backtest tells everything
