"""From a URL's parameters to what they ask for."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sluice.entries.model import MAX_FIELD_CHARACTERS, Level
from sluice.entries.normalise import storable_text
from sluice.entries.timestamps import timestamp_from_text
from sluice.errors import RejectedInput
from sluice.search.language import LEVEL_NAMES, level_named, no_level, parse_condition, template_id_of
from sluice.search.model import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    METADATA,
    Condition,
    Cursor,
    Field,
    Filters,
    Levels,
    LogQuery,
    OfTemplate,
    all_of,
    any_of,
)

FILTERS = ("q", "since", "until", "application", "level", "trace_id", "session_id", "template", "batch_id", "text")
PAGING = ("limit", "cursor", "order")
_MAX_TEXT_CHARACTERS = 4_096
_MAX_METADATA = 16  # conditions
_RELATIVE = re.compile(r"-((?:[0-9]{1,9}[smhdw])+)")
_SPAN = re.compile(r"([0-9]+)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def parse_filters(parameters: Mapping[str, str], now: datetime, *others: str) -> Filters:
    """The filters that all reading requests share. ``others`` are parameters that the caller reads by itself.

    Raises RejectedInput naming the parameter: ``unknown_parameter``, ``invalid_query`` (with ``position`` and
    ``expected``), ``invalid_since``, ``invalid_until``, ``invalid_level``, ``invalid_text``, ``invalid_trace_id``,
    ``invalid_session_id``, ``invalid_template``, ``invalid_metadata``, ``invalid_batch_id``.
    """
    named = (name for name in parameters if not name.startswith(METADATA))
    check_names(named, *FILTERS, f"{METADATA}KEY", *others)
    return Filters(
        condition=all_of(parse_condition(parameters.get("q", "")), *_conditions(parameters)),
        text=_text("text", parameters.get("text"), _MAX_TEXT_CHARACTERS),
        since=parse_moment("since", parameters.get("since"), now),
        until=parse_moment("until", parameters.get("until"), now),
        applications=tuple(parse_words(parameters.get("application"))),
        batch_id=_batch_id(parameters.get("batch_id")),
    )


def parse_query(parameters: Mapping[str, str], now: datetime, *others: str, max_limit: int = MAX_LIMIT) -> LogQuery:
    """The page that ``parameters`` ask for. Raises what ``parse_filters`` does, and ``invalid_limit``,
    ``invalid_cursor``, ``invalid_order``."""
    cursor = Cursor.from_text(parameters["cursor"]) if parameters.get("cursor") else None
    now = cursor.now if cursor else now
    return LogQuery(
        filters=parse_filters(parameters, now, *PAGING, *others),
        now=now,
        cursor=cursor,
        limit=parse_limit("limit", parameters.get("limit"), DEFAULT_LIMIT, max_limit),
        is_ascending=parse_choice("order", parameters.get("order"), ("desc", "asc")) == "asc",
    )


def check_names(names: Iterable[str], *known: str) -> None:
    """Raises RejectedInput ``unknown_parameter`` for a name that is not ``known``."""
    for name in names:
        if name not in known:
            raise RejectedInput("unknown_parameter", f"{name!r} is none of {', '.join(known)}")


def parse_moment(name: str, text: str | None, now: datetime) -> datetime | None:
    """RFC 3339, an epoch number, ``now``, or a span before it: ``-15m``, ``-2h30m``, ``-7d``. Raises RejectedInput
    ``invalid_<name>``."""
    if not text:
        return None
    try:
        if text == "now":
            return now
        if relative := _RELATIVE.fullmatch(text):
            spans = _SPAN.findall(relative[1])
            return now - timedelta(seconds=sum(int(count) * _SECONDS[unit] for count, unit in spans))
        # A "+" in a query string arrives as a blank when the client did not encode it.
        return timestamp_from_text(text.replace(" ", "+") if text.count(":") > 2 else text)
    except (ValueError, OverflowError) as error:
        detail = f"{name} must be an RFC 3339 time, an epoch number, or a span before now such as -15m or -2h30m"
        raise RejectedInput(f"invalid_{name}", detail) from error


def parse_limit(name: str, text: str | None, default: int, highest: int, *, lowest: int = 1) -> int:
    """A whole number within bounds. Raises RejectedInput ``invalid_<name>``."""
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 9 and lowest <= int(text) <= highest):
        raise RejectedInput(f"invalid_{name}", f"{name} must be a whole number from {lowest} to {highest}")
    return int(text)


def parse_choice(name: str, text: str | None, choices: tuple[str, ...]) -> str:
    """One of ``choices``; the first if there is no text. Raises RejectedInput ``invalid_<name>``."""
    if text and text not in choices:
        raise RejectedInput(f"invalid_{name}", f"{name} must be one of {', '.join(choices)}")
    return text or choices[0]


def _conditions(parameters: Mapping[str, str]) -> Iterable[Condition]:
    if levels := list(parse_words(parameters.get("level"))):
        yield any_of(*(Levels(level, level) for level in map(_level, levels)))
    if templates := list(parse_words(parameters.get("template"))):
        yield any_of(*map(_template, templates))
    for name in ("trace_id", "session_id"):
        if value := _text(name, parameters.get(name), MAX_FIELD_CHARACTERS):
            yield Field(name, value)
    keys = [name for name in parameters if name.startswith(METADATA)]
    if len(keys) > _MAX_METADATA:
        raise RejectedInput("invalid_metadata", f"at most {_MAX_METADATA} keys of the metadata can be given")
    for name in keys:
        _text("metadata", name, _MAX_TEXT_CHARACTERS)
        yield Field(name, _text("metadata", parameters[name], _MAX_TEXT_CHARACTERS) or "")


def parse_words(text: str | None) -> Iterable[str]:
    """What stands between commas."""
    return filter(None, map(str.strip, (text or "").split(",")))


def _level(word: str) -> Level:
    level = level_named(word)
    if level is None:
        raise RejectedInput("invalid_level", f"{no_level(word)}; expected: {', '.join(LEVEL_NAMES)}")
    return level


def _template(word: str) -> OfTemplate:
    template_id = template_id_of(word)
    if template_id is None:
        raise RejectedInput("invalid_template", f"{word!r} is no template's id, which is a number")
    return OfTemplate(template_id)


def _text(name: str, text: str | None, max_characters: int) -> str | None:
    if text and storable_text(text)[1]:
        raise RejectedInput(f"invalid_{name}", f"{name} must not hold U+0000 or lone surrogates")
    if text and len(text) > max_characters:
        raise RejectedInput(f"invalid_{name}", f"{name} must not be longer than {max_characters} characters")
    return text or None


def _batch_id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise RejectedInput("invalid_batch_id", "batch_id must be 32 hexadecimal digits") from error
