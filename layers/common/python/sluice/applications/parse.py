"""What administrators ask for, from JSON: each function raises RejectedInput ``invalid_<member>``."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sluice.applications.model import APPLICATION_NAME, LARGEST_LIMITS, ApplicationChange, Scope, Status
from sluice.entries.timestamps import timestamp_from_text
from sluice.errors import RejectedInput

MAX_OVERLAP_SECONDS = 365 * 86_400
MAX_DESCRIPTION_CHARACTERS = 200
_OVERLAP_SECONDS = 86_400


def refuse_others(members: Mapping[str, Any], *known: str) -> None:
    """Raises ``unknown_field`` for a member that means nothing here: a slip must not look like work done."""
    if others := members.keys() - {"action", *known}:
        named = ", ".join(sorted(repr(str(name)[:50]) for name in others))
        raise RejectedInput("unknown_field", f"there is no field {named} here, but {', '.join(known)}")


def read_text(members: Mapping[str, Any], name: str) -> str:
    """The text that identifies something."""
    value = members.get(name)
    if not isinstance(value, str) or not value or "\x00" in value or not value.isprintable():
        raise RejectedInput(f"invalid_{name}", f"{name} must be text")
    return value


def read_name(members: Mapping[str, Any]) -> str:
    """The name of an application to be."""
    name = members.get("name")
    if not isinstance(name, str) or not APPLICATION_NAME.fullmatch(name):
        detail = "a name has 1 to 63 of a-z, 0-9, '.', '_' and '-', and begins and ends with a letter or digit"
        raise RejectedInput("invalid_name", detail)
    return name


def read_change(members: Mapping[str, Any]) -> ApplicationChange:
    """What is to be changed of an application. Raises ``empty_change``, too."""
    change = ApplicationChange(
        name=read_name(members) if "name" in members else None,
        status=_status(members["status"]) if "status" in members else None,
        limits=_limits(members["limits"]) if "limits" in members else {},
    )
    if change == ApplicationChange():
        raise RejectedInput("empty_change", "give name, status or limits")
    return change


def read_scopes(members: Mapping[str, Any]) -> list[str]:
    """The scopes of a new key, sorted; by default it may only ingest."""
    value = members.get("scopes", [Scope.INGEST])
    known = [scope.value for scope in Scope]
    if not isinstance(value, list) or not value or any(scope not in known for scope in value):
        raise RejectedInput("invalid_scopes", f"scopes must be a list of {', '.join(known)}")
    return sorted(set(map(str, value)))


def read_expiry(members: Mapping[str, Any], now: datetime) -> datetime | None:
    """When a new key expires; None: never."""
    value = members.get("expires_at")
    if value is None:
        return None
    try:
        expires_at = timestamp_from_text(value)
    except (AttributeError, ValueError, OverflowError) as error:
        raise RejectedInput("invalid_expires_at", "expires_at must be an RFC 3339 time") from error
    if expires_at <= now:
        raise RejectedInput("invalid_expires_at", "expires_at must lie in the future")
    return expires_at


def read_description(members: Mapping[str, Any]) -> str | None:
    """What a key is for, in its owner's words."""
    value = members.get("description")
    if value is None:
        return None
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= MAX_DESCRIPTION_CHARACTERS:
        detail = f"description must be one line of 1 to {MAX_DESCRIPTION_CHARACTERS} characters"
        raise RejectedInput("invalid_description", detail)
    return value


def read_overlap(members: Mapping[str, Any]) -> timedelta:
    """How long a rotated key stays good beside its successor: ``overlap_seconds``, by default a day."""
    value = members.get("overlap_seconds", _OVERLAP_SECONDS)
    if type(value) is not int or not 0 <= value <= MAX_OVERLAP_SECONDS:
        detail = f"overlap_seconds must be a whole number from 0 to {MAX_OVERLAP_SECONDS}"
        raise RejectedInput("invalid_overlap_seconds", detail)
    return timedelta(seconds=value)


def _status(value: Any) -> Status:
    if value not in list(Status):
        raise RejectedInput("invalid_status", f"status must be {' or '.join(Status)}")
    return Status(value)


def _limits(value: Any) -> dict[str, int | None]:
    if not isinstance(value, dict) or not value.keys() <= LARGEST_LIMITS.keys():
        raise RejectedInput("invalid_limits", f"limits must be an object of {', '.join(LARGEST_LIMITS)}")
    for name, limit in value.items():
        if limit is not None and (type(limit) is not int or not 1 <= limit <= LARGEST_LIMITS[name]):
            largest = LARGEST_LIMITS[name]
            detail = f"{name} must be a whole number from 1 to {largest}, or null for the deployment's default"
            raise RejectedInput("invalid_limits", detail)
    return dict(value)
