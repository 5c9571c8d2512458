"""`sluice dlq`: what is asked of functions/admin, and what the operator sees."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sluice_cli.commands import dlq
from unit.cli.platform import Platform, dead_letter
from unit.cli.playback import Answer, Playback
from unit.cli.test_commands import sluice


@pytest.fixture
def dead(platform: Platform) -> list[dict[str, Any]]:
    """Three dead letters of two applications; the last was never a log."""
    unread = {"application": None, "batch_id": None, "position": None, "reason": "unreadable_entry"}
    platform.dead += [dead_letter(1), dead_letter(2, application="shop", reason="crashed"), dead_letter(3, **unread)]
    return platform.dead


def events(server: Playback) -> list[Any]:
    return [request.json() for request in server.requests]


def test_a_table_of_the_newest_first(dead: list[dict[str, Any]]) -> None:
    result = sluice("dlq", "list")
    assert result.exit_code == 0
    _, _, *rows = result.stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["3", "2", "1"]
    assert "unreadable_entry" in rows[0]
    assert f"{'b' * 32}-1" in rows[2]
    assert "2026-11-24 12:00:00" in rows[2]


def test_a_list_is_narrowed(server: Playback, dead: list[dict[str, Any]]) -> None:
    arguments = ("--app", "shop", "--reason", "crashed", "--since", "-1h", "--until", "2026-11-24T12:00:00Z", "--json")
    (letter,) = map(json.loads, sluice("dlq", "list", *arguments).stdout.splitlines())
    assert letter["id"] == 2
    (event,) = events(server)
    age = datetime.now(UTC) - datetime.fromisoformat(event.pop("since"))
    assert timedelta(hours=1) <= age < timedelta(hours=1, minutes=1)
    assert event == {
        "action": "list_dead_letters",
        "application": "shop",
        "reason": "crashed",
        "until": "2026-11-24T12:00:00Z",
        "status": "open",
        "limit": 100,
    }


def test_an_empty_list_says_so(platform: Platform) -> None:
    result = sluice("dlq", "list", "--status", "dropped")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "No dead letter is dropped" in result.stderr


@pytest.mark.parametrize(("limit", "shown"), [("1200", 1200), ("501", 501), ("5000", 1300)])
def test_pages_are_followed_up_to_the_limit(server: Playback, platform: Platform, limit: str, shown: int) -> None:
    platform.dead += [dead_letter(number) for number in range(1, 1301)]
    ids = [json.loads(line)["id"] for line in sluice("dlq", "list", "--limit", limit, "--json").stdout.splitlines()]
    assert ids == list(range(1300, 1300 - shown, -1))
    assert all(event["limit"] <= dlq.PAGE_LETTERS for event in events(server))


def test_show(dead: list[dict[str, Any]]) -> None:
    shown = sluice("dlq", "show", "1").stdout
    assert "sqlstate_22p05" in shown
    assert "text" in shown
    assert json.loads(sluice("dlq", "show", "1", "--json").stdout)["queued"] == "7\ttext"
    result = sluice("dlq", "show", "99")
    assert result.exit_code == 1
    assert result.stderr == "sluice: unknown_dead_letter: there is no dead letter 99\n"


def test_redrive(server: Playback, dead: list[dict[str, Any]]) -> None:
    result = sluice("dlq", "redrive", "--id", "1", "--id", "2")
    assert (result.exit_code, result.stdout) == (0, "2 redriven, 0 failed\n")
    assert events(server) == [{"action": "redrive_dead_letters", "ids": [1, 2]}]
    assert sluice("dlq", "redrive", "--id", "1").stdout == "0 redriven, 0 failed\n"


def test_what_cannot_be_redriven_ends_in_exit_code_1(dead: list[dict[str, Any]]) -> None:
    result = sluice("dlq", "redrive", "--all")
    assert (result.exit_code, result.stdout) == (1, "2 redriven, 1 failed\n")
    assert "sluice dlq list" in result.stderr
    assert json.loads(sluice("dlq", "redrive", "--all", "--json").stdout) == {"redriven": 0, "failed": 1}


@pytest.mark.parametrize("command", [("redrive",), ("drop", "--yes")])
@pytest.mark.parametrize("selection", [(), ("--all", "--app", "shop")])
def test_a_selection_is_explicit(server: Playback, platform: Platform, command: Any, selection: Any) -> None:
    result = sluice("dlq", *command, *selection)
    assert result.exit_code == 2
    assert "--all" in result.stderr
    assert server.requests == []


def test_nothing_is_dropped_unless_somebody_confirms(
    server: Playback, dead: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = sluice("dlq", "drop", "--all")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    monkeypatch.setattr(dlq, "_is_terminal", lambda: True)
    result = sluice("dlq", "drop", "--app", "shop", stdin=b"n\n")
    assert result.exit_code == 1
    assert "application shop" in result.stderr
    assert server.requests == []
    assert sluice("dlq", "drop", "--app", "shop", stdin=b"y\n").stdout.endswith("1 dropped\n")


def test_drop_without_asking(server: Playback, dead: list[dict[str, Any]]) -> None:
    assert sluice("dlq", "drop", "--all", "--yes").stdout == "3 dropped\n"
    assert events(server) == [{"action": "drop_dead_letters", "all": True}]
    assert json.loads(sluice("dlq", "drop", "--id", "1", "--yes", "--json").stdout) == {"dropped": 0}


def test_a_time_that_is_none(server: Playback, platform: Platform) -> None:
    server.answers(Answer(500))
    result = sluice("dlq", "list", "--since", "yesterday")
    assert result.exit_code == 2
    assert "'yesterday' is no time" in result.stderr
