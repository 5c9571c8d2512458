"""From a request's parameters to which version is compared with what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sluice.entries.model import MAX_FIELD_CHARACTERS
from sluice.entries.normalise import storable_text
from sluice.errors import RejectedInput
from sluice.search.parse import check_names, parse_moment, parse_words

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DiffQuery:
    """``since`` and ``until`` are whole hours; None: all times."""

    applications: tuple[str, ...]
    version: str | None  # None: the latest
    against: str | None  # None: what came before
    service: str | None  # None: all; empty: logs that name none
    since: datetime | None
    until: datetime | None


def parse_diff(parameters: Mapping[str, str], now: datetime) -> DiffQuery:
    """Raises RejectedInput ``unknown_parameter``, or ``invalid_<name>`` of one of them."""
    check_names(parameters, "application", "version", "against", "service", "since", "until")
    version, against = (_named(name, parameters) or None for name in ("version", "against"))
    if version is not None and version == against:
        raise RejectedInput("invalid_against", "against must be another version")
    since, until = (parse_moment(name, parameters.get(name), now) for name in ("since", "until"))
    try:
        query = DiffQuery(
            applications=tuple(parse_words(parameters.get("application"))),
            version=version,
            against=against,
            service=_named("service", parameters),
            since=since and _hour(since),
            until=until and (until if until == _hour(until) else _hour(until) + _HOUR),
        )
    except OverflowError as error:
        raise RejectedInput("invalid_until", "until is at the end of time") from error
    if query.since and query.until and query.since >= query.until:
        raise RejectedInput("invalid_since", "since must be before until")
    return query


def _named(name: str, parameters: Mapping[str, str]) -> str | None:
    """A service or version, of which no log has one that is longer."""
    value = parameters.get(name)
    if value is not None and (len(value) > MAX_FIELD_CHARACTERS or storable_text(value)[1]):
        detail = f"no log has such a {name}: U+0000, a lone surrogate, or over {MAX_FIELD_CHARACTERS} characters"
        raise RejectedInput(f"invalid_{name}", detail)
    return value


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
