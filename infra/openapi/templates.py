"""The routes of templates."""

from openapi.parts import READING, operation, path, query
from openapi.responses import answers
from openapi.shapes import COUNT, TIME, Json, array, integer, members, or_null, schema, text, words
from sluice.entries.model import Level
from sluice.templates.edits import MAX_NAME_CHARACTERS
from sluice.templates.query import DEFAULT_BUCKETS, DEFAULT_LIMIT, MAX_BUCKETS, MAX_LIMIT, ORDERS

_TIME = "In times of events, to the minute; as for `GET /api/logs`."
_SPAN = [
    query("since", f"Inclusive; a day before `until` unless given. {_TIME}", text(), example="-1h"),
    query("until", f"Exclusive. {_TIME}", text()),
    query("buckets", "About how many intervals.", integer(minimum=1, maximum=MAX_BUCKETS, default=DEFAULT_BUCKETS)),
]
_ID = path("id", "Of the template.", integer(minimum=1, maximum=2**31 - 1))


def template_paths() -> dict[str, Json]:
    """All routes of templates."""
    listing = operation(
        "logs",
        "listTemplates",
        "What applications' logs say, and how often",
        answers(200, "Those that came in this time.", schema("Templates"), 400, *READING),
        description="A template is a message with its values as `<*>`. Every stored log counts in one of them, or in "
        "`unclustered` until it has one, which takes a minute. Templates that were merged count as one.",
        parameters=[
            query("q", "Words that are in the text or the name, in any case.", text(), example="failed"),
            query("application", "Names of applications that the key sees, separated by commas.", text()),
            *_SPAN,
            query("order", "Most or latest first.", words(ORDERS, default="count")),
            query("limit", "At most this many.", integer(minimum=1, maximum=MAX_LIMIT, default=DEFAULT_LIMIT)),
            query("ignored", "Whether to show those that somebody ignores.", words(["no", "yes"], default="no")),
        ],
    )
    shown = operation(
        "logs",
        "showTemplate",
        "One template, and what stands in its places",
        answers(200, "The template, or the one that it was merged into.", schema("TemplateDetail"), 400, 404, *READING),
        description="`parameters` and `examples` are of the latest thousand logs of this time.",
        parameters=_SPAN,
    )
    change = operation(
        "administration",
        "changeTemplate",
        "Name, ignore, merge, part or split a template",
        answers(200, "As it is now.", members({"template": schema("EditedTemplate")}), 400, 404, 409, *READING),
        description="Stored logs stay as they are: a merged template leads on to the other one. A template that is "
        "split from what the miner merged it into has the logs from before that, and within a minute those that come; "
        "logs between stay where they are. Everything is noted in `changes`, with the key that did it.",
        requestBody={
            "required": True,
            "content": {
                "application/json": {"schema": schema("TemplateChange"), "example": {"name": "Payment declined"}}
            },
        },
    )
    return {
        "/api/templates": {"get": listing},
        "/api/templates/{id}": {"parameters": [_ID], "get": shown, "patch": change},
    }


def template_schemas() -> dict[str, Json]:
    """What the answers hold."""
    template_id = integer(minimum=1)
    level_counts = {level.name: COUNT for level in Level}
    span = {
        "since": TIME,
        "until": TIME,
        "interval_seconds": integer(minimum=1),
        "starts": array(TIME, description="When each interval of the trend begins."),
    }
    template = {
        "id": template_id,
        "application": text(),
        "text": text(description="Values are `<*>`."),
        "name": or_null(text(description="That somebody gave it.")),
        "ignored": {"type": "boolean"},
        "count": COUNT,
        "share": {"type": "number", "minimum": 0, "maximum": 1, "description": "Of all logs of this time."},
        "levels": members(level_counts, optional=level_counts),
        "first_seen": text(format="date-time", description="When the first such log was stored."),
        "last_seen": or_null(text(format="date-time", description="The minute of the latest event in this time.")),
        "trend": array(COUNT),
    }
    health = {
        "application": text(),
        "templates": COUNT,
        "overflowed_at": or_null(
            text(format="date-time", description="Since when new messages all go to one template: there are too many.")
        ),
    }
    number = {name: {"type": "number"} for name in ("least", "mean", "most")}
    place = {
        "distinct": COUNT,
        "top": array(members({"value": text(), "count": COUNT})),
        "number": members(number) | {"type": ["object", "null"], "description": "If all values are numbers."},
    }
    member = {
        "id": template_id,
        "text": text(),
        "created_at": TIME,
        "merged_into": or_null(template_id),
        "merged_by": or_null(words(["person", "miner"])),
        "split": {"type": "boolean", "description": "Somebody keeps it apart from what the miner makes of it."},
    }
    change = {
        "change_id": integer(),
        "template_id": template_id,
        "key_id": text(description="Of the API key that did it."),
        "was": {"type": "object"},
        "became": {"type": "object"},
        "changed_at": TIME,
    }
    edit = {
        "name": or_null(text(minLength=1, maxLength=MAX_NAME_CHARACTERS)),
        "ignored": {"type": "boolean"},
        "merged_into": or_null(integer(minimum=1, maximum=2**31 - 1, description="null: part from it again.")),
        "split": {
            "type": "boolean",
            "description": "true: a template of its own again, which the miner does not merge; false: as the miner "
            "had it.",
        },
    }
    edited = {"id": template_id, "application": text(), "text": text(), **edit}
    return {
        "Template": members(template),
        "Templates": members(
            span
            | {
                "templates": array(
                    members(template | {"example": or_null(text(description="A message, if one was found fast."))})
                ),
                "total": COUNT,
                "unclustered": integer(minimum=0, description="Logs whose template is not known yet."),
                "health": array(members(health)),
            }
        ),
        "TemplateDetail": members(
            span
            | {
                "template": schema("Template"),
                "parameters": members({"sampled": COUNT, "places": array(members(place))}),
                "examples": array(text()),
                "members": array(members(member), description="All that are one with it, itself included."),
                "changes": array(members(change), description="What people did, the newest first."),
            }
        ),
        "TemplateChange": members(edit, optional=edit, minProperties=1),
        "EditedTemplate": members(edited),
    }
