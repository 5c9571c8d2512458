"""What is said to people about an incident."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sluice.alerts.model import Group, Kind, Observation, Rule, Spec

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def title(rule: Rule, group: Group, text: str | None = None) -> str:
    """One line: the rule's name, and what of it. ``text`` is of the group's template, where that is what is new."""
    if rule.spec.kind is Kind.NEW_TEMPLATE:
        return f"{rule.name}: {_short(text or f'template {group[0]}', 120)}"
    named = ", ".join(f"{field}={_short(value or '(none)', 60)}" for field, value in group_of(rule.spec, group).items())
    return f"{rule.name} ({named})" if named else rule.name


def sentence(rule: Rule, seen: Observation, *, is_good: bool) -> str:
    """What was seen, in which window, and what it was held against."""
    until = seen.at.astimezone(UTC)
    since = until - rule.spec.window
    return f"{rule.application}: {_finding(rule.spec, seen, is_good=is_good)}, {_span(since, until)}."


def length(seconds: int) -> str:
    """A length of time: ``90`` is "90 seconds", ``3600`` "an hour"."""
    for unit, size in _UNITS:
        if seconds % size == 0 and seconds >= size:
            count = seconds // size
            article = "an" if unit == "hour" else "a"
            return f"{article} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{seconds} seconds"


def group_of(spec: Spec, group: Group) -> Mapping[str, str]:
    """The values of a group by field."""
    fields = ("template",) if spec.kind is Kind.NEW_TEMPLATE else spec.group_by
    return dict(zip(fields, group, strict=True))


def _finding(spec: Spec, seen: Observation, *, is_good: bool) -> str:
    matching = f" matching {spec.query}" if spec.query.strip() else ""
    value, limit = number(seen.value), number(seen.limit)
    match spec.kind:
        case Kind.ABSENCE:
            if is_good:
                return f"logs{matching} again ({value})"
            return f"no log{matching} for {length(spec.window_seconds)}, where some always came"
        case Kind.NEW_TEMPLATE:
            return "no longer new" if is_good else f"a message never seen before, {value} times"
        case Kind.RATE_CHANGE:
            return f"{value} logs{matching} in {length(spec.window_seconds)}; {limit} at the time compared with"
        case Kind.RATIO:
            whole = f" of {spec.of_query}" if spec.of_query.strip() else " of all logs"
            share = "too few logs to tell the share" if seen.value is None else f"{seen.value:.2%}"
            return f"{share}{whole}{matching and f' are{matching}'}; the limit is {seen.limit or 0:.2%}"
        case _:
            per = f" per {length(spec.per_seconds).split()[-1]}" if spec.per_seconds else ""
            word = "at most" if spec.above is not None else "at least"
            return f"{value} logs{per}{matching} in {length(spec.window_seconds)}; the limit is {word} {limit}"


def number(value: float | None) -> str:
    """With thousands apart, and no more digits than say something."""
    if value is None:
        return "none"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3g}"


def _span(since: datetime, until: datetime) -> str:
    form = "%H:%M" if until.second == since.second == 0 else "%H:%M:%S"
    return f"{since:%Y-%m-%d {form}}–{until:{form}} UTC"


def _short(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"
