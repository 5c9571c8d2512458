"""The census and the store of anomalies, in memory."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sluice.anomalies.anomaly import Anomaly
from sluice.anomalies.feedback import Judged
from sluice.anomalies.ports import Conflict, Progress, Saved, Template
from sluice.anomalies.series import Cell, bucket_of

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
    _touched: dict[int, dict[datetime, set[datetime]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )  # minutes of events by the minute of receipt

    def add(self, application_id: int, cell: Cell, received_minute: datetime | None = None) -> None:
        """Counts logs of one minute, received in that minute unless said otherwise."""
        received = received_minute or cell.minute
        self._counts[application_id][cell.minute][cell.template_id, cell.level, received] += cell.count
        self._touched[application_id][received].add(cell.minute)

    @property
    def application_ids(self) -> list[int]:
        return sorted(self._counts)

    def first_minute(self, application_id: int, since: datetime) -> datetime | None:
        return min((minute for minute in self._counts[application_id] if minute >= since), default=None)

    def lag(self, application_id: int, now: datetime) -> timedelta:
        late: Counter[timedelta] = Counter()
        for minute, counts in self._counts[application_id].items():
            for (_, _, received), count in counts.items():
                if now - timedelta(hours=6) <= received < now:
                    late[min(max(received - minute, timedelta()), 15 * _MINUTE)] += count
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
