"""`sluice erase`: it asks until everything is gone, and shows the receipt."""

import json
from typing import Any

import pytest

from sluice_cli.commands import erase
from unit.cli.platform import Platform
from unit.cli.playback import Answer, Playback, Request
from unit.cli.test_commands import sluice

RECEIPT: dict[str, Any] = {
    "erasure_id": "e1",
    "application": "shop",
    "metadata_keys": ["user_id"],
    "digest": "d1",
    "checksum": None,
    "requested_at": "2026-11-24T12:00:00+00:00",
    "completed_at": None,
    "step": "rows",
    "deleted": {},
}
DONE = RECEIPT | {"step": "done", "completed_at": "now", "deleted": {"rows": 1200, "dead_letters": 1}, "checksum": "c1"}


def answering(server: Playback, *answers: dict[str, Any]) -> list[Any]:
    """functions/archive answers so, one after the other; returns events, drains as None, what admin was asked, too."""
    events: list[Any] = []
    upcoming = list(answers)

    def play(request: Request) -> Answer:
        if request.path.split("/")[3] == "sluice-local-drain":
            events.append(None)
            return Answer(200, {"stored": 1})
        events.append(request.json())
        if request.path.split("/")[3] == "sluice-local-admin":
            return Answer(200, {})
        return Answer(200, upcoming.pop(0))

    server.play = play
    return events


def test_it_goes_on_until_it_is_done(platform: Platform, server: Playback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase, "_PAUSE_SECONDS", 0)
    queue = {"erasure": RECEIPT | {"step": "queue"}, "waits": True}
    events = answering(server, queue, {"erasure": RECEIPT, "waits": False}, {"erasure": DONE, "waits": False})
    result = sluice("erase", "logs", "--app", "shop", "--metadata", "user_id=4=2", "--yes")
    assert result.exit_code == 0
    asked = {"action": "erase", "application": "shop", "metadata": {"user_id": "4=2"}}
    assert events == [asked, None, asked, asked, {"action": "forget_samples"}]
    assert "1,200 rows, 1 dead letters" in result.stdout
    assert "checksum c1" in result.stdout


def test_an_application_as_a_whole(platform: Platform, server: Playback) -> None:
    events = answering(server, {"erasure": DONE | {"metadata_keys": []}, "waits": False})
    result = sluice("erase", "logs", "--app", "shop", "--all", "--yes", "--json")
    assert events[0]["all"] is True
    assert json.loads(result.stdout)["step"] == "done"


@pytest.mark.parametrize(
    "arguments",
    [(), ("--metadata", "user_id=1", "--all"), ("--metadata", "user_id"), ("--metadata", "user_id=1")],
    ids=" ".join,
)
def test_what_is_not_clear_erases_nothing(platform: Platform, server: Playback, arguments: tuple[str, ...]) -> None:
    events = answering(server)
    yes = () if arguments == ("--metadata", "user_id=1") else ("--yes",)
    assert sluice("erase", "logs", "--app", "shop", *arguments, *yes).exit_code == 2
    assert events == []


def test_receipts(platform: Platform, server: Playback) -> None:
    events = answering(server, {"erasures": [DONE, RECEIPT]}, {"erasures": [DONE]}, {"erasures": []})
    shown = sluice("erase", "receipts").stdout
    assert shown.count("shop: user_id") == 2
    assert "not done: at rows" in shown
    assert json.loads(sluice("erase", "receipts", "e1", "--json").stdout) == [DONE]
    assert events[1] == {"action": "receipts", "id": "e1"}
    assert "Nothing was erased" in sluice("erase", "receipts").stderr
