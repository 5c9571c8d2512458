"""Stored logs."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any
from uuid import UUID

from sluice.entries.model import Record
from sluice.entries.packing import unpack_records
from sluice.errors import Unavailable
from sluice.search import matching
from sluice.search.counts import ORIGIN, Counts, FacetCounts, FacetQuery, HistogramQuery, SeriesCounts
from sluice.search.matching import matcher
from sluice.search.model import (
    EXTRA_FIELDS,
    FIELDS,
    METADATA,
    Condition,
    Cursor,
    Filters,
    LogQuery,
    Neighbourhood,
    Page,
    Visible,
)
from sluice.streams.model import StreamEntry


@dataclass(frozen=True)
class _Log:
    application_id: int
    batch_id: UUID
    received_at: datetime
    record: Record
    template_id: int | None

    @property
    def place(self) -> tuple[datetime, UUID, int]:
        return self.record.event_at, self.batch_id, self.record.position

    @property
    def metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = json.loads(self.record.metadata)
        return metadata


@dataclass
class MemoryLogs:
    """What ``store`` was given, which readers and counters see; ``is_down`` makes it unavailable."""

    is_down: bool = False
    _logs: list[_Log] = field(default_factory=list)

    def store(self, *entries: StreamEntry) -> None:
        for entry in entries:
            for item, cluster in zip_longest(unpack_records(entry.lines), entry.clusters):
                template_id = cluster.template_id or None if cluster else None
                self._logs.append(_Log(entry.application_id, entry.batch_id, entry.received_at, item, template_id))

    def reader(self, visible: Visible) -> "MemoryLogReader":
        return MemoryLogReader(self, visible)

    def counter(self, visible: Visible) -> "MemoryLogCounter":
        return MemoryLogCounter(self, visible)

    def found(self, visible: Visible, filters: Filters) -> Iterator[_Log]:
        """What fits, in no order."""
        if self.is_down:
            raise Unavailable("database_unavailable", "down")
        for log in self._logs:
            at, text = log.record.event_at, filters.text or ""
            if (
                log.application_id in visible.names
                and (filters.batch_id is None or filters.batch_id == log.batch_id)
                and (filters.since is None or filters.since <= at)
                and (filters.until is None or at < filters.until)
                and text.lower() in log.record.message.lower()
                and _fits(filters.condition, log, visible)
            ):
                yield log


@dataclass
class MemoryLogReader:
    """LogReader."""

    logs: MemoryLogs
    visible: Visible

    def search(self, query: LogQuery) -> Page:
        is_backwards = bool(query.cursor and query.cursor.is_backwards)
        is_ascending = query.is_ascending != is_backwards
        ordered = self._ordered(query.filters)
        if cursor := query.cursor:
            place = (cursor.event_at, cursor.batch_id, cursor.position)
            ordered = [log for log in ordered if (log.place > place if is_ascending else log.place < place)]
        found = ordered if is_ascending else ordered[::-1]
        shown, has_more = found[: query.limit], len(found) > query.limit

        def place_of(log: _Log, is_back: bool) -> Cursor:
            return Cursor(*log.place, query.now, is_back)

        beyond = query.cursor and query.cursor.reversed(is_ascending)
        ahead = place_of(shown[-1], is_backwards) if has_more else None
        behind = place_of(shown[0], not is_backwards) if shown else beyond
        if is_backwards:
            last = place_of(shown[-1], True) if shown else query.cursor
            ahead, behind, shown = behind, ahead or last, shown[::-1]
        return Page([self._document(log, query.fields) for log in shown], ahead, behind)

    def find(self, batch_id: UUID, position: int, *, before: int, after: int) -> Neighbourhood | None:
        known = [log for log in self._ordered(Filters()) if (log.batch_id, log.record.position) == (batch_id, position)]
        if not known:
            return None
        beside = [log for log in self._ordered(Filters()) if log.application_id == known[0].application_id]
        at = beside.index(known[0])
        earlier, later = beside[max(at - before, 0) : at], beside[at + 1 : at + 1 + after]
        return Neighbourhood(
            self._document(known[0]), *([self._document(log) for log in part] for part in (earlier, later))
        )

    def _ordered(self, filters: Filters) -> list[_Log]:
        return sorted(self.logs.found(self.visible, filters), key=lambda log: log.place)

    def _document(self, log: _Log, fields: Sequence[str] = ()) -> dict[str, Any]:
        record = log.record
        extra = record._asdict() | {"template_id": log.template_id}
        whole = {
            "id": f"{log.batch_id.hex}-{record.position}",
            "application": self.visible.names[log.application_id],
            "timestamp": record.event_at.isoformat(),
            "received_at": log.received_at.astimezone(UTC).isoformat(),
            "level": record.level.name,
            "message": record.message,
            "metadata": log.metadata,
            "flags": record.flags.names,
            **{name: extra[name] for name in EXTRA_FIELDS if extra[name] is not None},
        }
        of_metadata = {METADATA + key: value for key, value in log.metadata.items()}
        return (
            {name: (whole | of_metadata)[name] for name in fields if name in whole | of_metadata} if fields else whole
        )


@dataclass
class MemoryLogCounter:
    """LogCounter."""

    logs: MemoryLogs
    visible: Visible

    def histogram(self, query: HistogramQuery) -> Counts:
        grouping: dict[str, Callable[[_Log], Any]] = {
            "level": lambda log: log.record.level.name,
            "application": lambda log: self.visible.names[log.application_id],
            "template": lambda log: str(log.template_id or ""),
            "none": lambda log: 0,
        }
        counts = Counter(
            (max(start for start in query.starts if start <= log.record.event_at), grouping[query.by](log))
            for log in self.logs.found(self.visible, query.filters)
        )
        return Counts([(*key, count) for key, count in counts.items()], None)

    def series(
        self, filters: Filters, fields: tuple[str, ...], interval_seconds: int, *, max_groups: int
    ) -> SeriesCounts:
        counts: Counter[tuple[datetime, tuple[str, ...]]] = Counter()
        totals: Counter[tuple[str, ...]] = Counter()
        for log in self.logs.found(self.visible, filters):
            values = (next(iter(self._values(name, log)), "") for name in fields)
            group = tuple(
                value.lower() if name == "level" else value for name, value in zip(fields, values, strict=True)
            )
            step = timedelta(seconds=interval_seconds)
            counts[ORIGIN + (log.record.event_at - ORIGIN) // step * step, group] += 1
            totals[group] += 1
        kept = {group for group, _ in totals.most_common(max_groups)}
        rows = [(start, group, count) for (start, group), count in counts.items() if group in kept]
        return SeriesCounts(rows, len(kept) < len(totals), None)

    def stats(self, filters: Filters) -> Counts:
        groups: dict[tuple[str, str], list[_Log]] = {}
        for log in self.logs.found(self.visible, filters):
            groups.setdefault((log.record.level.name, self.visible.names[log.application_id]), []).append(log)
        rows = []
        for key, group in groups.items():
            times = [log.record.event_at for log in group]
            size = sum(len(log.record.message.encode()) for log in group)
            rows.append((*key, len(group), min(times), max(times), size))
        return Counts(rows, None)

    def facet(self, query: FacetQuery) -> FacetCounts:
        found = list(self.logs.found(self.visible, query.filters))
        values = [value for log in found for value in self._values(query.field, log)]
        missing = sum(not list(self._values(query.field, log)) for log in found)
        return FacetCounts(Counter(values), len(found), missing, False, None)

    def _values(self, name: str, log: _Log) -> Iterable[str]:
        if name == "metadata":
            return log.metadata
        if name == "level":
            return [log.record.level.name]
        if name == "template":
            return [str(log.template_id)] if log.template_id else []
        value = _text_of(name, log, self.visible)
        return [] if value is None else [value]


def _fits(condition: Condition, log: _Log, visible: Visible) -> bool:
    return matcher(condition)(_searchable(log, visible))


def _text_of(name: str, log: _Log, visible: Visible) -> str | None:
    if name == "application":
        return visible.names[log.application_id]
    key = name.removeprefix(METADATA)
    if key == name:
        text: str | None = getattr(log.record, name)
        return text
    value: Any = log.metadata
    for step in [key] if key in value else key.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, str) or value is None else json.dumps(value)


def _searchable(log: _Log, visible: Visible) -> matching.Log:
    fields = {name: _text_of(name, log, visible) for name in FIELDS}

    def is_of(template_id: int) -> bool:
        return log.template_id == template_id

    return matching.Log(log.record.level, log.record.message, log.record.metadata.encode(), fields, is_of)
