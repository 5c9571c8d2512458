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


def answer(visitor: Visitor, pattern: str, body: Any, status: int = 200) -> list[dict[str, Any]]:
    """From now on requests to `pattern` get this; the list receives their bodies."""
    bodies: list[dict[str, Any]] = []

    def fulfil(route: Route) -> None:
        bodies.append(json.loads(route.request.post_data or "{}"))
        route.fulfill(status=status, json=body)

    visitor.page.route(pattern, fulfil)
    return bodies
