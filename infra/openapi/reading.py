"""The routes that read logs."""

from typing import Any

from openapi.parts import OPEN, READING, operation, path, query
from openapi.responses import answers
from openapi.shapes import COUNT, TIME, Json, array, integer, members, or_null, schema, text, words
from sluice.entries.model import Level
from sluice.search.counts import DEFAULT_BUCKETS, DEFAULT_VALUES, FACETS, GROUPINGS, MAX_BUCKETS, MAX_VALUES
from sluice.search.language import MAX_CHARACTERS
from sluice.search.model import (
    DEFAULT_CONTEXT,
    DEFAULT_LIMIT,
    DOCUMENT_FIELDS,
    MAX_CONTEXT,
    MAX_EXPORT_LIMIT,
    MAX_LIMIT,
    METADATA,
)
from sluice.tail.model import MAX_LIMIT as MAX_TAIL_LIMIT
from sluice.tail.model import MAX_WAIT_SECONDS

_TIME = "RFC 3339, an epoch number, or a span before now: `-15m`, `-2h30m`, `-7d`."
_METADATA = {
    "type": "object",
    "patternProperties": {r"^metadata\..+$": text()},
    "additionalProperties": False,
}
_METADATA_KEY = text(pattern=r"^metadata\..+$")
FILTERS = [
    query(
        "q",
        "What to look for, see `GET /api/query-language`.",
        text(maxLength=MAX_CHARACTERS),
        example='level:>=warning "payment failed" -healthcheck',
    ),
    query("since", f"Inclusive. {_TIME}", text(), example="-15m"),
    query("until", f"Exclusive. {_TIME}", text()),
    query("application", "Names of applications that the key sees, separated by commas.", text()),
    query("level", "One or several, separated by commas.", text(), example="error,critical"),
    query("trace_id", "Of a distributed trace.", text()),
    query("session_id", "Of a user's session.", text()),
    query("template", "Ids of templates, separated by commas.", text(pattern=r"^[0-9]+(,[0-9]+)*$"), example="17"),
    query("batch_id", "Of one request.", text(format="uuid")),
    query("text", "Part of the message, in any case, also within words.", text(), example="payment"),
    query(
        "metadata",
        "`metadata.KEY=VALUE`: what metadata hold under a key; dots lead into objects.",
        _METADATA,
        style="form",
        explode=True,
    ),
]
_PAGING = [
    query(
        "fields",
        "Which fields to give, separated by commas: any of a log's, or `metadata.KEY`.",
        text(),
        example="timestamp,level,message",
    ),
    query(
        "limit",
        f"At most this many, up to {MAX_LIMIT:,}, or {MAX_EXPORT_LIMIT:,} (the default there) as ndjson "
        "or csv. An answer ends at 4 MB, too.",
        integer(minimum=1, maximum=MAX_EXPORT_LIMIT, default=DEFAULT_LIMIT),
    ),
    query("order", "Newest or oldest first.", words(["desc", "asc"], default="desc")),
    query("cursor", "`next_cursor` or `previous_cursor` of another page; all else stays the same.", text()),
    query("format", "Of the answer.", words(["json", "ndjson", "csv"], default="json")),
]
_PARTIAL = {
    "partial": {"type": "boolean", "description": "The budget was used up: older logs are not counted."},
    "complete_since": or_null(
        text(format="date-time", description="From here on all is counted; null: everything is.")
    ),
}


_TEMPLATE = members(
    {
        "id": integer(minimum=1),
        "text": text(),
        "name": or_null(text()),
        "values": array(text(), description="What the message has for each `<*>`; empty if it is not of this text."),
    },
    description="Of the log, as it is by now; null until it has one.",
)


def reading() -> dict[str, Json]:
    """All routes that read logs."""
    log = _read(
        "showLog",
        "Read one log, and those around it",
        members(
            {
                "log": schema("StoredLog"),
                "before": array(schema("StoredLog")),
                "after": array(schema("StoredLog")),
                "template": or_null(_TEMPLATE),
            }
        ),
        [
            query(
                side,
                f"How many of the logs {side} it in its application.",
                integer(minimum=0, maximum=MAX_CONTEXT, default=DEFAULT_CONTEXT),
            )
            for side in ("before", "after")
        ],
        404,
    )
    language = operation(
        "logs",
        "queryLanguage",
        "What can be written in q",
        answers(200, "Fields, operators and limits.", schema("QueryLanguage")),
        security=OPEN,
    )
    return {
        "/api/logs": {"get": _search()},
        "/api/logs/{id}": {"parameters": [path("id", "Of the log.", text())], "get": log},
        "/api/histogram": {
            "get": _read("histogram", "Count logs over time", schema("Histogram"), [*FILTERS, *_HISTOGRAM])
        },
        "/api/facets": {
            "get": _read("facets", "Find the top values of a field", schema("Facet"), [*FILTERS, *_FACETS])
        },
        "/api/stats": {"get": _read("stats", "Count logs", schema("Stats"), FILTERS)},
        "/api/query-language": {"get": language},
        "/api/tail": {"get": _tail()},
    }


_HISTOGRAM = [
    query("by", "What to tell apart.", words(GROUPINGS, default="level")),
    query("buckets", "About how many intervals.", integer(minimum=1, maximum=MAX_BUCKETS, default=DEFAULT_BUCKETS)),
]
_FACETS = [
    query(
        "field",
        "`metadata` for the keys that there are.",
        {"anyOf": [words(FACETS), _METADATA_KEY]},
        required=True,
        example="service",
    ),
    query("limit", "How many values.", integer(minimum=1, maximum=MAX_VALUES, default=DEFAULT_VALUES)),
]


def _read(name: str, summary: str, answer: Json, parameters: list[Json], *others: int) -> Json:
    return operation(
        "logs", name, summary, answers(200, "Found.", answer, 400, *READING, *others), parameters=parameters
    )


def _search() -> Json:
    found = answers(200, "A page.", schema("Page"), 400, *READING)
    lines = {"schema": text(description="A log a line.")}
    found["200"]["content"] |= {
        "application/x-ndjson": lines,
        "text/csv": {"schema": text(description="Names, and a log a line (RFC 4180).")},
    }
    found["200"]["headers"] = {
        "Link": {"description": 'The next page (`rel="next"`), as ndjson or csv.', "schema": text()},
        "Sluice-Next-Cursor": {"description": "Its cursor.", "schema": text()},
        "Sluice-Partial": {
            "description": "The budget was used up before the page was full.",
            "schema": words(["true"]),
        },
    }
    return operation(
        "logs",
        "searchLogs",
        "Read logs",
        found,
        description="A page is `partial` where the budget was used up before it was full: go on with its next_cursor.",
        parameters=[*FILTERS, *_PAGING],
    )


def _tail() -> Json:
    parameters = [
        query("cursor", "Of the answer before. Without one, the tail begins now: an empty answer, at once.", text()),
        query(
            "wait",
            "Seconds to wait for logs.",
            integer(minimum=0, maximum=MAX_WAIT_SECONDS, default=MAX_WAIT_SECONDS),
            example=0,
        ),
        query("limit", "At most this many; an answer ends at 4 MB, too.", integer(minimum=1, maximum=MAX_TAIL_LIMIT)),
    ]
    return operation(
        "logs",
        "tailLogs",
        "Follow logs as they are stored",
        answers(200, "What was stored since.", schema("Tail"), 400, 409, *READING),
        description="Answers as soon as there are logs, or empty after `wait`. Each log comes exactly once, in storing "
        "order, if each request carries the cursor of the answer before and the same filters. 409 `cursor_lost`: "
        "the database was restored or failed over; begin again without a cursor.",
        parameters=[*FILTERS, *parameters],
    )


def reading_schemas() -> dict[str, Json]:
    """What the answers hold."""
    chosen: dict[str, Any] = {name: {} for name in DOCUMENT_FIELDS}
    cursor = or_null(text(description="For the next page; null on the last one."))
    back = or_null(text(description="For the page before, also when its logs are still to come."))
    whole = {"description": "Half-open, in event times.", **TIME}
    field = {
        "name": text(),
        "aliases": array(text()),
        "meaning": text(),
        "values": array(text(), description="If only these are possible."),
    }
    return {
        "SelectedLog": members(
            chosen,
            optional=chosen,
            patternProperties={rf"^{METADATA[:-1]}\.": {}},
            description="What `fields` chose of a log.",
        ),
        "Page": members(
            {
                "logs": array({"anyOf": [schema("StoredLog"), schema("SelectedLog")]}),
                "next_cursor": cursor,
                "previous_cursor": back,
                "partial": {"type": "boolean", "description": "The budget was used up: go on with next_cursor."},
            }
        ),
        "Tail": members(
            {
                "logs": array(schema("StoredLog"), description="The first stored first."),
                "cursor": text(description="For the next request, which may be sent at once."),
                "is_behind": {
                    "type": "boolean",
                    "description": "More is stored than was shown: the next answer has it, or an older transaction is "
                    "still running, and what it stores comes first.",
                },
                "pause_seconds": integer(
                    minimum=0, description="Not 0: too many requests wait already; send the next one so much later."
                ),
            }
        ),
        "Histogram": members(
            {
                "since": whole,
                "until": whole,
                "interval_seconds": integer(minimum=1),
                "by": words(GROUPINGS),
                "starts": array(TIME, description="When each interval begins; the first may begin before since."),
                "series": array(members({"value": or_null(text()), "counts": array(COUNT)})),
                "total": COUNT,
                **_PARTIAL,
            }
        ),
        "Facet": members(
            {
                "field": text(),
                "values": array(members({"value": text(), "count": COUNT}), description="The most frequent first."),
                "other_count": integer(minimum=0, description="Logs with other values."),
                "missing_count": integer(minimum=0, description="Logs without the field."),
                "total": COUNT,
                "approximate": {
                    "type": "boolean",
                    "description": "Too many values to count each: rare ones may be missing.",
                },
                **_PARTIAL,
            }
        ),
        "Stats": members(
            {
                "total": COUNT,
                "by_level": members({level.name: COUNT for level in Level}),
                "by_application": {"type": "object", "additionalProperties": COUNT},
                "first_at": or_null(TIME),
                "last_at": or_null(TIME),
                "message_bytes": COUNT,
                **_PARTIAL,
            }
        ),
        "QueryLanguage": members(
            {
                "fields": array(members(field), description="`metadata.` is followed by a key, `has` by a field."),
                "keywords": array(text()),
                "operators": array(members({"example": text(), "meaning": text()})),
                "limits": members({"characters": COUNT, "terms": COUNT, "depth": COUNT}),
            }
        ),
    }
