"""`sluice diff` against a server that answers what the test says."""

import json
from typing import Any

import pytest
from rich.console import Console

from sluice_cli import render
from unit.cli.platform import KEY
from unit.cli.playback import Answer, Playback
from unit.cli.test_commands import sluice

CHANGE = {
    "template": {"id": 17, "text": "retrying <*>", "name": None},
    "before": 0,
    "after": 1_200,
    "sentence": "“retrying <*>” came 1,200 times with 1.4.2, and never before",
}
DIFF: dict[str, Any] = {
    "application": "shop",
    "version": "1.4.2",
    "spans": [
        {
            "service": "cart",
            "before": {"versions": ["1.4.0", "1.4.1"], "since": "2026-03-01T12:00:00+00:00", "logs": 80_000},
            "after": {"since": "2026-03-08T12:00:00+00:00", "logs": 12_000},
        }
    ],
    "only_new": [CHANGE],
    "gone": [],
    "changed": [],
}


@pytest.fixture(autouse=True)
def at_this_server(server: Playback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_URL", server.url)
    monkeypatch.setenv("SLUICE_API_KEY", KEY)


def test_a_version_and_what_to_compare_it_with_are_asked_for(server: Playback) -> None:
    server.answers(Answer(200, DIFF))
    result = sluice("diff", "1.4.2", "--against", "1.4.1", "--service", "cart", "--app", "shop", "--since", "-2d")
    assert json.loads(result.stdout) == DIFF
    (asked,) = server.requests
    assert asked.path == "/api/diff"
    assert asked.query.pop("since").endswith("Z")
    assert asked.query == {"version": "1.4.2", "against": "1.4.1", "service": "cart", "application": "shop"}


def test_the_latest_version_needs_no_name(server: Playback) -> None:
    server.answers(Answer(200, DIFF))
    assert sluice("diff").exit_code == 0
    assert server.requests[0].query == {}


def test_people_read_what_was_compared_and_one_sentence_for_each_change() -> None:
    console = Console(width=200, record=True, file=None)
    (line,) = render.span_lines(DIFF)
    assert line == (
        "shop: cart 1.4.2, 12,000 logs since 2026-03-08 12:00 against 80,000 of 1.4.0, 1.4.1, since 2026-03-01 12:00"
    )
    with console.capture() as shown:
        console.print(render.change_table(DIFF))
    assert [word for word in shown.get().split() if word in ("new", "17", "1,200", "“retrying")] == [
        *("new", "17", "1,200", "“retrying"),
        "1,200",
    ]
    bare = {**DIFF["spans"][0], "service": None, "before": {**DIFF["spans"][0]["before"], "versions": []}}
    (line,) = render.span_lines({**DIFF, "spans": [bare]})
    assert line.startswith("shop: 1.4.2, 12,000 logs")
    assert "of logs without a version" in line
