"""Weeks of logs with incidents of known cause, sent at once under their old times: what the deployment says of them.

SLUICE_E2E_SCENARIOS names the seeds (1-20); a few without it. Imports nothing of Sluice.
"""

import gzip
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Any

import pytest
import requests

from scenarios.applications import THIN
from scenarios.model import DAY, MINUTE, Scenario
from scenarios.records import logs
from scenarios.report import MOST_FALSE_ALARMS, NEEDED_SHARE, share_found, tables
from scenarios.scenario import EVENTFUL, LEARNING, make_scenario
from scenarios.scoring import Found, Score, score
from scenarios.seeds import parse_seeds

SLUICE = str(Path(__file__).resolve().parents[2] / "build" / "venv" / "bin" / "sluice")
SEEDS = parse_seeds(os.environ.get("SLUICE_E2E_SCENARIOS", "3,4"))
INTERVAL = 10 * MINUTE  # in which rates are judged
BATCH = 5_000
PATIENCE_SECONDS = 60 + 20 * len(SEEDS)


pytestmark = pytest.mark.timeout(120 + 60 * len(SEEDS))


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


@pytest.fixture(scope="module")
def played(
    url: str,
    make_key: Callable[..., str],
    operator_environment: dict[str, str],
    pause: Callable[[str], AbstractContextManager[None]],
) -> list[Played]:
    """All scenarios, each in an application of its own, sent, stored and watched."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    monday = today - LEARNING - EVENTFUL
    monday -= monday.weekday() * DAY
    all_played = [
        Played(make_scenario(seed, monday, THIN, 1, calm=timedelta()), url, make_key("ingest", "read"))
        for seed in SEEDS
    ]
    with pause("watch"):  # which would take the half of the past that it sees for all of it
        sent = [send(each) for each in all_played]
        until(lambda: [stored(each) for each in all_played] == sent)
        # What is received is counted by the minute, and looked at when that has been over for two seconds.
        time.sleep(65 - time.time() % 60)
    until(lambda: is_watched(operator_environment))
    return all_played


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


def is_watched(environment: dict[str, str]) -> bool:
    """Has the next part of the past looked at."""
    command = [SLUICE, "invoke", "watch", "--event", "{}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    return not answer.get("busy") and not answer["anomalies"]["behind"]


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {PATIENCE_SECONDS} s"
        time.sleep(0.5)


def anomalies_of(played: Played) -> dict[str, dict[str, Any]]:
    """By id, from all pages."""
    since, until = played.scenario.judged_from.isoformat(), played.scenario.until.isoformat()
    cursor: dict[str, str] = {}
    found: dict[str, dict[str, Any]] = {}
    while True:
        answer = played.get("/api/anomalies", since=since, until=until, **cursor)
        found |= {each["id"]: each for each in answer["anomalies"]}
        if not answer["next_cursor"]:
            return found
        cursor = {"cursor": answer["next_cursor"]}


def scored(played: Played) -> Score:
    (application,) = played.scenario.applications
    found = [
        Found(
            kind=anomaly["kind"],
            templates=frozenset(each for each in application.templates if is_one_of(each.text, anomaly["templates"])),
            opened_at=datetime.fromisoformat(anomaly["opened_at"]),
            sentence=anomaly["sentence"],
            name=name,
        )
        for name, anomaly in anomalies_of(played).items()
    ]
    return score(played.scenario, {application.name: found}, INTERVAL)


def is_one_of(text: str, templates: list[dict[str, Any]]) -> bool:
    """Whether one of these templates, in which <*> stands for values, describes the text."""
    patterns = (".+".join(map(re.escape, template["text"].split("<*>"))) for template in templates)
    return any(re.fullmatch(pattern, text) for pattern in patterns)


def test_incidents_are_found_once_in_time_and_explained(played: list[Played]) -> None:
    scores = [scored(each) for each in played]
    report = "\n".join(tables(scores))
    sys.stdout.write(f"{report}\n")
    assert share_found(scores) >= NEEDED_SHARE, report
    assert max(len(found) for each in scores for found in each.beside.values()) <= MOST_FALSE_ALARMS, report


def test_the_query_of_an_anomaly_shows_its_logs(played: list[Played]) -> None:
    """And nothing else: from its onset until it was found, or the day before where there are too few of them."""
    for each in played:
        anomalies = anomalies_of(each)
        for judged in scored(each).judged:
            anomaly = anomalies[judged.found[0].name]
            ago = DAY if anomaly["kind"] in ("silence", "drop") else timedelta()
            onset, opened_at = (datetime.fromisoformat(anomaly[name]) - ago for name in ("onset", "opened_at"))
            window = {"since": onset.isoformat(), "until": opened_at.isoformat()}
            messages = [
                log["message"] for log in each.get("/api/logs", q=anomaly["query"], limit="100", **window)["logs"]
            ]
            assert messages, anomaly
            assert all(is_one_of(message, anomaly["templates"]) for message in messages), (anomaly, messages)
