"""What the deployment says of weeks of logs with incidents of known cause, which test_anomalies.py had taken in."""

import json
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e.playing import TIMEOUT_SECONDS, Played, Sent, until
from scenarios.model import DAY, MINUTE
from scenarios.report import MOST_FALSE_ALARMS, NEEDED_SHARE, share_found, tables
from scenarios.scoring import Found, Score, score

SLUICE = str(Path(__file__).resolve().parents[2] / "build" / "venv" / "bin" / "sluice")
INTERVAL = 10 * MINUTE  # in which rates are judged

pytestmark = pytest.mark.timeout(TIMEOUT_SECONDS)


@pytest.fixture(scope="module")
def played(sent: Sent, operator_environment: dict[str, str]) -> list[Played]:
    """All scenarios, watched to their end."""
    sent.counting.join()
    until(lambda: is_watched(operator_environment))
    return sent.played


def is_watched(environment: dict[str, str]) -> bool:
    """Has the next part of the past looked at."""
    command = [SLUICE, "invoke", "watch", "--event", "{}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    return not answer.get("busy") and not answer["anomalies"]["behind"]


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
