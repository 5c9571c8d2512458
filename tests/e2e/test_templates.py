"""From HTTP to HTTP: what was sent is counted by template, every log once."""

import secrets
import time
from datetime import UTC, datetime
from typing import Any

import requests


def test_templates_count_what_was_sent(url: str, key: str) -> None:
    """Among whatever else the application logs: the words are this test's own."""
    noun = "".join(secrets.choice("bcdfgh") for _ in range(10))
    now = datetime.now(UTC).isoformat()
    logs = [{"message": f"{noun} {n} placed by user {n % 7}", "timestamp": now} for n in range(30)]
    logs += [{"message": f"{noun} storage is full", "level": "error", "timestamp": now} for _ in range(5)]
    sent = requests.post(f"{url}/api/ingest", json=logs, headers={"X-API-Key": key}, timeout=30)
    assert sent.status_code == 202
    deadline = time.monotonic() + 80
    while sum(item["count"] for item in templates(url, key, noun)) < 35:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    placed, full = templates(url, key, noun)
    assert (placed["text"], placed["count"]) == (f"{noun} <*> placed by user <*>", 30)
    assert (full["text"], full["count"], full["levels"]) == (f"{noun} storage is full", 5, {"ERROR": 5})
    assert full["example"] == f"{noun} storage is full"
    of_template = requests.get(
        f"{url}/api/logs", params={"q": f"template:{placed['id']}"}, headers={"X-API-Key": key}, timeout=30
    ).json()
    assert len(of_template["logs"]) == 30
    shown = requests.get(f"{url}/api/templates/{placed['id']}", headers={"X-API-Key": key}, timeout=30).json()
    assert [place["distinct"] for place in shown["parameters"]["places"]] == [30, 7]


def templates(url: str, key: str, word: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{url}/api/templates", params={"q": word}, headers={"X-API-Key": key}, timeout=30)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["templates"]
    return found
