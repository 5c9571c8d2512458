"""What is counted, and in which steps of time."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sluice.entries.normalise import storable_text
from sluice.errors import RejectedInput
from sluice.search.model import FIELDS, METADATA, Filters
from sluice.search.parse import parse_choice, parse_filters, parse_limit

GROUPINGS = ("level", "application", "template", "none")
FACETS = ("level", "template", *FIELDS, "metadata")
MAX_BUCKETS, DEFAULT_BUCKETS = 500, 60
MAX_VALUES, DEFAULT_VALUES = 100, 10
ORIGIN = datetime(2001, 1, 1, tzinfo=UTC)  # a Monday: where intervals of every length begin
_MAX_FIELD_CHARACTERS = 4_096
_DEFAULT_RANGE = timedelta(hours=1)
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
INTERVALS = (
    *(1, 2, 5, 10, 15, 30),
    *(count * _MINUTE for count in (1, 2, 5, 10, 15, 30)),
    *(count * _HOUR for count in (1, 2, 3, 6, 12)),
    *(count * _DAY for count in (1, 2, 7, 14, 28, 91, 182, 364, 1_820, 3_640, 36_400, 364_000)),
)


@dataclass(frozen=True, slots=True)
class HistogramQuery:
    """Counts of logs in intervals. ``filters`` have both times."""

    filters: Filters
    by: str  # one of GROUPINGS
    starts: tuple[datetime, ...]  # of the intervals
    interval_seconds: int


@dataclass(frozen=True, slots=True)
class FacetQuery:
    """The most frequent values of ``field``: one of FACETS, or METADATA and a key. ``metadata`` is for its keys."""

    filters: Filters
    field: str
    limit: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of counts. Complete from ``complete_since`` on, where the budget was used up; None: complete."""

    rows: list[Any]
    complete_since: datetime | None


@dataclass(frozen=True, slots=True)
class FacetCounts:
    """How many logs have each value of a field, of how many. ``is_approximate``: values that are rare at each time but
    many in all may be missing. ``complete_since`` as in Counts."""

    values: Counter[str]
    total: int
    missing: int
    is_approximate: bool
    complete_since: datetime | None


@dataclass(frozen=True, slots=True)
class SeriesCounts:
    """Rows of (the interval's start, values, count). ``is_cut``: there were more groups of values than were asked for.
    ``complete_since`` as in Counts."""

    rows: list[tuple[datetime, tuple[str, ...], int]]
    is_cut: bool
    complete_since: datetime | None


def parse_histogram(parameters: Mapping[str, str], now: datetime) -> HistogramQuery:
    """Raises what ``parse_filters`` does, and RejectedInput ``invalid_by``, ``invalid_buckets``."""
    filters = parse_filters(parameters, now, "by", "buckets")
    until = filters.until or now
    since = filters.since or max(until - _DEFAULT_RANGE, datetime.min.replace(tzinfo=UTC))
    if since >= until:
        raise RejectedInput("invalid_since", "since must be before until, which is now unless given")
    buckets = parse_limit("buckets", parameters.get("buckets"), DEFAULT_BUCKETS, MAX_BUCKETS)
    starts, interval_seconds = intervals(since, until, buckets)
    by = parse_choice("by", parameters.get("by"), GROUPINGS)
    return HistogramQuery(replace(filters, since=since, until=until), by, starts, interval_seconds)


def parse_facet(parameters: Mapping[str, str], now: datetime) -> FacetQuery:
    """Raises what ``parse_filters`` does, and RejectedInput ``invalid_field``, ``invalid_limit``."""
    field = parameters.get("field", "")
    if field not in FACETS and not field.startswith(METADATA):
        raise RejectedInput("invalid_field", f"field must be one of {', '.join((*FACETS, METADATA + 'KEY'))}")
    if storable_text(field)[1] or len(field) > _MAX_FIELD_CHARACTERS:
        detail = f"no log has such a key: U+0000, a lone surrogate, or over {_MAX_FIELD_CHARACTERS} characters"
        raise RejectedInput("invalid_field", detail)
    limit = parse_limit("limit", parameters.get("limit"), DEFAULT_VALUES, MAX_VALUES)
    return FacetQuery(parse_filters(parameters, now, "field", "limit"), field, limit)


def intervals(since: datetime, until: datetime, buckets: int) -> tuple[tuple[datetime, ...], int]:
    """The shortest of INTERVALS with which about ``buckets`` of them cover the time, and where each begins."""
    for seconds in INTERVALS:
        step = timedelta(seconds=seconds)
        first, end = (since - ORIGIN) // step, -((ORIGIN - until) // step)
        if end - first <= buckets + 1:
            break
    return tuple(_start(number * step) for number in range(first, end)), seconds


def _start(since_origin: timedelta) -> datetime:
    try:
        return ORIGIN + since_origin
    except OverflowError:  # the interval begins before the year 1
        return datetime.min.replace(tzinfo=UTC)
