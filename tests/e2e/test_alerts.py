"""From logs to incidents: rules are judged where the deployment runs them, and late logs change what was said."""

import json
import secrets
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from deployment import ENVIRONMENT

PATIENCE_SECONDS = 60  # the schedule runs each minute, too: one run may find the other at work


class Client:
    """One application's key, which may send, read and keep rules."""

    def __init__(self, url: str, key: str, operator: dict[str, str]) -> None:
        self._url, self._headers, self._operator = url, {"X-API-Key": key}, operator

    def call(self, method: str, path: str, **request: Any) -> Any:
        answer = requests.request(method, self._url + path, headers=self._headers, timeout=30, **request)
        assert answer.ok, answer.text
        return answer.json()

    def send(self, count: int, at: datetime) -> None:
        """Sends errors that happened at this time."""
        word = secrets.token_hex(4)
        for first in range(0, count, 5_000):
            logs = [
                {"message": f"payment {word} {number} failed", "level": "error", "timestamp": at.isoformat()}
                for number in range(first, min(first + 5_000, count))
            ]
            assert self.call("POST", "/api/ingest", json=logs)["accepted"] == len(logs)

    def rule(self, **members: Any) -> int:
        """The id of a new rule for errors."""
        made = self.call("POST", "/api/rules", json={"query": "level:>=error", **members})
        return int(made["rule"]["id"])

    def incidents(self, rule_id: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/api/incidents", params={"rule": str(rule_id)})["incidents"]
        return found

    def observed(self, rule_id: int) -> list[float]:
        """How much there was each time that the rule would have fired lately."""
        tested = self.call("POST", "/api/rules/test", json={"rule": rule_id, "since": "-2h"})
        return [one["observed"] for one in tested["would_fire"]]

    def watch(self) -> dict[str, Any]:
        """Has rules judged now, as the schedule does."""
        command = [str(ENVIRONMENT / "sluice"), "invoke", "watch"]
        done = subprocess.run(command, env=self._operator, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def watch_until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.5)
            self.watch()


@pytest.fixture
def client(url: str, make_key: Callable[..., str], operator_environment: dict[str, str]) -> Client:
    return Client(url, make_key("ingest", "read", "alerts"), operator_environment)


def test_twenty_thousand_late_logs_change_a_verdict_that_was_told(client: Client) -> None:
    """Their hour was judged, and all was well."""
    rule_id = client.rule(name="Errors", above=100, window_seconds=60, since="-2h")

    def judged_until() -> str:
        return str(client.call("GET", f"/api/rules/{rule_id}")["rule"]["last_evaluated_at"])

    now = datetime.now(UTC)
    client.watch_until(lambda: datetime.fromisoformat(judged_until()) > now - timedelta(minutes=2))
    assert client.incidents(rule_id) == []
    hour_ago = (now - timedelta(hours=1)).replace(second=30, microsecond=0)
    client.send(20_000, hour_ago)
    client.watch_until(lambda: bool(client.incidents(rule_id)))
    (incident,) = client.incidents(rule_id)
    (event,) = client.call("GET", f"/api/incidents/{incident['id']}")["events"]
    assert (event["kind"], event["payload"]["status"]) == ("corrected", "resolved")
    assert event["payload"]["correction"] == {"was": "ok", "is_withdrawn": False}
    window = event["payload"]["window"]
    assert datetime.fromisoformat(window["from"]) <= hour_ago < datetime.fromisoformat(window["until"])
    client.watch_until(lambda: client.observed(rule_id) == [20_000])  # all of them are stored by now
    assert len(client.call("GET", f"/api/incidents/{incident['id']}")["events"]) == 1


def test_a_burst_fires_and_resolves_within_seconds(client: Client) -> None:
    """A short window needs no patience: each run judges what is complete."""
    rule_id = client.rule(name="Burst", above=5, window_seconds=2)
    client.watch_until(lambda: client.call("GET", f"/api/rules/{rule_id}")["rule"]["last_evaluated_at"] is not None)
    client.send(30, datetime.now(UTC))
    client.watch_until(lambda: any(one["status"] == "resolved" for one in client.incidents(rule_id)))
    (incident,) = client.incidents(rule_id)
    events = client.call("GET", f"/api/incidents/{incident['id']}")["events"]
    assert [event["kind"] for event in events][-1] == "resolved"
    assert client.observed(rule_id) == [30]
