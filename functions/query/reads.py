"""The use cases of reading logs: pages, one log among its neighbours, and counts."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sluice.applications.model import KeyRecord, Scope
from sluice.entries.model import Level
from sluice.errors import RejectedInput
from sluice.search.counts import parse_facet, parse_histogram
from sluice.search.model import DEFAULT_CONTEXT, MAX_CONTEXT, LogQuery, Page, Visible
from sluice.search.parse import check_names, parse_filters, parse_limit
from sluice.search.ports import LogCounter, LogReader

Parameters = Mapping[str, str]

MAX_SERIES = 100  # of a histogram


@dataclass(frozen=True, slots=True)
class Reads:
    """The use cases. Each takes the reader's key and the parameters of the URL."""

    names: Callable[[Collection[int] | None], Mapping[int, str]]  # of these applications, or of all, by id
    open_reader: Callable[[Visible], LogReader]
    open_counter: Callable[[Visible], LogCounter]
    now: Callable[[], datetime]

    def visible(self, key: KeyRecord, applications: tuple[str, ...] = ()) -> Visible:
        """The applications that the key sees, or those of them that are named. Raises RejectedInput
        ``unknown_application`` for a name that this key does not see: it tells no more than that."""
        is_all = Scope.ADMIN in key.scopes
        names = self.names(None if is_all else {key.application_id})
        for name in applications:
            if name not in names.values():
                raise RejectedInput("unknown_application", f"this API key sees no application {name!r}")
        if not applications:
            return Visible(names, is_all)
        return Visible({application_id: name for application_id, name in names.items() if name in applications}, is_all)

    def page(self, key: KeyRecord, query: LogQuery) -> Page:
        """A page of logs."""
        visible = self.visible(key, query.filters.applications)
        return self.open_reader(visible).search(query)

    def log(self, key: KeyRecord, log_id: str, parameters: Parameters) -> dict[str, Any]:
        """One log, and those before and after it in its application."""
        check_names(parameters, "before", "after")
        before, after = (
            parse_limit(name, parameters.get(name), DEFAULT_CONTEXT, MAX_CONTEXT, lowest=0)
            for name in ("before", "after")
        )
        found = self.open_reader(self.visible(key)).find(*_parts(log_id), before=before, after=after)
        if found is None:
            raise RejectedInput("unknown_log", f"this API key sees no log {log_id!r}", status=404)
        return {"log": found.log, "before": found.before, "after": found.after}

    def histogram(self, key: KeyRecord, parameters: Parameters) -> dict[str, Any]:
        """Counts over time."""
        query = parse_histogram(parameters, self.now())
        counter = self._counter(key, query.filters.applications)
        counts = counter.histogram(query)
        series: defaultdict[Any, Counter[datetime]] = defaultdict(Counter)
        for start, value, count in counts.rows:
            series[value][start] += count
        ordered = sorted(series.items(), key=_order(query.by))
        if len(ordered) > MAX_SERIES:  # only templates are so many
            rest = sum((found for _, found in ordered[MAX_SERIES:]), Counter[datetime]())
            ordered = [*ordered[:MAX_SERIES], ("other", rest)]
        return {
            "since": query.filters.since,
            "until": query.filters.until,
            "interval_seconds": query.interval_seconds,
            "by": query.by,
            "starts": list(query.starts),
            "series": [
                {
                    "value": None if query.by == "none" else value or None,
                    "counts": [found[start] for start in query.starts],
                }
                for value, found in ordered
            ],
            "total": sum(count for _, _, count in counts.rows),
            **_completeness(counts.complete_since),
        }

    def facet(self, key: KeyRecord, parameters: Parameters) -> dict[str, Any]:
        """The most frequent values of a field."""
        query = parse_facet(parameters, self.now())
        counts = self._counter(key, query.filters.applications).facet(query)
        top = sorted(counts.values.items(), key=lambda item: (-item[1], item[0]))[: query.limit]
        return {
            "field": query.field,
            "values": [{"value": value, "count": count} for value, count in top],
            "other_count": counts.values.total() - sum(count for _, count in top),
            "missing_count": counts.missing,
            "total": counts.total,
            "approximate": counts.is_approximate,
            **_completeness(counts.complete_since),
        }

    def stats(self, key: KeyRecord, parameters: Parameters) -> dict[str, Any]:
        """How many logs there are, of which level and application, since when, and how large."""
        filters = parse_filters(parameters, self.now())
        counts = self._counter(key, filters.applications).stats(filters)
        by_level, by_application = Counter[str](), Counter[str]()
        for level, application, count, *_ in counts.rows:
            by_level[level] += count
            by_application[application] += count
        return {
            "total": by_level.total(),
            "by_level": {level.name: by_level[level.name] for level in Level},
            "by_application": dict(by_application.most_common()),
            "first_at": min((row[3] for row in counts.rows), default=None),
            "last_at": max((row[4] for row in counts.rows), default=None),
            "message_bytes": sum(row[5] for row in counts.rows),
            **_completeness(counts.complete_since),
        }

    def _counter(self, key: KeyRecord, applications: tuple[str, ...]) -> LogCounter:
        return self.open_counter(self.visible(key, applications))


def _completeness(complete_since: datetime | None) -> dict[str, Any]:
    return {"partial": complete_since is not None, "complete_since": complete_since}


def _order(by: str) -> Callable[[tuple[Any, Counter[datetime]]], Any]:
    """Levels by rank, applications by how much they have."""
    return (lambda item: Level[item[0]]) if by == "level" else (lambda item: (-item[1].total(), item[0]))


def _parts(log_id: str) -> tuple[UUID, int]:
    """A log's batch and position. Raises RejectedInput ``unknown_log``: no log has another kind of id."""
    batch, _, position = log_id.partition("-")
    try:
        if not (position.isascii() and position.isdigit() and len(position) < 10 and len(batch) == 32):
            raise ValueError(log_id)
        return UUID(batch), int(position)
    except ValueError as error:
        raise RejectedInput("unknown_log", f"this API key sees no log {log_id!r}", status=404) from error
