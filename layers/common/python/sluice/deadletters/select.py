"""From an operator's words to a selection of dead letters."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sluice.deadletters.model import Selection, Status
from sluice.entries.timestamps import timestamp_from_text
from sluice.errors import RejectedInput

_CONDITIONS = ("ids", "application", "reason", "since", "until")


def read_selection(members: Mapping[str, Any], *, must_be_explicit: bool = False) -> Selection:
    """The selection that ``ids``, ``application``, ``reason``, ``since``, ``until`` and ``status`` describe.

    Raises RejectedInput ``invalid_<member>``; and ``empty_selection`` if it ``must_be_explicit``, names no condition
    and does not say ``"all": true``: nobody drops everything by leaving something out.
    """
    if must_be_explicit and members.get("all") is not True and all(members.get(name) is None for name in _CONDITIONS):
        raise RejectedInput("empty_selection", f"name at least one of {', '.join(_CONDITIONS)}, or say all: true")
    return Selection(
        ids=_ids(members.get("ids")),
        application=_text("application", members),
        reason=_text("reason", members),
        since=_moment("since", members),
        until=_moment("until", members),
        status=_status(members.get("status")),
    )


def _ids(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not value or any(type(item) is not int or not 0 < item < 2**63 for item in value):
        raise RejectedInput("invalid_ids", "ids must be a list of ids of dead letters")
    return tuple(value)


def _text(name: str, members: Mapping[str, Any]) -> str | None:
    value = members.get(name)
    if value is not None and (not isinstance(value, str) or not value.isprintable()):
        raise RejectedInput(f"invalid_{name}", f"{name} must be text")
    return value


def _moment(name: str, members: Mapping[str, Any]) -> datetime | None:
    value = _text(name, members)
    try:
        return None if value is None else timestamp_from_text(value)
    except (ValueError, OverflowError) as error:
        raise RejectedInput(f"invalid_{name}", f"{name} must be an RFC 3339 time") from error


def _status(value: Any) -> Status:
    try:
        return Status.OPEN if value is None else Status(value)
    except ValueError as error:
        raise RejectedInput("invalid_status", f"status must be one of {', '.join(Status)}") from error
