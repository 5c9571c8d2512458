"""`sluice templates` and `sluice template` against a server that answers what the test says."""

import json
from typing import Any

import pytest
from rich.console import Console

from sluice_cli import render
from unit.cli.platform import KEY
from unit.cli.playback import Answer, Playback
from unit.cli.test_commands import sluice

TEMPLATE: dict[str, Any] = {
    "id": 17,
    "application": "shop",
    "text": "payment <*> declined after <*> ms",
    "name": "Declined",
    "ignored": False,
    "count": 1_200,
    "share": 0.25,
    "levels": {"ERROR": 1_200},
    "first_seen": "2026-03-01T12:00:00+00:00",
    "last_seen": "2026-03-02T12:00:00+00:00",
    "trend": [1_200],
}
PLACES = [
    {
        "distinct": 2,
        "top": [{"value": "80", "count": 2}, {"value": "120", "count": 1}],
        "number": {"least": 80.0, "mean": 93.0, "most": 120.0},
    },
    {"distinct": 1, "top": [{"value": "visa", "count": 3}], "number": None},
]


@pytest.fixture(autouse=True)
def at_this_server(server: Playback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_URL", server.url)
    monkeypatch.setenv("SLUICE_API_KEY", KEY)


def test_templates_are_asked_for_by_words_and_time(server: Playback) -> None:
    server.answers(Answer(200, {"templates": [TEMPLATE], "health": []}))
    result = sluice("templates", "payment", "--since", "-2h", "--order", "first_seen")
    assert json.loads(result.stdout)["id"] == 17
    asked = server.requests[0]
    assert asked.path == "/api/templates"
    assert (asked.query["q"], asked.query["order"], asked.query["limit"]) == ("payment", "first_seen", "30")
    assert asked.query["since"].endswith("Z")


def test_one_template(server: Playback) -> None:
    server.answers(Answer(200, {"template": TEMPLATE, "parameters": {"sampled": 3, "places": PLACES}, "examples": []}))
    assert json.loads(sluice("template", "17").stdout)["template"]["id"] == 17
    assert server.requests[0].path == "/api/templates/17"


def test_tables_show_names_shares_and_what_stands_in_places() -> None:
    console = Console(width=200, record=True, file=None)
    with console.capture() as shown:
        console.print(render.template_table([TEMPLATE]))
        console.print(render.place_table(PLACES))
    for text in ("Declined · payment <*>", "1,200", "25.0%", "80 (2), 120 (1)", "80 to 120, mean 93", "visa (3)"):
        assert text in shown.get()
