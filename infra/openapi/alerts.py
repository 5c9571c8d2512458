"""The routes of alert rules and incidents."""

from openapi.parts import READING, operation, path, query
from openapi.responses import answers
from openapi.shapes import TIME, Json, array, integer, members, or_null, schema, text, words
from sluice.alerts.model import BASELINES, EventKind, Kind, Severity, Status
from sluice.alerts.parse import (
    DIRECTIONS,
    MAX_BASELINE_SECONDS,
    MAX_FOR_SECONDS,
    MAX_GROUP_FIELDS,
    MAX_LABEL_CHARACTERS,
    MAX_LABELS,
    MAX_NAME_CHARACTERS,
    MAX_NUMBER,
    MAX_WINDOW_SECONDS,
    PER,
)
from sluice.search.language import MAX_CHARACTERS

_DEFAULT_LIMIT, _MAX_LIMIT = 100, 500
_MAX_NOTE_CHARACTERS = 1_000
_CURSOR = query("cursor", "`next_cursor` of the page before.", text())
_LIMIT = query("limit", "At most this many.", integer(minimum=1, maximum=_MAX_LIMIT, default=_DEFAULT_LIMIT))
_APPLICATION = query("application", "Names of applications that the key sees, separated by commas.", text())
_RULE_ID = path("id", "Of the rule.", integer(minimum=1, maximum=2**63 - 1))
_INCIDENT_ID = path("id", "Of the incident.", text(format="uuid"))
_RULE = {"name": "Payments fail", "query": "level:>=error service:payments", "window_seconds": 300, "above": 10}
_READS = "Needs the scope read, alerts or admin."
_WRITES = "Needs the scope alerts, or admin."


def _body(name: str, example: Json, *, required: bool = True) -> Json:
    return {"required": required, "content": {"application/json": {"schema": schema(name), "example": example}}}


def _alerts(name: str, summary: str, answer: Json, description: str, **keywords: object) -> Json:
    return operation("alerts", name, summary, answer, description=description, **keywords)


def alert_paths() -> dict[str, Json]:
    """All routes of rules and incidents."""
    one = members({"rule": schema("Rule")})
    incident = members({"incident": schema("Incident")})
    return {
        "/api/rules": {
            "get": _alerts(
                "listRules",
                "List alert rules",
                answers(
                    200,
                    "A page, the oldest first.",
                    members({"rules": array(schema("Rule")), "next_cursor": or_null(text())}),
                    400,
                    *READING,
                ),
                f"Every application has some that nobody had to make: `origin` is `default`. {_READS}",
                parameters=[_APPLICATION, _LIMIT, _CURSOR],
            ),
            "post": _alerts(
                "createRule",
                "Create an alert rule",
                answers(201, "Created.", one, 400, 409, *READING),
                f"It is judged from the next window on. {_WRITES}",
                requestBody=_body("NewRule", _RULE),
            ),
        },
        "/api/rules/test": {
            "post": _alerts(
                "testRule",
                "When a rule would have fired",
                answers(200, "A part of the time, or all of it.", schema("RuleTest"), 400, 404, *READING),
                "Judges what is stored, by the evaluator that judges new logs; changes nothing. An answer takes up to "
                "about 12 s: what is left comes when the same request is sent again with `next_cursor` as `cursor`. "
                f"Up to 50,000 windows. {_READS}",
                requestBody=_body("NewRuleTest", {"rule": {"query": "level:>=error", "above": 50}, "since": "-1d"}),
            )
        },
        "/api/rules/{id}": {
            "parameters": [_RULE_ID],
            "get": _alerts("showRule", "Show an alert rule", answers(200, "The rule.", one, 404, *READING), _READS),
            "patch": _alerts(
                "changeRule",
                "Change an alert rule, or switch it on or off",
                answers(200, "As it is now.", one, 400, 404, 409, *READING),
                "What is not named stays; null takes a member away. What fires is resolved if the rule says something "
                f"else now, or is off. {_WRITES}",
                requestBody=_body("RuleChange", {"enabled": False}),
            ),
            "delete": _alerts(
                "deleteRule",
                "Delete an alert rule",
                answers(200, "What it was.", members({"deleted": schema("Rule")}), 404, 409, *READING),
                f"Its incidents are resolved and stay. A default rule can only be switched off. {_WRITES}",
            ),
        },
        "/api/incidents": {
            "get": _alerts(
                "listIncidents",
                "List incidents",
                answers(
                    200,
                    "A page, the newest first.",
                    members({"incidents": array(schema("Incident")), "next_cursor": or_null(text())}),
                    400,
                    404,
                    *READING,
                ),
                _READS,
                parameters=[
                    query("status", "Default: any.", words(Status)),
                    query("severity", "Default: any.", words(Severity)),
                    _APPLICATION,
                    query("rule", "Id of a rule.", integer(minimum=1, maximum=2**53)),
                    query(
                        "since",
                        "Those that fired at this time or later; as for `GET /api/logs`.",
                        text(),
                        example="-1d",
                    ),
                    query("until", "Those that began before.", text()),
                    _LIMIT,
                    _CURSOR,
                ],
            )
        },
        "/api/incidents/{id}": {
            "parameters": [_INCIDENT_ID],
            "get": _alerts(
                "showIncident",
                "Show an incident",
                answers(200, "The incident, and what was told of it.", schema("IncidentDetail"), 404, *READING),
                _READS,
            ),
        },
        "/api/incidents/{id}/acknowledge": {
            "parameters": [_INCIDENT_ID],
            "post": _alerts(
                "acknowledgeIncident",
                "Say that somebody is on it",
                answers(200, "As it is now.", incident, 400, 404, *READING),
                f"Who was first stays. {_WRITES}",
                requestBody=_body("Acknowledgement", {"note": "looking into it"}, required=False),
            ),
        },
    }


def alert_schemas() -> dict[str, Json]:
    """What requests and answers hold."""
    number = {"type": "number", "minimum": 0, "maximum": MAX_NUMBER}
    name = text(minLength=1, maxLength=MAX_NAME_CHARACTERS, pattern=r"^\S(.*\S)?$")
    labels = {
        "type": "object",
        "maxProperties": MAX_LABELS,
        "propertyNames": text(minLength=1, maxLength=MAX_LABEL_CHARACTERS),
        "additionalProperties": text(minLength=1, maxLength=MAX_LABEL_CHARACTERS),
    }
    said = {
        "kind": words(Kind, default=Kind.THRESHOLD.value),
        "query": text(maxLength=MAX_CHARACTERS, description="In the query language; empty for all logs."),
        "window_seconds": integer(
            minimum=1,
            maximum=MAX_WINDOW_SECONDS,
            description="Up to 60, whole minutes up to an hour, or whole hours up to 7 days. Judged each minute; "
            "shorter windows one after the other, longer ones 60 times in their length.",
        ),
        "for_seconds": integer(
            minimum=0, maximum=MAX_FOR_SECONDS, description="How long it must last before it fires."
        ),
        "group_by": array(
            text(maxLength=MAX_LABEL_CHARACTERS),
            maxItems=MAX_GROUP_FIELDS,
            description="Fields, also `metadata.KEY`: each combination of values is judged by itself, the 100 most "
            "frequent.",
        ),
        "above": or_null(number | {"description": "Fires above this. Of a ratio: a share from 0 to 1."}),
        "below": or_null(number | {"description": "Or below this."}),
        "resolve_below": or_null(number | {"description": "With `above`: resolves only below this."}),
        "resolve_above": or_null(number | {"description": "With `below`: resolves only above this."}),
        "per": or_null(words(PER, description="The count becomes a rate.")),
        "of_query": text(maxLength=MAX_CHARACTERS, description="What a ratio is a share of; empty for all logs."),
        "min_count": integer(
            minimum=1,
            maximum=10**12,
            description="Logs that there must be for a verdict: all of a ratio's, of a change the larger count, of "
            "a new template its own.",
        ),
        "baseline_seconds": integer(
            minimum=60,
            maximum=MAX_BASELINE_SECONDS,
            description="An absence matters only if something came in this time before.",
        ),
        "steady": {"type": "boolean", "description": "And if there was no such gap in that time."},
        "learning_seconds": integer(
            minimum=0, maximum=30 * 86_400, description="Of an application, in which no template counts as new."
        ),
        "direction": words(DIRECTIONS, description="Of a change."),
        "factor": {
            "type": "number",
            "minimum": 1,
            "maximum": MAX_NUMBER,
            "description": "By which it must at least change.",
        },
        "against": array(
            words(BASELINES),
            minItems=1,
            description="A change is measured against the window before, or the same time a day or week ago: against "
            "all that are named. It must be larger than chance brings about once in a million windows.",
        ),
        "min_score": {"type": "number", "minimum": 0, "maximum": 1, "description": "Of an anomaly."},
    }
    about = {
        "name": name,
        "severity": words(Severity, default=Severity.WARNING.value),
        "labels": labels,
        "enabled": {"type": "boolean", "default": True},
    }
    failure = {"code": text(), "detail": or_null(text()), "since": or_null(TIME)}
    shown = {
        "id": integer(minimum=1),
        "application": text(),
        **about,
        **said,
        "origin": words(["default", "user"]),
        "state": words(["ok", "pending", "firing"]),
        "last_evaluated_at": or_null(
            text(format="date-time", description="Windows have verdicts up to here, in event time.")
        ),
        "groups_cut": {"type": "boolean", "description": "There were more groups than are judged."},
        "failure": members(failure) | {"type": ["object", "null"], "description": "Why it has no verdicts at present."},
        "version": integer(minimum=1),
        "created_at": TIME,
        "changed_at": TIME,
        "changed_by": or_null(text(description="Id of the API key.")),
    }
    window = members({"from": TIME, "until": TIME})
    incident = {
        "id": text(format="uuid"),
        "application": text(),
        "source": words(["rule", "anomaly"]),
        "rule": members({"id": or_null(integer(minimum=1)), "name": text(), "kind": words(Kind)}),
        "title": text(),
        "sentence": text(description="What was seen, in which window, against what."),
        "severity": words(Severity),
        "status": words(Status),
        "labels": {"type": "object", "additionalProperties": text()},
        "opened_at": TIME,
        "resolved_at": or_null(TIME),
        "withdrawn": {"type": "boolean", "description": "Late logs showed that it never was."},
        "acknowledged_at": or_null(TIME),
        "acknowledged_by": or_null(text(description="Id of the API key.")),
        "acknowledge_note": or_null(text()),
        "observed": or_null({"type": "number"}),
        "threshold": or_null({"type": "number"}),
        "query": text(description="Shows the logs, within the window."),
        "window": window,
        "silenced": {"type": "boolean"},
        "noticed_at": TIME,
    }
    event = {
        "id": integer(minimum=1),
        "kind": words(EventKind),
        "created_at": TIME,
        "payload": {"type": "object", "description": "What messages are made of."},
    }
    changeable = about | said
    tested = {
        "rule": {"type": "object", "description": "What it says, with all defaults."},
        "would_fire": array(
            members(
                {
                    "from": or_null(TIME),
                    "until": or_null(text(format="date-time", description="null: it would still fire at the end.")),
                    "observed": or_null({"type": "number"}),
                    "threshold": or_null({"type": "number"}),
                    "group": {"type": "object", "additionalProperties": text()},
                }
            ),
            description="Episodes that ended in this part; with the last part, those that did not end, too.",
        ),
        "timeline": array(
            members({"until": TIME, "observed": or_null({"type": "number"}), "fires": {"type": "boolean"}}),
            description="What was seen in the worst window of each stretch, for drawing.",
        ),
        "evaluations": integer(minimum=0, description="Windows that were judged for this answer."),
        "evaluated_until": TIME,
        "truncated": {"type": "boolean"},
        "groups_cut": {"type": "boolean"},
        "next_cursor": or_null(text()),
    }
    nullable = {key: or_null(shape) if isinstance(shape.get("type"), str) else shape for key, shape in said.items()}
    return {
        "Rule": members(shown, optional=said),
        "NewRule": members(
            {
                "application": text(description="Its name; by default the key's own."),
                "since": text(
                    description="Judges what is stored from here on, at most a day back; by default nothing."
                ),
                **changeable,
            },
            optional=(set(changeable) | {"application", "since"}) - {"name"},
            description="Which members go with which kind is described in the README; the others are refused.",
        ),
        "NewRuleTest": members(
            {
                "rule": {
                    "description": "Members of a rule, as for `POST /api/rules`, or the id of one.",
                    "anyOf": [integer(minimum=1, maximum=2**53), {"type": "object"}],
                },
                "application": text(description="Its name; by default the key's own."),
                "since": text(description="As for `GET /api/logs`; by default a day before until."),
                "until": text(description="By default now."),
                "cursor": text(),
            },
            optional=["application", "since", "until", "cursor"],
        ),
        "RuleTest": members(tested),
        "RuleChange": members(about | nullable, optional=changeable, minProperties=1),
        "Incident": members(incident),
        "IncidentDetail": members({"incident": schema("Incident"), "events": array(members(event))}),
        "Acknowledgement": members({"note": or_null(text(maxLength=_MAX_NOTE_CHARACTERS))}, optional=["note"]),
    }
