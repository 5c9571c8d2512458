"""Rules from JSON and to JSON: the members of a rule are those of Spec, with ``per`` in place of ``per_seconds``, and
name, severity, labels and enabled."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sluice.alerts.model import BASELINES, Kind, Severity, Spec
from sluice.applications.parse import refuse_others
from sluice.entries.model import OPTIONAL_FIELDS
from sluice.entries.normalise import storable_text
from sluice.errors import RejectedInput
from sluice.search.language import parse_condition
from sluice.search.model import METADATA

MAX_NAME_CHARACTERS = 100
MAX_LABELS, MAX_LABEL_CHARACTERS = 20, 200
MAX_GROUP_FIELDS = 3
DAY_SECONDS = 86_400
MAX_WINDOW_SECONDS, MAX_FOR_SECONDS, MAX_BASELINE_SECONDS = 7 * DAY_SECONDS, DAY_SECONDS, 7 * DAY_SECONDS
MAX_NUMBER = 1e15
GROUPINGS = ("level", "template", *OPTIONAL_FIELDS)  # and METADATA with a key
PER = {"second": 1, "minute": 60, "hour": 3_600}
DIRECTIONS = ("above", "below", "both")
_SHARED = ("kind", "query", "window_seconds", "for_seconds")
_LIMITS = ("above", "below", "resolve_above", "resolve_below")
MEMBERS: dict[Kind, tuple[str, ...]] = {
    Kind.THRESHOLD: (*_SHARED, "group_by", *_LIMITS, "per"),
    Kind.RATIO: (*_SHARED, "group_by", *_LIMITS, "of_query", "min_count"),
    Kind.ABSENCE: (*_SHARED, "group_by", "baseline_seconds", "steady"),
    Kind.NEW_TEMPLATE: (*_SHARED, "learning_seconds", "min_count"),
    Kind.RATE_CHANGE: (*_SHARED, "group_by", "direction", "factor", "against", "min_count"),
    Kind.ANOMALY: ("kind", "min_score"),
}
# The members that stand under another name in a Spec.
_RENAMED = {"steady": "is_steady"}
_WINDOWS = {Kind.ABSENCE: 1_800, Kind.NEW_TEMPLATE: 3_600, Kind.RATE_CHANGE: 300, Kind.RATIO: 300}
_MIN_COUNTS = {Kind.RATIO: 20, Kind.RATE_CHANGE: 20}
ALL_MEMBERS = tuple(dict.fromkeys(name for names in MEMBERS.values() for name in names))
ABOUT = ("name", "severity", "labels", "enabled")  # of a rule, besides what it says


@dataclass(frozen=True, slots=True)
class RuleForm:
    """A rule as somebody asked for it."""

    name: str
    spec: Spec
    severity: Severity = Severity.WARNING
    labels: Mapping[str, str] = field(default_factory=dict)
    is_enabled: bool = True


def read_rule(members: Mapping[str, Any], *others: str, needs_name: bool = True) -> RuleForm:
    """A rule from its members, null standing for none; ``others`` are the caller's. Raises RejectedInput
    ``unknown_field``, ``invalid_<member>`` (of a query: ``invalid_query``, with its position)."""
    members = {name: value for name, value in members.items() if value is not None}
    kind = _read_kind(members.get("kind", Kind.THRESHOLD))
    refuse_others(members, *ABOUT, *MEMBERS[kind], *others)
    return RuleForm(
        name=_read_name(members.get("name")) if needs_name or "name" in members else "",
        spec=read_spec({name: value for name, value in members.items() if name in MEMBERS[kind]}),
        severity=Severity(_choice("severity", members.get("severity", "warning"), Severity)),
        labels=_read_labels(members.get("labels", {})),
        is_enabled=_flag("enabled", members.get("enabled", True)),
    )


def read_spec(members: Mapping[str, Any]) -> Spec:
    """What a rule says, from the members of its kind."""
    kind = _read_kind(members.get("kind", Kind.THRESHOLD))
    spec = Spec(
        kind=kind,
        query=_read_query("query", members.get("query", "")),
        window_seconds=_read_window(members.get("window_seconds", _WINDOWS.get(kind, 60))),
        for_seconds=_whole("for_seconds", members.get("for_seconds", 0), 0, MAX_FOR_SECONDS),
        group_by=_read_group_by(members.get("group_by", [])),
        **{name: _number(name, members.get(name)) for name in _LIMITS},
        per_seconds=PER[_choice("per", members["per"], PER)] if members.get("per") is not None else None,
        of_query=_read_query("of_query", members.get("of_query", "")),
        min_count=_whole("min_count", members.get("min_count", _MIN_COUNTS.get(kind, 1)), 1, 10**12),
        baseline_seconds=_whole(
            "baseline_seconds", members.get("baseline_seconds", DAY_SECONDS), 60, MAX_BASELINE_SECONDS
        ),
        is_steady=_flag("steady", members.get("steady", False)),
        learning_seconds=_whole("learning_seconds", members.get("learning_seconds", DAY_SECONDS), 0, 30 * DAY_SECONDS),
        direction=_choice("direction", members.get("direction", "above"), DIRECTIONS),
        factor=_number("factor", members.get("factor", 2.0), least=1.0) or 1.0,
        against=_read_against(members.get("against", ["previous"])),
        min_score=_number("min_score", members.get("min_score", 0.5), most=1.0) or 0.0,
    )
    _check_limits(spec)
    _check_lengths(spec)
    return spec


def members_of(spec: Spec) -> dict[str, Any]:
    """The members that ``read_spec`` reads as ``spec``, all that its kind has."""
    values = asdict(spec)
    per = {seconds: name for name, seconds in PER.items()}.get(spec.per_seconds or 0)
    shown = {name: per if name == "per" else values[_RENAMED.get(name, name)] for name in MEMBERS[spec.kind]}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in shown.items()} | {
        "kind": spec.kind.value
    }


def _read_kind(value: Any) -> Kind:
    return Kind(_choice("kind", value, Kind))


def _choice(name: str, value: Any, words: Iterable[str]) -> str:
    known = [str(word) for word in words]
    if not isinstance(value, str) or value not in known:
        raise RejectedInput(f"invalid_{name}", f"{name} must be one of {', '.join(known)}")
    return value


def _read_name(value: Any) -> str:
    is_name = isinstance(value, str) and value.strip() == value and value.isprintable()
    if not is_name or not 1 <= len(value) <= MAX_NAME_CHARACTERS:
        detail = f"a name is one line of 1 to {MAX_NAME_CHARACTERS} characters"
        raise RejectedInput("invalid_name", detail)
    return str(value)


def _read_query(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise RejectedInput(f"invalid_{name}", f"{name} must be text in the query language")
    parse_condition(value)
    return value


def _read_window(value: Any) -> int:
    """Lengths that are whole steps, see Spec.step."""
    seconds = _whole("window_seconds", value, 1, MAX_WINDOW_SECONDS)
    if (seconds > 60 and seconds % 60) or (seconds > 3_600 and seconds % 3_600):
        detail = "window_seconds must be up to 60, whole minutes up to an hour, or whole hours up to 7 days"
        raise RejectedInput("invalid_window_seconds", detail)
    return seconds


def _whole(name: str, value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise RejectedInput(f"invalid_{name}", f"{name} must be a whole number from {least} to {most}")
    return value


def _number(name: str, value: Any, *, least: float = 0.0, most: float = MAX_NUMBER) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not math.isfinite(value) or not least <= value <= most:
        raise RejectedInput(f"invalid_{name}", f"{name} must be a number from {least:g} to {most:g}")
    return float(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise RejectedInput(f"invalid_{name}", f"{name} must be true or false")
    return value


def _read_group_by(value: Any) -> tuple[str, ...]:
    def is_field(name: Any) -> bool:
        if not isinstance(name, str) or storable_text(name)[1] or len(name) > MAX_LABEL_CHARACTERS:
            return False
        return name in GROUPINGS or (name.startswith(METADATA) and len(name) > len(METADATA))

    if not isinstance(value, list) or len(value) > MAX_GROUP_FIELDS or not all(map(is_field, value)):
        detail = f"group_by must list at most {MAX_GROUP_FIELDS} of {', '.join(GROUPINGS)}, {METADATA}KEY"
        raise RejectedInput("invalid_group_by", detail)
    return tuple(dict.fromkeys(value))


def _read_against(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or any(name not in list(BASELINES) for name in value):
        raise RejectedInput("invalid_against", f"against must list some of {', '.join(BASELINES)}")
    return tuple(dict.fromkeys(map(str, value)))


def _read_labels(value: Any) -> dict[str, str]:
    def is_text(text: Any) -> bool:
        return isinstance(text, str) and text.isprintable() and 1 <= len(text) <= MAX_LABEL_CHARACTERS

    if (
        not isinstance(value, dict)
        or len(value) > MAX_LABELS
        or not all(is_text(name) and is_text(text) for name, text in value.items())
    ):
        detail = f"labels must be at most {MAX_LABELS} names with text, of 1 to {MAX_LABEL_CHARACTERS} characters"
        raise RejectedInput("invalid_labels", detail)
    return dict(value)


def _check_limits(spec: Spec) -> None:
    """One limit, and where it resolves on the good side of it."""
    if spec.kind not in (Kind.THRESHOLD, Kind.RATIO):
        return
    if (spec.above is None) == (spec.below is None):
        raise RejectedInput("invalid_above", "give either above or below: where the rule fires")
    if spec.kind is Kind.RATIO and (spec.above or spec.below or 0.0) > 1:
        name = "above" if spec.below is None else "below"
        raise RejectedInput(f"invalid_{name}", f"{name} must be a share from 0 to 1")
    if spec.resolve_below is not None and (spec.above is None or spec.resolve_below > spec.above):
        raise RejectedInput("invalid_resolve_below", "resolve_below goes with above, and is not higher")
    if spec.resolve_above is not None and (spec.below is None or spec.resolve_above < spec.below):
        raise RejectedInput("invalid_resolve_above", "resolve_above goes with below, and is not lower")


def _check_lengths(spec: Spec) -> None:
    if spec.kind is Kind.ABSENCE and spec.baseline_seconds < spec.window_seconds:
        raise RejectedInput("invalid_baseline_seconds", "baseline_seconds must not be shorter than window_seconds")
    shifts = [shift for shift in (BASELINES[name] for name in spec.against) if shift]
    if spec.kind is Kind.RATE_CHANGE and any(shift % spec.step for shift in shifts):
        raise RejectedInput("invalid_against", "windows of this length do not begin at the same times each day")
