"""From a request's members to what a person wants of a template."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.errors import RejectedInput

MAX_NAME_CHARACTERS = 200
EDITS = ("name", "ignored", "merged_into", "split")


@dataclass(frozen=True, slots=True)
class TemplateEdit:
    """New values of the columns name, is_ignored, merged_into and is_split; those that are not in it stay."""

    values: Mapping[str, Any]


def read_template_edit(members: Mapping[str, Any]) -> TemplateEdit:
    """From ``name`` (text, or null for none), ``ignored``, ``merged_into`` (an id, or null to part from it again) and
    ``split`` (whether it is kept apart from what the miner makes of it). Raises RejectedInput ``empty_change`` and
    ``invalid_<name>``."""
    values: dict[str, Any] = {}
    if "name" in members:
        values["name"] = _name(members["name"])
    if "ignored" in members:
        values["is_ignored"] = _flag("ignored", members)
    if "split" in members:
        values["is_split"] = _flag("split", members)
    if "merged_into" in members:
        target = members["merged_into"]
        if target is not None and (type(target) is not int or not 0 < target < 2**31):
            raise RejectedInput("invalid_merged_into", "merged_into must be the id of a template, or null")
        values["merged_into"] = target
    if not values:
        raise RejectedInput("empty_change", f"name at least one of {', '.join(EDITS)}")
    return TemplateEdit(values)


def _flag(name: str, members: Mapping[str, Any]) -> bool:
    if type(members[name]) is not bool:
        raise RejectedInput(f"invalid_{name}", f"{name} must be true or false")
    return bool(members[name])


def _name(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value.strip()) <= MAX_NAME_CHARACTERS:
        raise RejectedInput("invalid_name", f"name must be 1 to {MAX_NAME_CHARACTERS} printable characters, or null")
    return value.strip()
