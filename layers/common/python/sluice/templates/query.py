"""From a request's parameters to what is asked of templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sluice.errors import RejectedInput
from sluice.search.counts import intervals
from sluice.search.language import template_id_of
from sluice.search.parse import check_names, parse_choice, parse_limit, parse_moment, parse_words

MAX_LIMIT, DEFAULT_LIMIT = 500, 50
MAX_BUCKETS, DEFAULT_BUCKETS = 200, 30
ORDERS = ("count", "last_seen", "first_seen")
_DEFAULT_RANGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A time of events, in whole minutes, and the intervals in which it is counted."""

    since: datetime
    until: datetime
    starts: tuple[datetime, ...]
    interval_seconds: int


@dataclass(frozen=True, slots=True)
class TemplateQuery:
    """Which templates. ``words`` are all in the text or the name, in any case."""

    span: Span
    applications: tuple[str, ...]
    words: tuple[str, ...]
    order: str  # one of ORDERS, most or latest first
    limit: int
    shows_ignored: bool


def parse_template_query(parameters: Mapping[str, str], now: datetime) -> TemplateQuery:
    """Raises RejectedInput ``unknown_parameter``, or ``invalid_<name>`` of one of them."""
    check_names(parameters, "q", "since", "until", "application", "order", "limit", "buckets", "ignored")
    return TemplateQuery(
        span=_span(parameters, now),
        applications=tuple(parse_words(parameters.get("application"))),
        words=tuple(parameters.get("q", "").casefold().split()),
        order=parse_choice("order", parameters.get("order"), ORDERS),
        limit=parse_limit("limit", parameters.get("limit"), DEFAULT_LIMIT, MAX_LIMIT),
        shows_ignored=parse_choice("ignored", parameters.get("ignored"), ("no", "yes")) == "yes",
    )


def parse_template_span(parameters: Mapping[str, str], now: datetime) -> Span:
    """The span for one template. Raises as above."""
    check_names(parameters, "since", "until", "buckets")
    return _span(parameters, now)


def parse_template_id(text: str) -> int:
    """Raises RejectedInput ``unknown_template``: no template has such an id."""
    template_id = template_id_of(text)
    if template_id is None:
        raise unknown_template(text)
    return template_id


def unknown_template(template_id: int | str) -> RejectedInput:
    """What is said of a template that does not exist, or of somebody else."""
    return RejectedInput("unknown_template", f"this API key sees no template {template_id}", status=404)


def _span(parameters: Mapping[str, str], now: datetime) -> Span:
    until = parse_moment("until", parameters.get("until"), now) or now
    try:
        until = until if until == _minute(until) else _minute(until) + timedelta(minutes=1)
        since = _minute(parse_moment("since", parameters.get("since"), now) or until - _DEFAULT_RANGE)
    except OverflowError as error:
        raise RejectedInput("invalid_until", "until is at the end of time, or a day after its beginning") from error
    if since >= until:
        raise RejectedInput("invalid_since", "since must be before until, which is now unless given")
    buckets = parse_limit("buckets", parameters.get("buckets"), DEFAULT_BUCKETS, MAX_BUCKETS)
    minutes = max(1, (until - since) // timedelta(minutes=1))
    return Span(since, until, *intervals(since, until, min(buckets, minutes)))


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
