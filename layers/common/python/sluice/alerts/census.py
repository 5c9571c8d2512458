"""Which queries the census of templates answers, and how: without reading a row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sluice.alerts.model import Group
from sluice.entries.model import Level
from sluice.search.model import AllOf, AnyOf, Condition, Levels, Not, OfTemplate

_CELL_FIELDS = ("level", "template")


@dataclass(frozen=True, slots=True)
class Cell:
    """What logs have in common that the census counts together. ``template_id`` is what it was merged into by now; 0
    while it is not known."""

    level: int
    template_id: int = 0


def is_in_census(condition: Condition, group_by: Sequence[str], step: timedelta) -> bool:
    """Whether level and template of a log decide, to the minute."""
    return step % timedelta(minutes=1) == timedelta(0) and set(group_by) <= set(_CELL_FIELDS) and _decides(condition)


def needs_templates(condition: Condition, group_by: Sequence[str]) -> bool:
    """Whether levels alone do not decide."""
    return "template" in group_by or _has_template(condition)


def matches(condition: Condition, cell: Cell, root: Callable[[int], int]) -> bool:
    """Whether logs of the cell match. ``root`` tells what a template was merged into."""
    match condition:
        case Levels(lowest, highest):
            return lowest <= cell.level <= highest
        case OfTemplate(template_id):
            return cell.template_id != 0 and cell.template_id == root(template_id)
        case Not(negated):
            return not matches(negated, cell, root)
        case AllOf(conditions):
            return all(matches(part, cell, root) for part in conditions)
        case AnyOf(conditions):
            return any(matches(part, cell, root) for part in conditions)
    raise ValueError(condition)


def group_of_cell(group_by: Sequence[str], cell: Cell) -> Group:
    """The cell's values of these fields."""
    values = {"level": Level(cell.level).name.lower(), "template": str(cell.template_id) if cell.template_id else ""}
    return tuple(values[name] for name in group_by)


def _decides(condition: Condition) -> bool:
    match condition:
        case Levels() | OfTemplate():
            return True
        case Not(negated):
            return _decides(negated)
        case AllOf(conditions) | AnyOf(conditions):
            return all(map(_decides, conditions))
    return False


def _has_template(condition: Condition) -> bool:
    match condition:
        case OfTemplate():
            return True
        case Not(negated):
            return _has_template(negated)
        case AllOf(conditions) | AnyOf(conditions):
            return any(map(_has_template, conditions))
    return False
