"""The query language as data: one definition for whoever completes, colours or explains it."""

from typing import Any

from sluice.search.language import ALIASES, LEVEL_NAMES, MAX_CHARACTERS, MAX_DEPTH, MAX_TERMS
from sluice.search.model import FIELDS, METADATA

_MEANINGS = {
    "level": "How severe, also compared: level:>=warning",
    "template": "Its message is of this template, by its id: template:17",
    "application": "Which application sent it",
    "trace_id": "Of a distributed trace",
    "span_id": "Of the span in it",
    "session_id": "Of a user's session",
    "logger": "Name of the logger",
    "host": "Where it was written",
    "service": "Which program wrote it",
    "version": "Which release of it",
    METADATA: "A key of the metadata, e.g. metadata.user_id:42; dots lead into objects",
    "has": "That a field is there: has:metadata.user_id",
}
_OPERATORS = (
    ("refused", "The word in the message, in any case"),
    ("refus*", "Words that begin so"),
    ('"connection refused"', "The phrase, word for word"),
    ("-healthcheck", "Not; before a word, a phrase, a field or a parenthesis"),
    ("NOT healthcheck", "The same"),
    ("timeout OR refused", "Either; terms beside each other must all fit"),
    ("(timeout OR refused) level:error", "Parentheses group"),
    ("service:checkout", "The field has exactly this value"),
    ('service:"my shop"', "Values with blanks, colons or parentheses stand in quotes"),
    ("host:web-*", "The value begins so"),
    ("level:>=warning", "Levels compare: <, <=, >, >="),
    ("template:17", "Messages that differ from each other in values only; ids are in GET /api/templates"),
    ("has:trace", "The field is there"),
)


def language_document() -> dict[str, Any]:
    """Fields with their other names and fixed values, operators with their meaning, and limits."""
    names: dict[str, list[str]] = {}
    for alias, name in ALIASES.items():
        names.setdefault(name, []).append(alias)
    fields = [
        {
            "name": name,
            "aliases": names.get(name, []),
            "meaning": _MEANINGS[name],
            "values": list(LEVEL_NAMES) if name == "level" else [],
        }
        for name in ("level", "template", *FIELDS, METADATA, "has")
    ]
    return {
        "fields": fields,
        "keywords": ["AND", "OR", "NOT"],
        "operators": [{"example": example, "meaning": meaning} for example, meaning in _OPERATORS],
        "limits": {"characters": MAX_CHARACTERS, "terms": MAX_TERMS, "depth": MAX_DEPTH},
    }
