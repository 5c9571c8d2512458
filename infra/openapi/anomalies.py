"""The routes of anomalies."""

from openapi.parts import READING, operation, path, query
from openapi.responses import answers
from openapi.shapes import COUNT, TIME, Json, array, integer, members, or_null, schema, text, words
from sluice.anomalies.feedback import Feedback
from sluice.anomalies.model import ALARM_SCORE, Kind
from sluice.anomalies.query import DEFAULT_LIMIT, MAX_LIMIT, STATUSES
from sluice.entries.model import Level

_ID = path("id", "Of the anomaly.", integer(minimum=1, maximum=2**31 - 1))
_SCORE = {"type": "number", "minimum": 0, "maximum": 1}

_FEEDBACK = or_null(words(list(Feedback)))


def _body(shape: Json, example: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": shape, "example": example}}}


def anomaly_paths() -> dict[str, Json]:
    """All routes of anomalies."""
    listing = operation(
        "logs",
        "listAnomalies",
        "What was unusual",
        answers(200, "The latest onset first.", schema("Anomalies"), 400, *READING),
        description="Rates of all logs, of each level and of the frequent templates are compared with what they were "
        "at such times of day and week, in buckets of ten minutes; new and rare templates with how often such come; "
        "sessions with those before that began with the same template. What belongs together is one anomaly. Nothing "
        "is one on an application's first day, and only gross changes are until it has been known for a week.",
        parameters=[
            query("since", "A week before `until` unless given: anomalies that were seen then or later.", text()),
            query("until", "Of onsets; now unless given.", text()),
            query("application", "Names of applications that the key sees, separated by commas.", text()),
            query("kind", "Kinds, separated by commas.", text(), example="spike,silence"),
            query("status", "Whether it is still going on.", words(STATUSES, default="all")),
            query("min_score", "The least score.", _SCORE | {"default": ALARM_SCORE}),
            query("muted", "Whether to show what is like something that was called noise.", words(["no", "yes"])),
            query("limit", "At most this many.", integer(minimum=1, maximum=MAX_LIMIT, default=DEFAULT_LIMIT)),
            query("cursor", "The `next_cursor` of the page before.", text()),
        ],
    )
    shown = operation(
        "logs",
        "showAnomaly",
        "One anomaly, and what it looked like",
        answers(200, "With the rate that led to it.", schema("AnomalyDetail"), 404, *READING),
        description="`series` begins six hours before the onset and ends an hour after it was last seen. Of the kind "
        "session it is empty: a share of sessions is no rate.",
    )
    judge = operation(
        "alerts",
        "judgeAnomaly",
        "Say that an anomaly was useful, or noise",
        answers(200, "What is noted.", members({"id": integer(minimum=1), "feedback": _FEEDBACK}), 400, 404, *READING),
        description="After noise, anomalies led by one of the same rates in the same direction are muted for a month, "
        "and for three months where it is said again, unless they are more than twice as strong: they open no "
        "incident, and are listed with `muted=yes` alone. `useful` ends that; null takes a verdict back. It takes "
        "effect within ten minutes, on open anomalies, too. Needs the scope alerts, or admin.",
        requestBody=_body(members({"verdict": _FEEDBACK}), {"verdict": "noise"}),
    )
    backtest = operation(
        "alerts",
        "backtestAnomalies",
        "What would have been found",
        answers(200, "As far as it is.", schema("AnomalyBacktest"), 400, 404, *READING),
        description="Learns from four weeks before `since` (of sessions: two days), then judges up to four weeks. A "
        "request works for about twelve seconds: while `is_complete` is false, send its `id` to go on. Kept for a day. "
        "Feedback does not count. Needs the scope read, alerts or admin.",
        requestBody=_body(schema("AnomalyBacktestRequest"), {"since": "-7d"}),
    )
    return {
        "/api/anomalies": {"get": listing},
        "/api/anomalies/backtest": {"post": backtest},
        "/api/anomalies/{id}": {"parameters": [_ID], "get": shown},
        "/api/anomalies/{id}/feedback": {"parameters": [_ID], "put": judge},
    }


def anomaly_schemas() -> dict[str, Json]:
    """What the answers hold."""
    span = {"from": TIME, "until": TIME}
    template = {"id": integer(minimum=1), "text": text()}
    anomaly = {
        "id": or_null(integer(minimum=1)),
        "application": text(),
        "kind": words(list(Kind)),
        "level": or_null(words([level.name for level in Level])),
        "templates": array(members(template), description="What it is about, what says most first."),
        "onset": TIME,
        "opened_at": text(format="date-time", description="Up to when logs were known when it was found."),
        "last_seen": TIME,
        "closed_at": or_null(TIME),
        "status": words(["open", "closed"]),
        "score": _SCORE | {"description": f"From {ALARM_SCORE} on it is an anomaly."},
        "observed": {"type": "number", "description": "Logs in the window; of the kind session: odd sessions."},
        "expected": {"type": "number", "description": "As many as the window should have had."},
        "window": members(span, description="What stands out most."),
        "baseline": members(span, description="What it is compared with."),
        "sentence": text(description="For people."),
        "query": text(description="`q` of `GET /api/logs` that shows the logs; empty: all."),
        "version": or_null(text(description="Of the logs; it began when they did.")),
        "samples": array(text(), description="Ids of a few of the logs."),
        "feedback": _FEEDBACK,
        "corrected": {"type": "boolean", "description": "Logs that came late showed that there was nothing."},
        "muted": {"type": "boolean", "description": "It is like one that was called noise, so nobody is told."},
    }
    series = {
        "starts": array(TIME),
        "observed": array(COUNT),
        "expected": array({"type": "number", "minimum": 0}),
    }
    request = {
        "id": text(format="uuid", description="Of one that was begun: nothing else is given then."),
        "application": text(description="By default the key's own."),
        "since": text(description="As for `GET /api/logs`."),
        "until": text(description="By default now."),
    }
    backtest = {
        "id": text(format="uuid"),
        "application": text(),
        "since": TIME,
        "until": TIME,
        "judged_until": TIME,
        "progress": _SCORE | {"description": "Share of the work that is done."},
        "is_complete": {"type": "boolean"},
        "anomalies": array(
            schema("Anomaly"), description="So far, the latest onset first. Their `id` and `feedback` are null."
        ),
    }
    return {
        "AnomalyBacktestRequest": members(request, optional=request),
        "AnomalyBacktest": members(backtest),
        "Anomaly": members(anomaly),
        "Anomalies": members({"anomalies": array(schema("Anomaly")), "next_cursor": or_null(text())}),
        "AnomalyDetail": members({"anomaly": schema("Anomaly"), "series": members(series)}),
    }
