"""Watching over history: what the detectors would have found, in steps that somebody waits for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sluice.anomalies.anomaly import Anomaly
from sluice.anomalies.feedback import Judged
from sluice.anomalies.ports import Census, Progress, Saved, Template
from sluice.anomalies.series import Cell
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
    def found(self) -> list[Anomaly]:
        """Anomalies since the beginning of what is judged, the latest first."""
        known = map(Anomaly.from_state, self.state["anomalies"] if self.state else ())
        return sorted((each for each in known if each.last >= self.since), key=lambda each: each.onset, reverse=True)


def advance(census: Census, backtest: Backtest, has_time: Callable[[], bool]) -> Backtest:
    """The backtest some days further, at least one, until time is up or all is judged. Raises Unavailable."""
    store = _Store(backtest)
    watcher = Watcher(_AllReceived(census, backtest.until), store, history_from=backtest.begins)
    judged_until = backtest.judged_until
    while judged_until < backtest.until:
        judged_until = min(judged_until + _STEP, backtest.until)
        while watcher.watch(backtest.application_id, judged_until).is_behind:
            pass
        if not has_time():
            break
    return replace(backtest, state=store.to_state() | {"judged_until": judged_until.isoformat()})


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
