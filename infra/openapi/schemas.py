"""What requests and answers hold."""

from openapi.alerts import alert_schemas
from openapi.anomalies import anomaly_schemas
from openapi.channels import channel_schemas
from openapi.codes import problem_codes
from openapi.reading import reading_schemas
from openapi.releases import release_schemas
from openapi.retention import retention_schemas
from openapi.shapes import COUNT, TIME, Json, array, integer, members, or_null, schema, text, words
from openapi.templates import template_schemas
from sluice.applications.model import APPLICATION_NAME, LARGEST_LIMITS, Scope, Status
from sluice.applications.parse import MAX_DESCRIPTION_CHARACTERS, MAX_OVERLAP_SECONDS
from sluice.deadletters.model import Status as DeadLetterStatus
from sluice.entries.model import MAX_FIELD_CHARACTERS, MAX_MESSAGE_CHARACTERS, Flag, Level
from sluice.runtime.http import MAX_LISTED_REJECTIONS

MAX_RECORDS = 10_000  # template.yaml's MAX_BATCH_RECORDS
LOG = {
    "timestamp": "2026-11-24T12:00:00.125Z",
    "level": "error",
    "message": "payment failed",
    "metadata": {"order": 42},
}
BATCH_ID = text(pattern="^[0-9a-f]{32}$", examples=["01a20deee395dc58b9fc0fd42fbfb249"])

_OPTIONAL = {
    "trace_id": "Of a distributed trace.",
    "span_id": "Of the span in it.",
    "session_id": "Of a user's session.",
    "logger": "Name of the logger.",
    "host": "Where it was written.",
    "service": "Which program wrote it.",
    "version": "Which release of it.",
}


def schemas() -> dict[str, Json]:
    """All named schemas."""
    return (
        _sent()
        | _stored()
        | reading_schemas()
        | retention_schemas()
        | template_schemas()
        | release_schemas()
        | alert_schemas()
        | channel_schemas()
        | anomaly_schemas()
        | _ledger()
        | _pipeline()
        | _dead_letters()
        | _applications()
        | _sessions()
        | _problems()
    )


def _sent() -> dict[str, Json]:
    optional = {name: {"description": what} for name, what in _OPTIONAL.items()}
    many = array(schema("Log"), minItems=1, maxItems=MAX_RECORDS)
    own = {
        "message": {
            "description": f"Text; anything else is kept as its JSON text. Over {MAX_MESSAGE_CHARACTERS:,} characters "
            "it is cut, and flagged.",
            "type": ["string", "number", "boolean", "array", "object"],
        },
        "timestamp": {
            "description": "RFC 3339 (without a zone: UTC), or seconds, ms, µs or ns since 1970. Missing: now.",
            "type": ["string", "number", "null"],
        },
        "level": {
            "description": "A name (debug, info, warn, error, fatal, …), a syslog severity (0 to 7) or a number of "
            "Python's logging (10 to 50). Missing: INFO.",
            "type": ["string", "number", "null"],
        },
        "metadata": {"description": "Whatever else is worth keeping.", "type": ["object", "null"]},
    }
    log = members(
        own | optional,
        optional=own.keys() - {"message"} | optional.keys(),
        additionalProperties=True,
        description="One log. Fields that are not listed here go into metadata.",
        examples=[LOG],
    )
    rejection = {
        "index": integer(minimum=0, description="Position of the record in the request, from 0."),
        "pointer": text(description="JSON pointer of the field at fault, e.g. `#/level`."),
        "code": text(),
        "detail": text(),
    }
    listed = array(schema("Rejection"), maxItems=MAX_LISTED_REJECTIONS, description="The first of them.")
    return {
        "Log": log,
        "Logs": {
            "description": "One log, an array, or an array under `logs`.",
            "anyOf": [schema("Log"), many, members({"logs": many}, additionalProperties=True)],
        },
        "Rejection": members(rejection, description="A record that was not taken, and why."),
        "Receipt": members(
            {"accepted": COUNT, "batch_id": BATCH_ID, "rejected": listed, "rejected_count": COUNT},
            additionalProperties=True,
            description="What became of a request. The record at position i has the id `<batch_id>-<i>`.",
        ),
    }


def _stored() -> dict[str, Json]:
    extra = {name: text(maxLength=MAX_FIELD_CHARACTERS, description=what) for name, what in _OPTIONAL.items()} | {
        "severity_number": integer(minimum=1, maximum=24, description="OpenTelemetry's, where the client sent one."),
        "severity_text": text(description="The client's own word, where it is not the level's name."),
        "original_length": integer(minimum=0, description="Characters of a message that was cut."),
        "template_id": integer(minimum=1, description="Of its message, see `GET /api/templates/{id}`."),
    }
    log = {
        "id": text(pattern="^[0-9a-f]{32}-[0-9]+$"),
        "application": text(),
        "timestamp": TIME,
        "received_at": TIME,
        "level": words(level.name for level in Level),
        "message": text(),
        "metadata": {"type": "object"},
        "flags": array(
            words(flag.name.lower() for flag in Flag if flag.name),
            description="What was changed or noticed on the way to the normal form.",
        ),
    }
    return {
        "StoredLog": members(log | extra, optional=extra, description="A log in normal form."),
    }


def _ledger() -> dict[str, Json]:
    counts = dict.fromkeys(("accepted", "stored", "duplicate", "dead_lettered", "in_flight"), COUNT) | {
        "unaccounted": integer(description="Must be 0."),
        "queue_rolled_back": {"type": "boolean", "description": "The queue lost its memory."},
    }
    equation = "`accepted = stored + duplicate + dead_lettered + in_flight + unaccounted`, each counted for itself."
    of_one = members({"application": text(), **counts})
    return {
        "Totals": members(counts, description=equation),
        "Ledger": members({"applications": array(of_one), "total": schema("Totals")}),
        "Batches": members({"batches": array(_batch())}),
    }


def _batch() -> Json:
    counts = dict.fromkeys(("stored", "duplicate", "dead_lettered"), COUNT)
    part = members(
        {"part": COUNT, "shard": COUNT, "entry_id": text(description="In the queue."), "record_count": COUNT}
        | {**counts, "stored_at": TIME}
    )
    letter = members(
        {"id": integer(minimum=1), "position": or_null(integer()), "reason": text()}
        | {"status": words(["open", "redriven", "dropped"]), "dead_lettered_at": TIME}
    )
    return members(
        {
            "batch_id": text(pattern="^[0-9a-f]{32}$"),
            "application": text(),
            "received_at": or_null(text(format="date-time", description="Null while all of it is queued.")),
            "traceparent": or_null(text(description="The request's header.")),
            "queued": integer(minimum=0, description="Records seen in the queue, a moment before the rest was read."),
            **counts,
            "parts": array(part, description="A part is stored at once. Repetitions are parts of their own."),
            "dead_letters": array(letter, description="At most 1,000, those that were redriven or dropped, too."),
        }
    )


def _pipeline() -> dict[str, Json]:
    number = {"type": "number", "minimum": 0}
    name = {"application_id": or_null(integer()), "application": or_null(text())}
    header = members({**name, "record_count": or_null(COUNT)})
    pending = members(
        {"entry_id": text(), "consumer": text(), "age_seconds": number, "idle_seconds": number, "deliveries": COUNT}
        | {"header": {"anyOf": [header, {"type": "null"}]}}
    )
    consumer = members({"name": text(), "pending_count": COUNT, "idle_seconds": number})
    group = members({"pending_count": COUNT, "lag_count": or_null(integer()), "consumers": array(consumer)})
    counts = dict.fromkeys(("entry_count", "record_count", "size_bytes"), COUNT)
    shard = members(
        {"shard": COUNT, "read_count": integer(minimum=0, description="Entries that were looked into."), **counts}
        | {"oldest_seconds": or_null(number), "group": {"anyOf": [group, {"type": "null"}]}}
        | {"pending": array(pending), "applications": array(members({**name, **counts, "accepted_count": COUNT}))}
    )
    backlog = members({"entries": COUNT, "bytes": COUNT, "limit_bytes": COUNT, "lag_seconds": or_null(number)})
    minute = members({"minute": TIME, "stored": COUNT, "duplicate": COUNT, "dead_lettered": COUNT})
    throughput = members(
        {"minutes": array(minute, description="Oldest first; the last is not over."), "is_cut": {"type": "boolean"}}
    )
    letters = members({"open": COUNT, "is_capped": {"type": "boolean"}})
    used = members(
        {"application": text(), "limits": members(dict.fromkeys(LARGEST_LIMITS, COUNT))}
        | {"bytes_today": COUNT, "requests_today": integer(minimum=0, description="Admitted ones.")}
        | {"requests_left": integer(), "bytes_left": integer(description="Below 0: a debt.")}
    )
    drain = members(
        {
            "mode": words(["wake", "tick"]),
            "is_lingering": {"type": "boolean", "description": "One that was woken looks for entries all the time."},
            "last_wake_at": or_null(text(format="date-time", description="When ingest last had one start.")),
            "last_start_at": or_null(text(format="date-time", description="When one last started otherwise.")),
        }
    )
    return {
        "Pipeline": members(
            {"drain": drain, "backlog": backlog, "shards": array(shard), "dead_letters": or_null(letters)}
            | {"throughput": or_null(throughput)}
        ),
        "Usage": members({"applications": array(used), "day_ends_at": TIME}),
    }


def _dead_letters() -> dict[str, Json]:
    condition = or_null(text())
    letter = {
        "id": integer(minimum=1),
        "application": or_null(text()),
        "reason": text(),
        "detail": text(),
        "attempts": integer(minimum=1),
        "status": words(DeadLetterStatus),
        "batch_id": or_null(BATCH_ID),
        "position": or_null(integer(minimum=0, description="In the batch; null for a whole queue entry.")),
        "received_at": or_null(TIME),
        "dead_lettered_at": TIME,
        "queued": text(description="What was queued; only where one dead letter is shown."),
    }
    selection = {
        "ids": or_null(array(integer(minimum=1, maximum=2**63 - 1), minItems=1)),
        "application": condition,
        "reason": condition,
        "since": condition | {"description": "Inclusive, RFC 3339."},
        "until": condition | {"description": "Exclusive, RFC 3339."},
        "all": {"type": "boolean", "description": "Must be true where nothing else is given."},
    }
    return {
        "DeadLetter": members(letter, optional=["queued"]),
        "Selection": members(
            selection,
            optional=selection,
            additionalProperties=True,
            description="Which open dead letters; all conditions hold together.",
        ),
    }


def _applications() -> dict[str, Json]:
    limits = {name: or_null(integer(minimum=1, maximum=largest)) for name, largest in LARGEST_LIMITS.items()}
    application = {
        "application_id": integer(),
        "name": schema("ApplicationName"),
        "status": words(Status),
        "retention_class": text(),
        "limits": members(limits, description="Bytes of inflated bodies; null: the deployment's default."),
        "created_at": TIME,
        "key_count": integer(minimum=0, description="Of live keys."),
    }
    change = {"name": schema("ApplicationName"), "status": words(Status), "limits": members(limits, optional=limits)}
    key = {
        "key_id": text(),
        "application": text(),
        "description": or_null(text()),
        "scopes": array(words(Scope)),
        "status": words(["active", "expired", "revoked"]),
        "created_at": TIME,
        "expires_at": or_null(TIME),
        "revoked_at": or_null(TIME),
        "rotated_to": or_null(text(description="Id of its successor.")),
        "last_used_at": or_null(text(format="date-time", description="To the minute.")),
    }
    new_key = {
        "scopes": array(words(Scope), minItems=1, default=["ingest"]),
        "expires_at": or_null(text(description="RFC 3339; null: never.")),
        "description": or_null(text(minLength=1, maxLength=MAX_DESCRIPTION_CHARACTERS)),
    }
    overlap = integer(
        minimum=0, maximum=MAX_OVERLAP_SECONDS, default=86_400, description="How long the old key stays good."
    )
    shown_once = text(pattern="^slc_", description="The key itself: shown here and never again.")
    return {
        "ApplicationName": text(pattern=f"^{APPLICATION_NAME.pattern}$", examples=["checkout"]),
        "Application": members(application),
        "NewApplication": members({"name": schema("ApplicationName")}),
        "ApplicationChange": members(change, optional=change, minProperties=1),
        "Key": members(key),
        "NewKey": members(new_key, optional=new_key),
        "CreatedKey": members({"key": shown_once, **key}),
        "Rotation": members({"overlap_seconds": overlap}, optional=["overlap_seconds"]),
    }


def _sessions() -> dict[str, Json]:
    session = {
        "application": schema("ApplicationName"),
        "scopes": array(words(Scope), description="What the key may do."),
        "expires_at": TIME,
    }
    return {"Session": members(session), "SignIn": members({"key": text(description="An API key.")})}


_ALWAYS = {"type", "title", "status", "detail", "code"}


def _problems() -> dict[str, Json]:
    problem = {
        "type": text(),
        "title": text(),
        "status": integer(minimum=400, maximum=599),
        "detail": text(),
        "code": schema("ProblemCode"),
        "errors": array(schema("Rejection")),
        "violated-policies": array(text(), description="The limits that were exceeded."),
        "position": integer(minimum=0, description="Of a mistake in q: characters from 0."),
        "expected": array(text(), description="What could stand there."),
    }
    return {
        "ProblemCode": words(problem_codes(), description="Stable: branch on it."),
        "Problem": members(
            problem, optional=problem.keys() - _ALWAYS, additionalProperties=True, description="RFC 9457."
        ),
        "Status": members(
            {"code": integer(), "message": text()},
            additionalProperties=True,
            description="google.rpc.Status, in the content type of the request.",
        ),
    }
