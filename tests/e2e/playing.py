"""Weeks of logs with incidents of known cause, sent at once under their old times.

SLUICE_E2E_SCENARIOS names the seeds (1-20); a few without it. Imports nothing of Sluice.
"""

import gzip
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

import requests

from scenarios.applications import THIN
from scenarios.model import DAY, Scenario
from scenarios.records import logs
from scenarios.scenario import EVENTFUL, LEARNING, make_scenario
from scenarios.seeds import parse_seeds

SEEDS = parse_seeds(os.environ.get("SLUICE_E2E_SCENARIOS", "3,4"))
BATCH = 5_000
PATIENCE_SECONDS = 60 + 20 * len(SEEDS)
TIMEOUT_SECONDS = 120 + 60 * len(SEEDS)  # of a test


@dataclass(frozen=True)
class Played:
    """A scenario that was sent, by the key of its application."""

    scenario: Scenario
    url: str
    key: str

    def get(self, path: str, **parameters: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}{path}", params=parameters, headers={"X-API-Key": self.key}, timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@dataclass(frozen=True)
class Sent:
    """Scenarios whose logs are all stored; `counting` ends when they are all counted, too."""

    played: list[Played]
    counting: threading.Thread


def scenarios() -> list[Scenario]:
    """Of all seeds. Their incidents are in the last whole week before today."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    monday = today - LEARNING - EVENTFUL
    monday -= monday.weekday() * DAY
    return [make_scenario(seed, monday, THIN, 1, calm=timedelta()) for seed in SEEDS]


def send(played: Played) -> int:
    """How many logs were taken in."""
    all_logs = list(logs(played.scenario, played.scenario.applications[0]))
    headers = {"X-API-Key": played.key, "Content-Encoding": "gzip", "Content-Type": "application/json"}
    for batch in batched(all_logs, BATCH, strict=False):
        body = gzip.compress(json.dumps(batch).encode(), 1)
        answer = requests.post(f"{played.url}/api/ingest", body, headers=headers, timeout=60)
        assert answer.status_code == 202, answer.text
    return len(all_logs)


def stored(played: Played) -> int:
    (counts,) = played.get("/api/ledger")["applications"]
    return int(counts["stored"])


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {PATIENCE_SECONDS} s"
        time.sleep(0.5)
