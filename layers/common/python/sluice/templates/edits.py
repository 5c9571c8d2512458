"""From a request's members to what a person wants of a template."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.errors import RejectedInput

MAX_NAME_CHARACTERS = 200
EDITS = ("name", "ignored", "merged_into")


@dataclass(frozen=True, slots=True)
class TemplateEdit:
    """New values of the columns name, is_ignored and merged_into; those that are not in it stay."""

    values: Mapping[str, Any]


def read_template_edit(members: Mapping[str, Any]) -> TemplateEdit:
    """From ``name`` (text, or null for none), ``ignored`` and ``merged_into`` (an id, or null to part from it again).
    Raises RejectedInput ``empty_change`` and ``invalid_<name>``."""
    values: dict[str, Any] = {}
    if "name" in members:
        values["name"] = _name(members["name"])
    if "ignored" in members:
        if type(members["ignored"]) is not bool:
            raise RejectedInput("invalid_ignored", "ignored must be true or false")
        values["is_ignored"] = members["ignored"]
    if "merged_into" in members:
        target = members["merged_into"]
        if target is not None and (type(target) is not int or not 0 < target < 2**31):
            raise RejectedInput("invalid_merged_into", "merged_into must be the id of a template, or null")
        values["merged_into"] = target
    if not values:
        raise RejectedInput("empty_change", f"name at least one of {', '.join(EDITS)}")
    return TemplateEdit(values)


def _name(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value.strip()) <= MAX_NAME_CHARACTERS:
        raise RejectedInput("invalid_name", f"name must be 1 to {MAX_NAME_CHARACTERS} printable characters, or null")
    return value.strip()
