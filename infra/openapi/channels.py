"""The routes of channels, silences, maintenance windows and deliveries."""

from openapi.parts import READING, operation, path, query
from openapi.responses import answers
from openapi.shapes import COUNT, TIME, Json, array, integer, members, or_null, schema, text, words
from sluice.alerts.model import EventKind, Severity
from sluice.notifications.addresses import MAX_URL_CHARACTERS
from sluice.notifications.model import ChannelKind, Result
from sluice.notifications.parse import (
    MAX_COMMENT_CHARACTERS,
    MAX_MATCHER_CHARACTERS,
    MAX_MATCHERS,
    MAX_MINUTES,
    MAX_NAME_CHARACTERS,
)
from sluice.notifications.postgres_deliveries import STATUSES
from sluice.notifications.routing import MAX_MESSAGES
from sluice.notifications.silences import OPERATORS, WEEKDAYS

_DEFAULT_LIMIT, _MAX_LIMIT = 100, 500
_CURSOR = query("cursor", "`next_cursor` of the page before.", text())
_LIMIT = query("limit", "At most this many.", integer(minimum=1, maximum=_MAX_LIMIT, default=_DEFAULT_LIMIT))
_APPLICATION = query("application", "Names of applications that the key sees, separated by commas.", text())
_READS = "Needs the scope read, alerts or admin."
_WRITES = "Needs the scope alerts, or admin."
_CHANNEL = {
    "name": "On call",
    "kind": "webhook",
    "target": "https://hooks.example.com/sluice",
    "min_severity": "warning",
}
_MATCHER = {"label": "service", "is": "=", "value": "payments"}
_SILENCE = {"matchers": [_MATCHER], "ends_at": "2030-01-01T00:00:00Z", "comment": "known, being mended"}
_WEEKLY = {"weekdays": ["sunday"], "start": "22:00", "duration_minutes": 240, "time_zone": "Europe/Berlin"}
_SECRET = "The answer alone has a webhook's `signing_secret`; the README says how to verify a signature with it."  # noqa: S105  # says so


def _alerts(name: str, summary: str, answer: Json, description: str, **keywords: object) -> Json:
    return operation("alerts", name, summary, answer, description=description, **keywords)


def _body(name: str, example: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema(name), "example": example}}}


def _id(noun: str) -> Json:
    return path("id", f"Of the {noun}.", text(format="uuid"))


def channel_paths() -> dict[str, Json]:
    """All routes of who is told, who is not, and what became of it."""
    return {**_channels(), **_silences(), **_windows(), **_deliveries()}


def _channels() -> dict[str, Json]:
    one, with_secret = members({"channel": schema("Channel")}), members({"channel": schema("NewlySigned")})
    page = members({"channels": array(schema("Channel")), "next_cursor": or_null(text())})
    return {
        "/api/channels": {
            "get": _alerts(
                "listChannels",
                "List channels",
                answers(200, "A page, by application and name.", page, 400, *READING),
                f"Of a target only what serves to recognise it. {_READS}",
                parameters=[_APPLICATION, _LIMIT, _CURSOR],
            ),
            "post": _alerts(
                "createChannel",
                "Create a channel",
                answers(201, "Created.", with_secret, 400, 409, *READING),
                f"It hears of what happens from now on. {_SECRET} {_WRITES}",
                requestBody=_body("NewChannel", _CHANNEL),
            ),
        },
        "/api/channels/{id}": {
            "parameters": [_id("channel")],
            "get": _alerts("showChannel", "Show a channel", answers(200, "The channel.", one, 404, *READING), _READS),
            "patch": _alerts(
                "changeChannel",
                "Change a channel, or switch it on or off",
                answers(200, "As it is now.", one, 400, 404, 409, *READING),
                f"What is not named stays. {_WRITES}",
                requestBody=_body("ChannelChange", {"enabled": False}),
            ),
            "delete": _alerts(
                "deleteChannel",
                "Delete a channel",
                answers(200, "What it was.", members({"deleted": schema("Channel")}), 404, *READING),
                f"Its target is forgotten, and what waits is not sent; what was sent stays listed. {_WRITES}",
            ),
        },
        "/api/channels/{id}/test": {
            "parameters": [_id("channel")],
            "post": _alerts(
                "testChannel",
                "Send a test message to a channel",
                answers(200, "How that ended.", schema("ChannelTest"), 404, 429, *READING),
                f"One attempt, now. A channel gets at most {MAX_MESSAGES} messages in ten minutes. {_WRITES}",
            ),
        },
        "/api/channels/{id}/rotate": {
            "parameters": [_id("channel")],
            "post": _alerts(
                "rotateChannelSecret",
                "Give a webhook a new signing secret",
                answers(200, "As it is now.", with_secret, 404, 409, *READING),
                f"The one before signs, too, for a day. {_SECRET} {_WRITES}",
            ),
        },
    }


def _silences() -> dict[str, Json]:
    one = members({"silence": schema("Silence")})
    page = members({"silences": array(schema("Silence")), "next_cursor": or_null(text())})
    return {
        "/api/silences": {
            "get": _alerts(
                "listSilences",
                "List silences",
                answers(200, "A page, the one that ends last first.", page, 400, *READING),
                _READS,
                parameters=[
                    query("status", "Those that are not over, or all.", words(["current", "all"], default="current")),
                    _APPLICATION,
                    _LIMIT,
                    _CURSOR,
                ],
            ),
            "post": _alerts(
                "createSilence",
                "Silence incidents for a time",
                answers(201, "Created.", one, 400, 409, *READING),
                "Incidents whose labels are as all matchers say are not told of; the dashboard shows them. What still "
                f"fires when the silence ends is told then. {_WRITES}",
                requestBody=_body("NewSilence", _SILENCE),
            ),
        },
        "/api/silences/{id}": {
            "parameters": [_id("silence")],
            "delete": _alerts(
                "expireSilence",
                "End a silence now",
                answers(200, "As it is now.", one, 404, *READING),
                f"It stays listed. {_WRITES}",
            ),
        },
    }


def _windows() -> dict[str, Json]:
    one, page = schema("MaintenanceWindow"), members({"maintenance_windows": array(schema("MaintenanceWindow"))})
    return {
        "/api/maintenance-windows": {
            "get": _alerts(
                "listMaintenanceWindows",
                "List maintenance windows",
                answers(200, "Those that are not over, the oldest first.", page, 400, *READING),
                _READS,
                parameters=[_APPLICATION],
            ),
            "post": _alerts(
                "createMaintenanceWindow",
                "Create a maintenance window",
                answers(201, "Created.", members({"maintenance_window": one}), 400, 409, *READING),
                "As a silence; from `starts_at` to `ends_at`, or every week by the clocks of a place. Without matchers "
                f"for the whole application. {_WRITES}",
                requestBody=_body("NewMaintenanceWindow", {"weekly": _WEEKLY, "comment": "backups"}),
            ),
        },
        "/api/maintenance-windows/{id}": {
            "parameters": [_id("window")],
            "delete": _alerts(
                "deleteMaintenanceWindow",
                "Delete a maintenance window",
                answers(200, "What it was.", members({"deleted": one}), 404, *READING),
                _WRITES,
            ),
        },
    }


def _deliveries() -> dict[str, Json]:
    page = members({"deliveries": array(schema("Delivery")), "next_cursor": or_null(text())})
    return {
        "/api/deliveries": {
            "get": _alerts(
                "listDeliveries",
                "List what became of events on their channels",
                answers(200, "A page, the newest first.", page, 400, *READING),
                _READS,
                parameters=[
                    query("incident", "Id of an incident.", text(format="uuid")),
                    query("channel", "Id of a channel.", text(format="uuid")),
                    query("status", "Default: any.", words(STATUSES)),
                    _APPLICATION,
                    _LIMIT,
                    _CURSOR,
                ],
            )
        }
    }


def channel_schemas() -> dict[str, Json]:
    """What requests and answers hold."""
    name = text(minLength=1, maxLength=MAX_NAME_CHARACTERS)
    target = text(
        maxLength=MAX_URL_CHARACTERS,
        description="A webhook's or Slack's URL (https, port 443, a public host's full name), an e-mail address, or "
        "the ARN of a topic called sluice-alerts-….",
    )
    about = {
        "min_severity": words(Severity, default=Severity.INFO.value),
        "enabled": {"type": "boolean", "default": True},
    }
    application = text(description="Its name; by default the key's own.")
    attempt = {
        "result": words(Result),
        "code": text(description="Stable, such as timeout, tls_failed, target_refused or receiver_failed."),
        "at": TIME,
    }
    channel = {
        "id": text(format="uuid"),
        "application": text(),
        "name": name,
        "kind": words(ChannelKind),
        "target": text(description="Only what serves to recognise it."),
        **about,
        "old_secret_until": or_null(text(format="date-time", description="Up to then the secret before signs, too.")),
        "last_attempt": members(attempt) | {"type": ["object", "null"]},
        "created_at": TIME,
        "created_by": text(description="Id of the API key."),
    }
    matchers = array(schema("Matcher"), maxItems=MAX_MATCHERS)
    comment = text(maxLength=MAX_COMMENT_CHARACTERS)
    made = {"comment": text(), "created_by": text(description="Id of the API key."), "created_at": TIME}
    told = {
        "status": or_null(integer(description="HTTP's.")),
        "detail": text(description="A line for people."),
    }
    return {
        "Channel": members(channel),
        "NewlySigned": members(
            channel | {"signing_secret": text(pattern="^whsec_", description="Of a webhook; shown this once.")},
            optional=["signing_secret"],
        ),
        "NewChannel": members(
            {"application": application, "name": name, "kind": words(ChannelKind), "target": target, **about},
            optional=["application", *about],
        ),
        "ChannelChange": members(
            {"name": name, "target": target, **about}, optional=["name", "target", *about], minProperties=1
        ),
        "ChannelTest": members(
            {
                "message": text(format="uuid", description="Its id, a webhook's `webhook-id`."),
                "delivered": {"type": "boolean"},
                "code": attempt["code"],
                **told,
            }
        ),
        "Matcher": members(
            {
                "label": text(minLength=1, maxLength=MAX_MATCHER_CHARACTERS),
                "is": words(OPERATORS, description="The value, anything else, or all of it as a pattern says."),
                "value": text(
                    maxLength=MAX_MATCHER_CHARACTERS,
                    description="A pattern has characters, `.`, classes and `|`; two in a branch may have *, + or ?.",
                ),
            },
            description="Labels are those of the rule, application, rule, kind, severity, and the group's fields.",
        ),
        "Silence": members(
            {
                "id": text(format="uuid"),
                "application": text(),
                "status": words(["pending", "active", "expired"]),
                "matchers": matchers,
                "starts_at": TIME,
                "ends_at": TIME,
                **made,
            }
        ),
        "NewSilence": members(
            {
                "application": application,
                "matchers": matchers | {"minItems": 1},
                "starts_at": or_null(text(format="date-time", description="Default: now.")),
                "ends_at": TIME,
                "comment": comment,
            },
            optional=["application", "starts_at", "comment"],
        ),
        "Weekly": members(
            {
                "weekdays": array(words(WEEKDAYS), minItems=1),
                "start": text(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$"),
                "duration_minutes": integer(minimum=1, maximum=MAX_MINUTES),
                "time_zone": text(description="A name of the IANA database."),
            }
        ),
        "MaintenanceWindow": members(
            {
                "id": text(format="uuid"),
                "application": text(),
                "matchers": matchers,
                "starts_at": or_null(TIME),
                "ends_at": or_null(TIME),
                "weekly": {"oneOf": [schema("Weekly"), {"type": "null"}]},
                **made,
            }
        ),
        "NewMaintenanceWindow": members(
            {
                "application": application,
                "matchers": matchers,
                "starts_at": TIME,
                "ends_at": TIME,
                "weekly": schema("Weekly"),
                "comment": comment,
            },
            optional=["application", "matchers", "starts_at", "ends_at", "weekly", "comment"],
        ),
        "Delivery": members(
            {
                "event": integer(minimum=1),
                "kind": words(EventKind),
                "incident": text(format="uuid"),
                "application": text(),
                "channel": members({"id": text(format="uuid"), "name": text(), "kind": words(ChannelKind)}),
                "status": words(
                    STATUSES,
                    description="Silenced by `muted_by`; held, until the channel may have messages again; skipped, as "
                    "it did not hear of the incident; failed, and given up.",
                ),
                "reason": or_null(words(["silence", "maintenance", "rate", "unannounced"])),
                "muted_by": or_null(text(format="uuid", description="A silence or maintenance window.")),
                "message": or_null(
                    text(format="uuid", description="A webhook's `webhook-id`, the same at each attempt.")
                ),
                "attempts": COUNT,
                "last_attempt": members(attempt | told) | {"type": ["object", "null"]},
                "next_attempt_at": or_null(TIME),
                "finished_at": or_null(TIME),
                "decided_at": TIME,
            }
        ),
    }
