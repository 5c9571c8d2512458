"""The route of the deploy diff."""

from openapi.parts import READING, operation, query
from openapi.responses import answers
from openapi.shapes import COUNT, TIME, Json, array, integer, members, or_null, schema, text
from sluice.entries.model import MAX_FIELD_CHARACTERS

_VERSION = text(maxLength=MAX_FIELD_CHARACTERS)
_SERVICE = or_null(text(description="null: logs that name none, or several services."))
_RATE = {"type": "number", "minimum": 0}


def release_paths() -> dict[str, Json]:
    """All routes of releases."""
    shown = operation(
        "logs",
        "diff",
        "What a version changed",
        answers(200, "The changes, strongest first.", schema("Diff"), 400, 404, *READING),
        description="Logs of the version are compared with those of earlier versions of the same services, also where "
        "both run side by side; without any, with logs that have no version. Every log with a `version` counts, by "
        "hour of its event. What a version changed in rate has to stand out against chance, against the traffic of the "
        "other templates, and at the same hours of the day.",
        parameters=[
            query("application", "Its name, for a key that sees several.", text(), example="checkout"),
            query("version", "By default the latest.", _VERSION, example="1.4.2"),
            query("against", "Another version. By default all that came before, for a week.", _VERSION),
            query("service", "One service; empty for logs that name none. By default all with this version.", _VERSION),
            query("since", "Inclusive, in times of events, to the hour; as for `GET /api/logs`.", text()),
            query("until", "Exclusive, likewise.", text()),
        ],
    )
    return {"/api/diff": {"get": shown}}


def release_schemas() -> dict[str, Json]:
    """What the answers hold."""
    times = {"since": TIME, "until": TIME}
    version = {"version": text(), "service": _SERVICE, **times, "logs": COUNT}
    span = {
        "service": _SERVICE,
        "before": members(
            {"versions": array(text(), description="Empty: logs without a version."), **times, "logs": COUNT}
        ),
        "after": members({**times, "logs": COUNT}),
        "unclustered": integer(minimum=0, description="Logs of both whose template is not known yet: not compared."),
    }
    template = {"id": integer(minimum=1), "text": text(), "name": or_null(text())}
    change = {
        "template": members(template),
        "service": _SERVICE,
        "before": COUNT,
        "after": COUNT,
        "expected": {**_RATE, "description": "How many `before` makes of the version's traffic."},
        "before_rate": {**_RATE, "description": "As a share of the earlier logs."},
        "after_rate": {**_RATE, "description": "The same, of logs that the earlier versions would have made."},
        "ratio": {"type": ["number", "null"], "minimum": 0, "description": "`after` of `expected`; null: none before."},
        "score": {"type": "number", "minimum": 0.5, "maximum": 1},
        "first_seen": or_null(text(format="date-time", description="The hour of the first of `after`.")),
        "last_seen_before": or_null(text(format="date-time", description="The hour of the last of `before`.")),
        "sentence": text(description="For people."),
        "query": text(description="`q` of `GET /api/logs` that shows such logs."),
    }
    return {
        "TemplateChangeOfVersion": members(change),
        "Diff": members(
            {
                "application": text(),
                "version": or_null(text(description="null: no log has one.")),
                "against": or_null(text(description="null: what came before.")),
                "versions": array(members(version), description="The latest hundred, to choose from."),
                "spans": array(members(span), description="What was compared, service by service."),
                "only_new": array(schema("TemplateChangeOfVersion"), description="Never seen before this version."),
                "gone": array(schema("TemplateChangeOfVersion"), description="Not seen with it, although expected."),
                "changed": array(schema("TemplateChangeOfVersion"), description="More, or fewer, by a factor of two."),
                "left_out": integer(minimum=0, description="Changes beyond the first hundred of each list."),
            }
        ),
    }
