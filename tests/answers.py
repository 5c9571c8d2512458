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


def answer(visitor: Visitor, pattern: str, body: Any, status: int = 200) -> list[dict[str, Any]]:
    """From now on requests to `pattern` get this; the list receives their bodies."""
    bodies: list[dict[str, Any]] = []

    def fulfil(route: Route) -> None:
        bodies.append(json.loads(route.request.post_data or "{}"))
        route.fulfill(status=status, json=body)

    visitor.page.route(pattern, fulfil)
    return bodies
