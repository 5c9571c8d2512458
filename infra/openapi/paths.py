"""Which routes there are."""

from typing import Any

from openapi.alerts import alert_paths
from openapi.anomalies import anomaly_paths
from openapi.channels import channel_paths
from openapi.parts import KEYED, OPEN, READING, operation, parameter, path, query
from openapi.reading import reading
from openapi.releases import release_paths
from openapi.responses import LIMITS, answers, otlp_answers, problems
from openapi.retention import retention_paths
from openapi.schemas import LOG
from openapi.shapes import COUNT, Json, array, integer, members, or_null, schema, text, words
from openapi.templates import template_paths
from sluice.deadletters.model import Status as DeadLetterStatus

_SENDING = (400, 401, 403, 413, 415, 422, 429, 503)
_LINES = '{"level": "info", "message": "started"}\n{"level": "warn", "message": "slow", "metadata": {"ms": 812}}\n'
_OTLP_LOG = {
    "timeUnixNano": "1764000000000000000",
    "severityNumber": 17,
    "body": {"stringValue": "payment failed"},
    "attributes": [{"key": "order", "value": {"intValue": "4711"}}],
}
_OTLP = {
    "resourceLogs": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]},
            "scopeLogs": [{"scope": {"name": "orders"}, "logRecords": [_OTLP_LOG]}],
        }
    ]
}


def paths() -> dict[str, Json]:
    """All routes."""
    return (
        _logs()
        | reading()
        | template_paths()
        | release_paths()
        | alert_paths()
        | channel_paths()
        | anomaly_paths()
        | _operations()
        | _dashboard()
        | _applications()
        | retention_paths()
        | _keys()
        | _dead_letters()
    )


def _body(name: str, example: Json, *, required: bool = True) -> Json:
    return {"required": required, "content": {"application/json": {"schema": schema(name), "example": example}}}


_SENT = [
    parameter(
        "header",
        "Idempotency-Key",
        "Anything unique to this batch: a repetition within 15 minutes gets the first answer and stores nothing.",
        text(minLength=1, maxLength=255, pattern="^[!-~]+$"),
        example="8e03978e-40d5-43e8-bc93-6894a57f9324",
    ),
    parameter(
        "header",
        "Content-Encoding",
        "How the body is compressed; what its first bytes say comes first.",
        words(["identity", "gzip", "deflate", "zstd"]),
    ),
]


def _logs() -> dict[str, Json]:
    bodies = {
        "application/json": {
            "schema": schema("Logs"),
            "examples": {
                "one": {"value": LOG},
                "several": {"value": [LOG, {"message": "retrying"}]},
                "wrapped": {"value": {"logs": [{"message": "started", "level": 20, "timestamp": 1764000000}]}},
            },
        },
        "application/x-ndjson": {"schema": text(description="A JSON object a line."), "example": _LINES},
        "text/plain": {"schema": text(description="A message a line."), "example": "started\nlistening on 8080\n"},
    }
    replayed = {"Idempotency-Replayed": {"description": "`true` for a repetition.", "schema": words(["true"])}}
    receipt = answers(
        202, "Taken, all but what `rejected` lists.", schema("Receipt"), *_SENDING, headers=LIMITS | replayed
    )
    ingest = operation(
        "logs",
        "ingest",
        "Send logs",
        receipt,
        description="Answers once the queue holds every accepted record. A bad record does not take the good ones "
        "with it.",
        parameters=_SENT,
        security=KEYED,
        requestBody={"required": True, "content": bodies},
    )
    return {
        "/api/ingest": {"post": ingest},
        "/v1/logs": {"post": _otlp("otlpLogs")},
        "/otlp/v1/logs": {"post": _otlp("otlpLogsUnderPrefix")},
    }


def _otlp(name: str) -> Json:
    partial = members(
        {"rejectedLogRecords": text(pattern="^[0-9]+$"), "errorMessage": text()},
        optional=["rejectedLogRecords", "errorMessage"],
    )
    binary = {"schema": text(format="binary")}
    request = {"type": "object", "properties": {"resourceLogs": array({"type": "object"})}}
    bodies = {"application/json": {"schema": request, "example": _OTLP}, "application/x-protobuf": binary}
    good = {
        "description": "Taken, all but what `partialSuccess` counts.",
        "headers": LIMITS,
        "content": {
            "application/json": {"schema": members({"partialSuccess": partial}, optional=["partialSuccess"])},
            "application/x-protobuf": binary,
        },
    }
    return operation(
        "logs",
        name,
        "Send logs by OTLP/HTTP",
        {"200": good} | otlp_answers(*_SENDING),
        description="Logs as OpenTelemetry's SDKs and collectors send them (ExportLogsServiceRequest). Without an "
        "Idempotency-Key, equal bodies are taken for repetitions.",
        parameters=_SENT,
        security=KEYED,
        requestBody={"required": True, "content": bodies},
    )


def _operations() -> dict[str, Json]:
    ledger = answers(200, "Counts per application and in total.", schema("Ledger"), *READING)
    health = answers(200, "They do.", members({"status": words(["ok"])}), 503)
    document = answers(200, "OpenAPI 3.1.", {"type": "object"})
    pipeline = operation(
        "operations",
        "pipeline",
        "Backlog, shards, dead letters and the last hour's throughput",
        answers(200, "As it is now.", schema("Pipeline"), *READING),
        description="Needs a key with the scope admin. Cheap enough to ask every few seconds. `dead_letters` (counted "
        "up to 10,000) and `throughput` are null while the database is away; `is_cut`: the hour held more entries than "
        "are read, so its first minutes are missing.",
    )
    page = {"200": {"description": "The page.", "content": {"text/plain": {"schema": text()}}}}
    metrics = operation(
        "operations",
        "metrics",
        "The platform's metrics, for Prometheus",
        page | problems(*READING),
        description="Prometheus's text format 0.0.4. Needs a key with the scope metrics, which may do nothing else. A "
        "source that is away takes its own metrics with it, and `sluice_source_up` says so.",
        security=KEYED,
    )
    usage = operation(
        "operations",
        "usage",
        "What applications have used of their limits",
        answers(200, "By name.", schema("Usage"), *READING),
        description="Of the key's application; of all for a key with the scope admin. `requests_left` and `bytes_left` "
        "are what could be sent at this moment.",
    )
    batch = operation(
        "operations",
        "showBatch",
        "What became of a request",
        answers(200, "Its batch; of a trace, those of all its requests.", schema("Batches"), 404, *READING),
        description="By the batch id that sending answered, a log's id, or the trace id of the header `traceparent` "
        "that requests were sent with. Of a trace only what is stored is found, and at most 100 batches.",
    )
    batch_id = path("id", "Of a batch, a log or a trace.", text())
    return {
        "/api/batches/{id}": {"parameters": [batch_id], "get": batch},
        "/api/pipeline": {"get": pipeline},
        "/api/usage": {"get": usage},
        "/api/ledger": {"get": operation("operations", "ledger", "Account for every accepted record", ledger)},
        "/metrics": {"get": metrics},
        "/healthz": {
            "get": operation("operations", "health", "Whether queue and database answer", health, security=OPEN)
        },
        "/openapi.json": {"get": operation("operations", "openapi", "This document", document, security=OPEN)},
    }


def _dashboard() -> dict[str, Json]:
    page = {"200": {"description": "The page.", "content": {"text/html": {"schema": text()}}}}
    unchanged = {"304": {"description": "It is as `If-None-Match` says."}}
    kinds = {kind: {"schema": text()} for kind in ("text/javascript", "text/css")}
    asset = {"200": {"description": "The file; it never changes.", "content": kinds}}
    signed_in = answers(200, "Whose session it is.", schema("Session"), 400, *READING)
    ended = {"204": {"description": "The browser has forgotten the session."}} | problems(403, 503)
    from_page = parameter("header", "X-Sluice-Page", "Says that no other site's form sent this.", words(["1"]))
    return {
        "/": {"get": operation("dashboard", "page", "The dashboard", page | unchanged | problems(503), security=OPEN)},
        "/assets/{name}": {
            "parameters": [path("name", "As the page names it.", text(pattern=r"^[\w.-]+$"))],
            "get": operation(
                "dashboard", "asset", "A file of the dashboard", asset | problems(404, 503), security=OPEN
            ),
        },
        "/api/session": {
            "get": operation("dashboard", "session", "Who is signed in", signed_in, security=[{"session": []}]),
            "post": operation(
                "dashboard",
                "signIn",
                "Exchange a key for a session",
                signed_in,
                description="Sets the cookie `sluice_session`, which stands for the key for 12 hours, if the key lives "
                "that long. Needs the scope read or admin.",
                security=OPEN,
                parameters=[from_page],
                requestBody=_body("SignIn", {"key": "slc_…"}),
            ),
            "delete": operation(
                "dashboard", "signOut", "End the session", ended, security=OPEN, parameters=[from_page]
            ),
        },
    }


def _administration(name: str, summary: str, answer: Json, **keywords: Any) -> Json:
    return operation("administration", name, summary, answer, **keywords)


def _applications() -> dict[str, Json]:
    one = members({"application": schema("Application")})
    every = members({"applications": array(schema("Application"))})
    create = _administration(
        "createApplication",
        "Create an application",
        answers(201, "Created.", one, 400, 409, *READING),
        requestBody=_body("NewApplication", {"name": "checkout"}),
    )
    change = _administration(
        "changeApplication",
        "Rename, disable, enable or limit an application",
        answers(200, "As it is now.", one, 400, 404, 409, *READING),
        description="A disabled application's keys are refused everywhere within 15 s; its logs stay.",
        requestBody=_body("ApplicationChange", {"limits": {"requests_per_second": 50}}),
    )
    return {
        "/api/applications": {
            "get": _administration(
                "listApplications", "List applications", answers(200, "All, by name.", every, *READING)
            ),
            "post": create,
        },
        "/api/applications/{name}": {
            "parameters": [path("name", "Name of the application.", schema("ApplicationName"))],
            "get": _administration(
                "showApplication", "Show an application", answers(200, "The application.", one, 400, 404, *READING)
            ),
            "patch": change,
        },
    }


def _keys() -> dict[str, Json]:
    listed = answers(
        200, "Newest first, without the keys themselves.", members({"keys": array(schema("Key"))}), 400, 404, *READING
    )
    created = answers(201, "The key, shown this once.", schema("CreatedKey"), 400, 404, *READING)
    rotated = answers(201, "The successor, shown this once.", schema("CreatedKey"), 400, 404, 409, *READING)
    revoked = answers(200, "As it is now.", schema("Key"), 400, 404, *READING)
    key_id = path("key_id", "The second part of the key's text.", text(pattern="^[a-z2-7]{16}$"))
    new_key = _body("NewKey", {"scopes": ["ingest", "read"]}, required=False)
    rotation = _body("Rotation", {"overlap_seconds": 3600}, required=False)
    return {
        "/api/applications/{name}/keys": {
            "parameters": [path("name", "Name of the application.", schema("ApplicationName"))],
            "get": _administration("listKeys", "List an application's keys", listed),
            "post": _administration("createKey", "Create a key", created, requestBody=new_key),
        },
        "/api/keys/{key_id}": {
            "parameters": [key_id],
            "delete": _administration(
                "revokeKey",
                "Revoke a key",
                revoked,
                description="It is refused everywhere within 15 s. Revoking it again changes nothing.",
            ),
        },
        "/api/keys/{key_id}/rotate": {
            "parameters": [key_id],
            "post": _administration(
                "rotateKey",
                "Replace a key",
                rotated,
                description="The new key has the same scopes; the old one stays good for the overlap.",
                requestBody=rotation,
            ),
        },
    }


def _dead_letters() -> dict[str, Json]:
    parameters = [
        query("application", "Its name.", text()),
        query("reason", "E.g. `crashed`.", text()),
        query("since", "Inclusive, RFC 3339.", text()),
        query("until", "Exclusive, RFC 3339.", text()),
        query("status", "Default: open.", words(DeadLetterStatus)),
        query("limit", "At most this many.", integer(minimum=1, maximum=500, default=50)),
        query("before", "`next_before` of the page before.", integer(minimum=1, maximum=2**63 - 1)),
    ]
    page = members({"dead_letters": array(schema("DeadLetter")), "next_before": or_null(integer())})
    one = members({"dead_letter": schema("DeadLetter")})
    redriven = answers(
        200, "What could be stored now.", members({"redriven": COUNT, "failed": COUNT}), 400, 404, *READING
    )
    dropped = answers(200, "How many.", members({"dropped": COUNT}), 400, 404, *READING)
    selected = _body("Selection", {"reason": "crashed"})
    return {
        "/api/dead-letters": {
            "get": _administration(
                "listDeadLetters",
                "List dead letters, newest first",
                answers(200, "A page.", page, 400, 404, *READING),
                parameters=parameters,
            )
        },
        "/api/dead-letters/{id}": {
            "parameters": [path("id", "Its id.", integer(minimum=1, maximum=2**63 - 1))],
            "get": _administration(
                "showDeadLetter",
                "Show a dead letter with what was queued",
                answers(200, "The dead letter.", one, 400, 404, *READING),
            ),
        },
        "/api/dead-letters/redrive": {
            "post": _administration(
                "redriveDeadLetters", "Repair and store dead letters", redriven, requestBody=selected
            )
        },
        "/api/dead-letters/drop": {
            "post": _administration(
                "dropDeadLetters", "Close dead letters without storing them", dropped, requestBody=selected
            )
        },
    }
