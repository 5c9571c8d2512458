"""Answers of the API that a healthy stack does not give, for tests and pictures of the dashboard."""

import json
from typing import Any

from playwright.sync_api import Route

from visitor import Visitor

SCRIPT = "<img src=x onerror=alert(1)>"
LETTER: dict[str, Any] = {
    "id": 7,
    "application": "shop",
    "reason": "invalid_text",
    "detail": f"unsupported Unicode escape sequence in metadata.note: {SCRIPT}",
    "attempts": 1,
    "status": "open",
    "batch_id": "01a20deee395dc58b9fc0fd42fbfb249",
    "position": 3,
    "received_at": "2026-11-24T12:00:00Z",
    "dead_lettered_at": "2026-11-24T12:00:10Z",
    "queued": f'{{"level": "ERROR", "message": "payment of order 4711 failed", "metadata": {{"note": "{SCRIPT}"}}}}',
}
DEAD_LETTERS = {
    "dead_letters": [
        LETTER,
        LETTER | {"id": 6, "reason": "crashed", "detail": "whoever worked on it died three times", "position": None},
        LETTER | {"id": 5, "application": None, "reason": "unreadable_entry", "detail": "no such version: 9"},
    ],
    "next_before": None,
}
BROKEN = {"code": "database_unavailable", "detail": "The database does not answer. Try again soon."}
_COUNTS = {"accepted": 1_204_311, "stored": 1_203_988, "duplicate": 12, "dead_lettered": 308, "in_flight": 0}
ALERTING: dict[str, Any] = {
    "**/api/ledger": {
        "applications": [],
        "total": _COUNTS | {"unaccounted": 3, "queue_rolled_back": False},
    },
    "**/api/pipeline": {
        "drain": {
            "mode": "wake",
            "is_lingering": False,
            "last_wake_at": "2026-11-24T12:00:00Z",
            "last_start_at": None,
        },
        "backlog": {"entries": 1_840, "bytes": 121_000_000, "limit_bytes": 134_217_728, "lag_seconds": 300},
        "shards": [
            {
                "shard": 0,
                "entry_count": 1_840,
                "size_bytes": 121_000_000,
                "oldest_seconds": 300,
                "group": {"pending_count": 40, "consumers": []},
            }
        ],
        "dead_letters": None,
        "throughput": None,
    },
}
_NUMBER = {"least": 1.0, "mean": 1.1, "most": 2.0}
_MEMBER = {
    "id": 45,
    "text": f"wrong password for <*> from <*> {SCRIPT}",
    "created_at": "2026-11-20T12:00:00Z",
    "merged_into": None,
    "merged_by": None,
    "split": False,
}
_CHANGE = {
    "change_id": 1,
    "template_id": 45,
    "key_id": "fiy3m3i2ismrok4p",
    "was": {"name": None},
    "became": {"name": "Wrong password"},
    "changed_at": "2026-11-24T12:00:00Z",
}
_HOURS = [f"2026-11-{24 + hour // 24}T{hour % 24:02}:00:00Z" for hour in range(36)]
_SPAN = {"since": _HOURS[0], "until": "2026-11-25T12:00:00Z", "interval_seconds": 3600, "starts": _HOURS}
TEMPLATE: dict[str, Any] = {
    "id": 45,
    "application": "shop",
    "text": f"wrong password for <*> from <*>, try <*> of 9 {SCRIPT}",
    "name": "Wrong password",
    "ignored": False,
    "count": 4_711,
    "share": 0.046,
    "levels": {"WARNING": 4_700, "ERROR": 11},
    "first_seen": "2026-11-20T12:00:00Z",
    "last_seen": "2026-11-25T11:59:00Z",
    "trend": [80 + 60 * (hour % 24 > 7) + 900 * (hour == 30) for hour in range(36)],
}
TEMPLATE_DETAIL = _SPAN | {
    "template": TEMPLATE,
    "parameters": {
        "sampled": 1_000,
        "places": [
            {
                "distinct": 9,
                "top": [{"value": SCRIPT, "count": 700}, {"value": "ana", "count": 200}, {"value": "", "count": 50}],
                "number": None,
            },
            {"distinct": 1_000, "top": [{"value": f"198.51.100.{at}", "count": 1} for at in range(3)], "number": None},
            {"distinct": 2, "top": [{"value": "1", "count": 900}, {"value": "2", "count": 100}], "number": _NUMBER},
        ],
    },
    "examples": ["wrong password for ana from 198.51.100.7, try 1 of 9", f"{SCRIPT}\n  at the second line\u202e"],
    "members": [
        _MEMBER,
        _MEMBER | {"id": 46, "text": "wrong password for root from <*>", "merged_into": 45, "merged_by": "person"},
        _MEMBER | {"id": 47, "text": "wrong password for ana from <*>", "merged_into": 45, "merged_by": "miner"},
    ],
    "changes": [
        _CHANGE | {"change_id": 3, "template_id": 46, "was": {"merged_into": None}, "became": {"merged_into": 45}},
        _CHANGE | {"change_id": 2, "was": {"is_ignored": True}, "became": {"is_ignored": False}},
        _CHANGE,
    ],
}
OVERFLOWED = _SPAN | {
    "templates": [
        TEMPLATE | {"example": "wrong password for ana from 198.51.100.7, try 1 of 9"},
        TEMPLATE
        | {"id": 48, "name": None, "text": "order <*> " + "placed by <*> " * 20, "ignored": True, "example": None},
        TEMPLATE | {"id": 49, "application": "pay", "name": None, "first_seen": _HOURS[30], "example": SCRIPT},
    ],
    "total": 1_204_311,
    "unclustered": 311,
    "health": [
        {"application": "pay", "templates": 120, "overflowed_at": None},
        {"application": "shop", "templates": 10_000, "overflowed_at": _HOURS[3]},
    ],
}
_SEEN = {"window": {"from": "2026-11-25T06:00:00Z", "until": "2026-11-25T06:01:00Z"}, "query": "level:>=error"}
INCIDENT: dict[str, Any] = _SEEN | {
    "id": "01a20dee-e395-7c58-b9fc-0fd42fbfb249",
    "application": "shop",
    "source": "rule",
    "rule": {"id": 1, "name": "More than 50 errors in a minute", "kind": "threshold"},
    "title": f"More than 50 errors in a minute (host=web-1 {SCRIPT})",
    "sentence": "shop: 412 logs matching level:>=error in a minute; the limit is at most 50, 06:00–06:01 UTC.",
    "severity": "critical",
    "status": "firing",
    "labels": {"application": "shop", "host": "web-1"},
    "opened_at": "2026-11-25T06:01:00Z",
    "resolved_at": None,
    "withdrawn": False,
    "acknowledged_at": None,
    "acknowledged_by": None,
    "acknowledge_note": None,
    "observed": 412,
    "threshold": 50,
    "silenced": False,
    "noticed_at": "2026-11-25T06:02:00Z",
}
_BY_SOMEBODY = {
    "acknowledged_at": "2026-11-25T06:05:00Z",
    "acknowledged_by": "fiy3m3i2ismrok4p",
    "acknowledge_note": f"looking into it {SCRIPT}",
}
_OVER = {"status": "resolved", "resolved_at": "2026-11-25T06:31:00Z"}
FIRING = [
    INCIDENT,
    INCIDENT
    | _BY_SOMEBODY
    | {
        "id": "01a20dee-e395-7c58-b9fc-0fd42fbfb250",
        "title": "New kind of error: payment provider <*> refused the connection",
        "sentence": "shop: a message never seen before, 3 times, 2026-11-25 05:12–06:12 UTC.",
        "severity": "warning",
    },
    INCIDENT
    | {
        "id": "01a20dee-e395-7c58-b9fc-0fd42fbfb251",
        "application": "search",
        "title": "Index is behind",
        "sentence": "search: 41 logs in 10 minutes; the limit is at most 40, 2026-11-25 06:00–06:10 UTC.",
        "severity": "info",
        "silenced": True,
    },
]
RESOLVED = [
    INCIDENT | _OVER | _BY_SOMEBODY,
    INCIDENT | _OVER | {"id": "01a20dee-e395-7c58-b9fc-0fd42fbfb252", "title": "No logs any more", "withdrawn": True},
]
_EVENT = {
    "id": 1,
    "kind": "firing",
    "created_at": "2026-11-25T06:02:00Z",
    "payload": {
        "sentence": INCIDENT["sentence"],
        "acknowledged": None,
        "samples": [
            {
                "id": "1",
                "timestamp": "2026-11-25T06:00:59Z",
                "level": "ERROR",
                "message": f"payment failed {SCRIPT}\u202e\n  at pay.py line 88",
            }
        ],
    },
}
INCIDENT_DETAIL = {
    "incident": INCIDENT | _BY_SOMEBODY,
    "events": [
        _EVENT,
        _EVENT
        | {
            "id": 2,
            "kind": "acknowledged",
            "payload": {
                "sentence": INCIDENT["sentence"],
                "samples": [],
                "acknowledged": {"by": "fiy3m3i2ismrok4p", "note": f"looking into it {SCRIPT}"},
            },
        },
    ],
}
_LATELY = {"last_evaluated_at": "2026-11-25T12:00:00Z", "groups_cut": False, "failure": None, "labels": {}}
RULE: dict[str, Any] = _LATELY | {
    "id": 1,
    "application": "shop",
    "name": "More than 50 errors in a minute",
    "kind": "threshold",
    "query": "level:>=error",
    "window_seconds": 60,
    "for_seconds": 0,
    "group_by": [],
    "above": 50,
    "below": None,
    "resolve_below": 25,
    "resolve_above": None,
    "per": None,
    "severity": "critical",
    "enabled": True,
    "origin": "default",
    "state": "firing",
    "version": 1,
}
RULES = [
    RULE,
    RULE
    | {
        "id": 2,
        "name": f"Payments fail {SCRIPT}",
        "kind": "ratio",
        "query": "service:payments level:>=error",
        "of_query": "service:payments",
        "above": 0.05,
        "min_count": 20,
        "window_seconds": 300,
        "for_seconds": 120,
        "group_by": ["host", "metadata.region"],
        "severity": "warning",
        "origin": "user",
        "state": "pending",
        "labels": {"team": "payments"},
    },
    RULE
    | {
        "id": 3,
        "application": "search",
        "name": "No logs any more",
        "kind": "absence",
        "query": "",
        "window_seconds": 1_800,
        "baseline_seconds": 86_400,
        "steady": True,
        "state": "ok",
    },
    RULE | {"id": 4, "name": "New kind of error", "kind": "new_template", "severity": "info", "enabled": False},
    RULE
    | {
        "id": 5,
        "name": "Orders drop",
        "kind": "rate_change",
        "query": "order placed",
        "direction": "below",
        "factor": 2.0,
        "against": ["day", "week"],
        "origin": "user",
        "failure": {"code": "query_timed_out", "detail": "the logs could not be counted in time", "since": None},
    },
    RULE | {"id": 6, "name": "Something unusual", "kind": "anomaly", "min_score": 0.5, "query": "", "state": "ok"},
]
_DAYS = [f"2026-11-{18 + at // 4:02}T{at % 4 * 6:02}:00:00Z" for at in range(32)]
BACKTEST = {
    "rule": {},
    "would_fire": [
        {"from": f"2026-11-2{day}T06:00:00Z", "until": f"2026-11-2{day}T12:00:00Z", "observed": 412, "group": {}}
        for day in (1, 3, 5)
    ],
    "timeline": [
        {"until": until, "observed": 7 * (at % 4 + 1) + 400 * (at in (14, 22, 30)), "fires": False}
        for at, until in enumerate(_DAYS)
    ],
    "evaluations": 10_080,
    "evaluated_until": "2026-11-26T00:00:00Z",
    "truncated": False,
    "groups_cut": False,
    "next_cursor": None,
}
COUNTED: dict[str, Any] = {
    "since": _DAYS[0],
    "until": "2026-11-26T00:00:00Z",
    "interval_seconds": 21_600,
    "starts": _DAYS,
    "series": [{"value": "shop", "counts": [7 * (at % 4 + 1) + 400 * (at in (13, 21, 29)) for at in range(32)]}],
    "total": 1_760,
    "partial": False,
}
_SIDES = {
    "service": "checkout",
    "before": {"versions": ["1.9", "1.8"], "since": _DAYS[0], "until": _DAYS[8], "logs": 30_412},
    "after": {"since": _DAYS[8], "until": _DAYS[10], "logs": 12_003},
    "unclustered": 0,
}
_ADDED = {
    "template": {"id": 45, "text": TEMPLATE["text"], "name": None},
    "service": "checkout",
    "before": 0,
    "after": 411,
    "expected": 0.0,
    "before_rate": 0.0,
    "after_rate": 0.034,
    "ratio": None,
    "score": 0.99,
    "first_seen": _DAYS[8],
    "last_seen_before": None,
    "sentence": f"“wrong password {SCRIPT}” came 411 times with 2.0, and never before",
    "query": "template:45 version:2.0",
}
_GONE = {"id": 46, "text": "cart <*> saved", "name": "Cart saved"}
_MORE = {"before": 120, "after": 900, "expected": 48.2, "ratio": 18.7}
DIFF = {
    "application": "shop",
    "version": "2.0",
    "against": None,
    "versions": [
        {"version": version, "service": service, "since": _DAYS[0], "until": _DAYS[10], "logs": 100}
        for version in ("2.0", "1.9", "1.8")
        for service in ("checkout", "search")
    ],
    "spans": [_SIDES, _SIDES | {"service": "search"}],
    "only_new": [_ADDED],
    "gone": [_ADDED | {"template": _GONE, "before": 800, "after": 0, "last_seen_before": _DAYS[7]}],
    "changed": [
        _ADDED | _MORE,
        _ADDED | _MORE | {"after": 12, "ratio": 0.24, "service": "search"},
    ],
    "left_out": 3,
}

ANOMALY: dict[str, Any] = {
    "id": 60,
    "application": "shop",
    "kind": "spike",
    "level": "ERROR",
    "templates": [{"id": 45, "text": TEMPLATE["text"]}, {"id": 46, "text": "order <*> could not be priced"}],
    "onset": "2026-11-25T06:00:00Z",
    "last_seen": "2026-11-25T11:59:00Z",
    "status": "open",
    "score": 0.97,
    "observed": 412.0,
    "expected": 7.31,
    "window": {"from": "2026-11-25T06:00:00Z", "until": "2026-11-25T06:05:00Z"},
    "baseline": {"from": "2026-11-18T06:00:00Z", "until": "2026-11-25T06:00:00Z"},
    "sentence": f"error logs: 412 in 5 minutes, where about 7 were expected: a sudden spike {SCRIPT}",
    "query": "level:error",
    "samples": ["1", "2"],
    "feedback": None,
    "corrected": False,
    "muted": False,
    "version": None,
    "opened_at": "2026-11-25T06:02:00Z",
    "closed_at": None,
}
ANOMALIES = [
    ANOMALY,
    ANOMALY
    | {
        "id": 61,
        "application": "search",
        "kind": "silence",
        "status": "closed",
        "onset": _DAYS[20],
        "last_seen": _DAYS[22],
        "score": 0.61,
        "sentence": "all logs: 0 in 30 minutes, where about 1,200 were expected: silence, since 2026-11-23 00:00",
        "feedback": "noise",
        "corrected": True,
        "muted": True,
    },
    ANOMALY
    | {
        "id": 62,
        "kind": "new_template",
        "status": "closed",
        "onset": _DAYS[13],
        "last_seen": _DAYS[14],
        "score": 0.8,
        "sentence": "“payment provider <*> refused the connection” (error) was never seen before: twice",
        "feedback": "useful",
        "version": "2.0",
    },
]
_SERIES = {"starts": _DAYS, "observed": COUNTED["series"][0]["counts"]}
ANOMALY_DETAIL = {"anomaly": ANOMALY, "series": _SERIES | {"expected": [7 * (at % 4 + 1) for at in range(32)]}}
LOG = {
    "id": "1",
    "application": "shop",
    "timestamp": "2026-11-25T06:00:59Z",
    "received_at": "2026-11-25T06:01:00Z",
    "level": "ERROR",
    "message": f"payment failed {SCRIPT}\u202e\n  at pay.py line 88",
    "metadata": {},
    "flags": [],
}
_CHANNEL = {
    "id": "01a20dee-e395-7c58-b9fc-0fd42fbfb270",
    "application": "shop",
    "name": f"On call {SCRIPT}",
    "kind": "webhook",
    "target": "https://hooks.example.com/…",
    "min_severity": "critical",
    "enabled": True,
    "old_secret_until": None,
    "last_attempt": {"result": "delivered", "code": "delivered", "at": "2026-11-25T06:02:00Z"},
    "created_at": "2026-11-25T06:02:00Z",
    "created_by": "fiy3m3i2ismrok4p",
}
_OTHER = {"kind": "email", "target": "o…@example.com", "name": "Mail", "min_severity": "info", "enabled": False}
_FAILED = {"result": "failed", "code": "timeout", "at": "2026-11-25T06:02:00Z"}
CHANNELS = [
    _CHANNEL,
    _CHANNEL | _OTHER | {"id": "01a20dee-e395-7c58-b9fc-0fd42fbfb271", "last_attempt": _FAILED},
    _CHANNEL | _OTHER | {"id": "01a20dee-e395-7c58-b9fc-0fd42fbfb272", "application": "search", "last_attempt": None},
]
_ATTEMPT = {"result": "delivered", "code": "delivered", "detail": None, "status": 204, "at": "2026-11-25T06:02:03Z"}
_DELIVERY = {
    "event": 1,
    "kind": "firing",
    "channel": {"id": _CHANNEL["id"], "name": _CHANNEL["name"], "kind": "webhook"},
    "status": "delivered",
    "reason": None,
    "attempts": 1,
    "last_attempt": _ATTEMPT,
    "decided_at": "2026-11-25T06:02:00Z",
}
DELIVERIES = [
    _DELIVERY,
    _DELIVERY | {"event": 2, "status": "failed", "attempts": 9, "last_attempt": _ATTEMPT | {"code": "timeout"}},
    _DELIVERY | {"event": 3, "status": "silenced", "reason": "maintenance", "attempts": 0, "last_attempt": None},
]
_SILENCE = {
    "id": "01a20dee-e395-7c58-b9fc-0fd42fbfb280",
    "application": "shop",
    "status": "active",
    "matchers": [{"label": "rule", "is": "=", "value": SCRIPT}, {"label": "host", "is": "=~", "value": "web-.*"}],
    "starts_at": "2026-11-25T06:02:00Z",
    "ends_at": "2026-11-29T06:02:00Z",
    "comment": f"the bank is down {SCRIPT}",
    "created_by": "fiy3m3i2ismrok4p",
}
SILENCES = [_SILENCE, _SILENCE | {"id": "01a20dee-e395-7c58-b9fc-0fd42fbfb281", "status": "expired"}]
_WEEKLY = {"weekdays": ["monday", "sunday"], "start": "02:00", "duration_minutes": 60, "time_zone": "Europe/Berlin"}
WINDOWS = [
    _SILENCE | {"matchers": [], "weekly": _WEEKLY, "starts_at": None, "ends_at": None},
    _SILENCE | {"id": "01a20dee-e395-7c58-b9fc-0fd42fbfb291", "weekly": None},
]


def answer(visitor: Visitor, pattern: str, body: Any, status: int = 200) -> list[dict[str, Any]]:
    """From now on requests to `pattern` get this; the list receives their bodies."""
    bodies: list[dict[str, Any]] = []

    def fulfil(route: Route) -> None:
        bodies.append(json.loads(route.request.post_data or "{}"))
        route.fulfill(status=status, json=body)

    visitor.page.route(pattern, fulfil)
    return bodies
