"""`sluice anomalies` against a server that answers what the test says."""

import json
from typing import Any

import pytest
from rich.console import Console

from sluice_cli import render
from unit.cli.platform import KEY
from unit.cli.playback import Answer, Playback
from unit.cli.test_commands import sluice

ANOMALY: dict[str, Any] = {
    "id": 17,
    "application": "shop",
    "onset": "2026-03-01T12:00:00+00:00",
    "last_seen": "2026-03-01T13:00:00+00:00",
    "status": "closed",
    "score": 0.8123,
    "sentence": "ERROR logs: 40 in 10 minutes, where about 2 were expected",
    "query": "level:error",
    "templates": [{"id": 3, "text": "payment <*> failed"}],
    "feedback": "noise",
    "corrected": True,
}


@pytest.fixture(autouse=True)
def at_this_server(server: Playback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_URL", server.url)
    monkeypatch.setenv("SLUICE_API_KEY", KEY)


def test_a_list_is_asked_for(server: Playback) -> None:
    server.answers(Answer(200, {"anomalies": [ANOMALY], "next_cursor": None}))
    result = sluice("anomalies", "list", "--app", "shop", "--status", "open", "--kind", "session", "--muted")
    assert json.loads(result.stdout) == ANOMALY
    (asked,) = server.requests
    assert asked.query.pop("since").endswith("Z")
    assert (asked.path, asked.query) == (
        "/api/anomalies",
        {"application": "shop", "kind": "session", "status": "open", "muted": "yes", "limit": "50"},
    )


@pytest.mark.parametrize(("word", "verdict"), [("noise", "noise"), ("useful", "useful"), ("none", None)])
def test_feedback_is_given_and_taken_back(server: Playback, word: str, verdict: str | None) -> None:
    server.answers(Answer(200, {"id": 17, "feedback": verdict}))
    assert sluice("anomalies", "feedback", "17", word).exit_code == 0
    (asked,) = server.requests
    assert (asked.method, asked.path) == ("PUT", "/api/anomalies/17/feedback")
    assert json.loads(asked.body) == {"verdict": verdict}


def test_a_backtest_is_gone_on_with_until_it_is_complete(server: Playback) -> None:
    begun = {"id": "b1", "progress": 0.4, "is_complete": False, "anomalies": []}
    server.answers(Answer(200, begun), Answer(200, begun | {"is_complete": True, "anomalies": [ANOMALY]}))
    result = sluice("anomalies", "backtest", "--app", "shop")
    assert json.loads(result.stdout) == ANOMALY
    assert "40% done" in result.stderr
    first, second = (json.loads(asked.body) for asked in server.requests)
    assert first["application"] == "shop"
    assert second == {"id": "b1"}


def test_people_read_one_sentence_for_each() -> None:
    console = Console(width=200, record=True, file=None)
    console.print(render.anomaly_table([ANOMALY, ANOMALY | {"id": None}]))
    text = console.export_text()
    assert "closed (corrected)" in text
    assert "where about 2 were expected [noise]" in text
