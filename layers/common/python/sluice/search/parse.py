"""From a URL's parameters to a query."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sluice.entries.levels import level_from_text
from sluice.entries.model import Level
from sluice.entries.normalise import storable_text
from sluice.entries.timestamps import timestamp_from_text
from sluice.errors import RejectedInput
from sluice.search.model import DEFAULT_LIMIT, MAX_LIMIT, Cursor, LogQuery

PARAMETERS = ("since", "until", "application", "level", "text", "batch_id", "limit", "cursor")


def parse_query(parameters: Mapping[str, str], application_id: int | None) -> LogQuery:
    """The query that ``parameters`` describe. Raises RejectedInput naming the parameter: ``unknown_parameter``,
    ``invalid_since``, ``invalid_until``, ``invalid_level``, ``invalid_text``, ``invalid_batch_id``, ``invalid_limit``,
    ``invalid_cursor``."""
    for name in parameters:
        if name not in PARAMETERS:
            raise RejectedInput("unknown_parameter", f"{name!r} is none of {', '.join(PARAMETERS)}")
    return LogQuery(
        application_id=application_id,
        since=_moment("since", parameters),
        until=_moment("until", parameters),
        levels=tuple(_level(word) for word in parameters.get("level", "").split(",") if word.strip()),
        text=_text(parameters.get("text")),
        batch_id=_batch_id(parameters.get("batch_id")),
        cursor=Cursor.from_text(parameters["cursor"]) if parameters.get("cursor") else None,
        limit=_limit(parameters.get("limit")),
    )


def _moment(name: str, parameters: Mapping[str, str]) -> datetime | None:
    text = parameters.get(name)
    if not text:
        return None
    try:
        # A "+" in a query string arrives as a blank when the client did not encode it.
        return timestamp_from_text(text.replace(" ", "+") if text.count(":") > 2 else text)
    except (ValueError, OverflowError) as error:
        raise RejectedInput(f"invalid_{name}", f"{name} must be an RFC 3339 time or an epoch number") from error


def _level(word: str) -> Level:
    level = level_from_text(word)
    if level is None:
        raise RejectedInput("invalid_level", f"{word!r} is no level: use {', '.join(level.name for level in Level)}")
    return level


def _text(text: str | None) -> str | None:
    if text and storable_text(text)[1]:
        raise RejectedInput("invalid_text", "text must not hold U+0000 or lone surrogates")
    return text or None


def _batch_id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise RejectedInput("invalid_batch_id", "batch_id must be 32 hexadecimal digits") from error


def _limit(text: str | None) -> int:
    if not text:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_LIMIT and len(text) < 9):
        raise RejectedInput("invalid_limit", f"limit must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)
