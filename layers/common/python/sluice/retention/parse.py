"""From an administrator's words to retention classes and rules."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.entries.model import Level
from sluice.errors import RejectedInput

MAX_DAYS = 36_500
CLASS_MEMBERS = ("hot_days", "is_archived", "archive_days")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LEVELS = {level.name.lower(): level for level in Level}


@dataclass(frozen=True, slots=True)
class ClassChange:
    """What is to be different; what is not in ``values`` stays. By name: hot_days, is_archived, archive_days."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RetentionChange:
    """Another class of an application, or None; and classes by level, None for the application's own again."""

    retention_class: str | None
    levels: Mapping[Level, str | None]


def read_class_name(event: Mapping[str, Any], name: str = "name") -> str:
    """The name of a class. Raises RejectedInput ``invalid_<name>``."""
    value = event.get(name)
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        detail = "lower-case letters, digits and hyphens, at most 40, starting with a letter"
        raise RejectedInput(f"invalid_{name}", f"{name} must be the name of a retention class: {detail}")
    return value


def read_class_change(event: Mapping[str, Any]) -> ClassChange:
    """``hot_days`` in the log table, ``is_archived``, and ``archive_days``, counted from receipt on; null keeps for
    ever. Raises RejectedInput ``invalid_hot_days``, ``invalid_is_archived``, ``invalid_archive_days``."""
    values: dict[str, Any] = {}
    if "hot_days" in event:
        values["hot_days"] = _days(event, "hot_days")
    if "archive_days" in event:
        values["archive_days"] = None if event["archive_days"] is None else _days(event, "archive_days")
    if "is_archived" in event:
        if not isinstance(event["is_archived"], bool):
            raise RejectedInput("invalid_is_archived", "is_archived must be true or false")
        values["is_archived"] = event["is_archived"]
    return ClassChange(values)


def read_retention_change(event: Mapping[str, Any]) -> RetentionChange:
    """``retention_class`` for all levels without one of their own, and ``levels``: names of classes by level. Raises
    RejectedInput ``invalid_retention_class``, ``invalid_levels``."""
    own = read_class_name(event, "retention_class") if event.get("retention_class") is not None else None
    levels = event.get("levels", {})
    if not isinstance(levels, dict) or not all(
        isinstance(name, str) and name.lower() in _LEVELS and (value is None or isinstance(value, str))
        for name, value in levels.items()
    ):
        detail = "levels must be an object with names of retention classes, or null, by level"
        raise RejectedInput("invalid_levels", f"{detail}: {', '.join(_LEVELS)}")
    return RetentionChange(own, {_LEVELS[name.lower()]: value for name, value in levels.items()})


def _days(event: Mapping[str, Any], name: str) -> int:
    value = event[name]
    if type(value) is not int or not 1 <= value <= MAX_DAYS:
        raise RejectedInput(f"invalid_{name}", f"{name} must be a whole number from 1 to {MAX_DAYS}")
    return value
