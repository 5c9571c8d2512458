"""Conditions as SQL. Whatever a client wrote is a value, never SQL, and never a pattern: its metacharacters are
escaped."""

import re
from collections.abc import Iterator
from typing import Any

from sluice.search.model import (
    METADATA,
    AllOf,
    AnyOf,
    Condition,
    Field,
    Filters,
    Has,
    Levels,
    Not,
    OfTemplate,
    Text,
    Visible,
)

type Sql = tuple[str, list[Any]]  # with placeholders, and their values

_METACHARACTER = re.compile(r"[][\\^$.|?*+(){}]")
# Its own query for the templates: once per statement, not once per row.
_FAMILY = "(SELECT template_family(%s))::int[]"
_OF_TEMPLATE = f"""coalesce(template_id = ANY ({_FAMILY}), template_key IN (
    SELECT known.template_key FROM template_keys known WHERE known.template_id = ANY ({_FAMILY})), false)"""
_IS_WORD = re.compile(r"\w")


def filters_sql(filters: Filters, visible: Visible) -> Sql:
    """A condition on rows of log_entries that holds for the logs that ``filters`` let through, leaving their times,
    applications and batch to the caller."""
    parts = [condition_sql(filters.condition, visible)]
    if filters.text:
        parts.append(("message ILIKE %s", [f"%{_like(filters.text)}%"]))
    return _joined(" AND ", parts)


def condition_sql(condition: Condition, visible: Visible) -> Sql:
    """A condition on rows of log_entries that is true or false, never unknown."""
    match condition:
        case Text():
            return _text(condition)
        case Levels(lowest, highest):
            return "level BETWEEN %s AND %s", [int(lowest), int(highest)]
        case OfTemplate(template_id):
            return _OF_TEMPLATE, [template_id, template_id]
        case Has(name):
            return _has(name)
        case Field(name="application"):
            return "application_id = ANY (%s::int[])", [_application_ids(condition, visible)]
        case Field():
            return _field(condition)
        case Not(negated):
            sql, values = condition_sql(negated, visible)
            return f"NOT ({sql})", values
        case AllOf(conditions):
            return _joined(" AND ", [condition_sql(part, visible) for part in conditions])
        case AnyOf(conditions):
            return _joined(" OR ", [condition_sql(part, visible) for part in conditions])


def _joined(operator: str, parts: list[Sql]) -> Sql:
    return (
        operator.join(f"({sql})" for sql, _ in parts) or "true",
        [value for _, values in parts for value in values],
    )


def _text(text: Text) -> Sql:
    """Whether it is there at all is asked first, in a third of the time; Postgres would ask last. No letter beyond
    ASCII is another case of one within, whatever the database's locale, which would take longer to ask."""
    pattern = "message ~* %s", [_pattern(text)]
    if not text.text.isascii():
        return pattern
    return f'CASE WHEN strpos(lower(message COLLATE "C"), %s) > 0 THEN {pattern[0]} ELSE false END', [
        text.text.lower(),
        *pattern[1],
    ]


def _application_ids(field: Field, visible: Visible) -> list[int]:
    return [
        application_id
        for application_id, name in visible.names.items()
        if name == field.value or (field.is_prefix and name.startswith(field.value))
    ]


def _has(name: str) -> Sql:
    if not name.startswith(METADATA):
        return ("true" if name == "application" else f"{name} IS NOT NULL"), []
    paths = list(_paths(name))
    return _joined(" OR ", [("metadata #> %s IS NOT NULL", [path]) for path in paths])


def metadata_text(name: str) -> Sql:
    """What metadata hold under a dotted name, as text; null if there is nothing."""
    paths = list(_paths(name))
    return f"coalesce({', '.join(['metadata #>> %s'] * len(paths))})", paths


def _field(field: Field) -> Sql:
    column, values = metadata_text(field.name) if field.name.startswith(METADATA) else (field.name, [])
    if field.is_prefix:
        return f"coalesce({column} LIKE %s, false)", [*values, f"{_like(field.value)}%"]
    return f"coalesce({column} = %s, false)", [*values, field.value]


def _paths(name: str) -> Iterator[list[str]]:
    """Where a dotted name may lead: to the key that reads so, or step by step into objects."""
    key = name.removeprefix(METADATA)
    yield [key]
    if "." in key:
        yield key.split(".")


def _pattern(text: Text) -> str:
    """A regular expression without choices to come back to, in which ``text`` stands for itself."""
    begins = "(?:^|[^[:alnum:]_])" if _IS_WORD.match(text.text[0]) else ""
    ends = "(?:$|[^[:alnum:]_])" if _IS_WORD.match(text.text[-1]) and not text.is_prefix else ""
    return "***:" + begins + _METACHARACTER.sub(r"\\\g<0>", text.text) + ends


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
