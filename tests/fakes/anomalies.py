"""The census and the store of anomalies, in memory."""

import json
import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sluice.anomalies.anomaly import Anomaly
from sluice.anomalies.assembly import Piece
from sluice.anomalies.feedback import Judged
from sluice.anomalies.ports import Conflict, Progress, Saved, SessionProgress, Template
from sluice.anomalies.series import Cell, Episode, bucket_of

_MINUTE = timedelta(minutes=1)


@dataclass
class MemoryCensus:
    """Census. ``add`` counts logs; ``names`` are the templates' texts, ``roots`` what they were merged into."""

    names: dict[int, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    roots: dict[int, int] = field(default_factory=dict)
    ignored: set[int] = field(default_factory=set)
    _counts: dict[int, dict[datetime, Counter[tuple[int, int, datetime]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Counter))
    )
    _touched: dict[int, dict[datetime, Counter[datetime]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Counter))
    )  # logs by the minutes of receipt and event

    def add(self, application_id: int, cell: Cell, received_minute: datetime | None = None) -> None:
        """Counts logs of one minute, received in that minute unless said otherwise."""
        received = received_minute or cell.minute
        self._counts[application_id][cell.minute][cell.template_id, cell.level, received] += cell.count
        self._touched[application_id][received][cell.minute] += cell.count

    @property
    def application_ids(self) -> list[int]:
        return sorted(self._counts)

    def first_minute(self, application_id: int, since: datetime) -> datetime | None:
        return min((minute for minute in self._counts[application_id] if minute >= since), default=None)

    def lag(self, application_id: int, now: datetime) -> timedelta:
        late: Counter[timedelta] = Counter()
        touched = self._touched[application_id]
        for at in _range(now - timedelta(hours=6), now):
            for minute, count in touched.get(at, {}).items():
                late[min(max(at - minute, timedelta()), 15 * _MINUTE)] += count
        lag, seen = timedelta(), 0
        for delay in sorted(late):
            if seen >= 0.99 * late.total():
                break
            lag, seen = delay, seen + late[delay]
        return lag

    def cells(
        self,
        application_id: int,
        events: tuple[datetime, datetime],
        received: tuple[datetime | None, datetime],
        *,
        is_by_minute: bool,
    ) -> Sequence[Cell]:
        found: Counter[tuple[datetime, int, int]] = Counter()
        counts = self._counts[application_id]
        for minute in self._minutes(application_id, events, received):
            for (template_id, level, at), count in counts.get(minute, {}).items():
                if (received[0] is None or at >= received[0]) and at < received[1]:
                    start = minute if is_by_minute else bucket_of(minute)
                    found[start, self.roots.get(template_id, template_id), level] += count
        return [Cell(*key, count) for key, count in found.items()]

    def _minutes(
        self, application_id: int, events: tuple[datetime, datetime], received: tuple[datetime | None, datetime]
    ) -> Iterable[datetime]:
        """Those that may hold such events."""
        if received[0] is None:
            return _range(*events)
        touched = self._touched[application_id]
        minutes = {minute for at in _range(received[0], received[1]) for minute in touched.get(at, ())}
        return [minute for minute in minutes if events[0] <= minute < events[1]]

    def templates(self, application_id: int) -> Mapping[int, Template]:
        return {
            template_id: Template(text, self.roots.get(template_id, template_id), template_id in self.ignored)
            for template_id, text in self.names[application_id].items()
        }


def _range(since: datetime, until: datetime) -> Iterator[datetime]:
    while since < until:
        yield since
        since += _MINUTE


@dataclass
class MemoryWatchStore:
    """WatchStore."""

    census: MemoryCensus
    verdicts: dict[int, list[Judged]] = field(default_factory=lambda: defaultdict(list))
    _progress: dict[int, Progress] = field(default_factory=dict)
    _states: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    _anomalies: dict[int, dict[tuple[str, datetime], Anomaly]] = field(default_factory=lambda: defaultdict(dict))

    def anomalies(self, application_id: int) -> list[Anomaly]:
        """All that were saved, in the order of their onsets."""
        return sorted(self._anomalies[application_id].values(), key=lambda each: (each.onset, each.key))

    def progress(self) -> Sequence[Progress]:
        known = [self._progress.get(each, Progress(each)) for each in self.census.application_ids]
        return sorted(known, key=lambda each: each.watched_until.timestamp() if each.watched_until else 0.0)

    def load(self, application_id: int) -> Saved:
        progress = self._progress.get(application_id, Progress(application_id))
        return Saved(progress, self._states.get(application_id, {}), self.anomalies(application_id))

    def save(self, progress: Progress, states: Mapping[str, Any] | None, anomalies: Sequence[Anomaly]) -> None:
        application_id = progress.application_id
        if self._progress.get(application_id, Progress(application_id)).generation != progress.generation:
            raise Conflict("watched_elsewhere", f"application {application_id} is watched by another run")
        self._progress[application_id] = replace(progress, generation=progress.generation + 1)
        if states is not None:
            self._states[application_id] = states
        self._anomalies[application_id] |= {anomaly.key: anomaly for anomaly in anomalies}

    def judged(self, application_id: int, since: datetime) -> Sequence[Judged]:
        return [judged for judged in self.verdicts[application_id] if judged.at >= since]


@dataclass
class MemoryEvidence:
    """Evidence. ``logs`` are ids by query, ``versions`` when each began."""

    logs: dict[str, list[str]] = field(default_factory=dict)
    versions: dict[str, datetime] = field(default_factory=dict)

    def samples(self, application_id: int, query: str, window: tuple[datetime, datetime]) -> Sequence[str]:
        return self.logs.get(query, [])[:3]

    def new_version(self, application_id: int, onset: datetime) -> str | None:
        begun = [version for version, at in self.versions.items() if timedelta() <= onset - at <= timedelta(hours=1)]
        return begun[-1] if begun and len(self.versions) > 1 else None


@dataclass
class MemorySessionLogs:
    """SessionLogs. ``add`` stores a log; ``name`` is the field that names sessions."""

    name: str = "trace_id"
    _pieces: dict[int, dict[datetime, list[tuple[datetime, Piece]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )  # by minute of receipt, with the time of receipt

    def add(
        self, application_id: int, session: str, template_id: int, level: int, at: datetime, received: datetime
    ) -> None:
        piece = Piece(session, zlib.crc32(session.encode()), template_id, level, 1, at.timestamp(), at.timestamp())
        minute = received.replace(second=0, microsecond=0)
        self._pieces[application_id][minute].append((received, piece))

    def forget(self, until: datetime) -> None:
        """What was received before."""
        for minutes in self._pieces.values():
            for minute in [minute for minute in minutes if minute < until - _MINUTE]:
                del minutes[minute]

    def field(self, application_id: int, received: tuple[datetime, datetime]) -> str:
        minutes = self._pieces[application_id]
        return self.name if any(received[0] <= at < received[1] for each in minutes.values() for at, _ in each) else ""

    def pieces(
        self,
        application_id: int,
        field: str,
        received: tuple[datetime | None, datetime],
        events: tuple[datetime, datetime] | None,
        share: int,
        limit: int,
    ) -> Sequence[Piece]:
        since, until = (each.timestamp() for each in events) if events else (0.0, math.inf)
        found: dict[tuple[str, int], Piece] = {}
        minutes = self._pieces[application_id]
        looked_at = minutes if received[0] is None else [at for at in _range(received[0], received[1]) if at in minutes]
        for at, piece in (each for minute in looked_at for each in minutes[minute]):
            is_received = (received[0] is None or received[0] <= at) and at < received[1]
            if is_received and since <= piece.first_at < until and not piece.lot & ((1 << share) - 1):
                key = piece.session, piece.template_id
                found[key] = _added(found[key], piece) if key in found else piece
        return list(found.values())[:limit]


def _added(one: Piece, other: Piece) -> Piece:
    return one._replace(
        level=max(one.level, other.level),
        logs=one.logs + other.logs,
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
    )


@dataclass
class MemorySessionStore:
    """SessionStore. States are JSON, as in a database."""

    application_ids: list[int] = field(default_factory=list)
    _saved: dict[int, tuple[SessionProgress, str, list[Episode]]] = field(default_factory=dict)

    def progress(self) -> Sequence[SessionProgress]:
        known = [self.load(each)[0] for each in self.application_ids]
        return sorted(known, key=lambda each: each.read_until.timestamp() if each.read_until else 0.0)

    def load(self, application_id: int) -> tuple[SessionProgress, Mapping[str, Any] | None, Sequence[Episode]]:
        if application_id not in self._saved:
            return SessionProgress(application_id), None, []
        progress, state, episodes = self._saved[application_id]
        return progress, json.loads(state), episodes

    def save(self, progress: SessionProgress, state: Mapping[str, Any], episodes: Sequence[Episode]) -> None:
        known = self._saved.get(progress.application_id)
        if (known[0].generation if known else 0) != progress.generation:
            raise Conflict("watched_elsewhere", f"application {progress.application_id} is watched by another run")
        saved = replace(progress, generation=progress.generation + 1)
        self._saved[progress.application_id] = saved, json.dumps(state), list(episodes)

    def episodes(self, application_id: int) -> Sequence[Episode]:
        return self._saved[application_id][2] if application_id in self._saved else []
