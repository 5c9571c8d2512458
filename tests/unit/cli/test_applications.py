"""`sluice apps` and `sluice keys`: what is asked of functions/admin, and what the operator sees."""

import json
from typing import Any

import pytest

from unit.cli.platform import KEY, KEY_ID, Platform
from unit.cli.playback import Playback
from unit.cli.test_commands import sluice


@pytest.fixture(autouse=True)
def checkout(platform: Platform) -> None:
    """An application."""
    platform.applications.append("checkout")


def asked(server: Playback) -> Any:
    return server.requests[-1].json()


def change(**changes: Any) -> dict[str, Any]:
    return {"action": "change_application", "application": "checkout", **changes}


@pytest.mark.parametrize(
    ("arguments", "changes", "told"),
    [
        (("rename", "checkout", "checkout-eu"), {"name": "checkout-eu"}, "now called checkout-eu"),
        (("disable", "checkout"), {"status": "disabled"}, "within 15 seconds"),
        (("enable", "checkout"), {"status": "active"}, "is active"),
    ],
)
def test_an_application_is_changed(
    server: Playback, arguments: tuple[str, ...], changes: dict[str, str], told: str
) -> None:
    result = sluice("apps", *arguments)
    assert result.exit_code == 0
    assert told in result.stdout
    assert asked(server) == change(**changes)
    assert json.loads(sluice("apps", *arguments, "--json").stdout).items() >= changes.items()


def test_limits_are_set_and_reset_one_by_one(server: Playback) -> None:
    arguments = ("--requests-per-second", "50", "--bytes-per-day", "default")
    shown = sluice("apps", "limits", "checkout", *arguments).stdout
    assert asked(server) == change(limits={"requests_per_second": 50, "bytes_per_day": None})
    assert [line.split(maxsplit=3)[-1].strip() for line in shown.splitlines()[2:]] == [
        "50",
        "the deployment's default",
        "the deployment's default",
    ]
    assert json.loads(sluice("apps", "limits", "checkout", *arguments, "--json").stdout)["requests_per_second"] == 50


def test_limits_are_shown_without_changing_any(server: Playback) -> None:
    assert "default" in sluice("apps", "limits", "checkout").stdout
    assert asked(server) == {"action": "show_application", "application": "checkout"}


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1.5", "9" * 19, "9" * 5_000, "\u0664"])
def test_a_limit_that_is_none(server: Playback, limit: str) -> None:
    result = sluice("apps", "limits", "checkout", f"--bytes-per-second={limit}")
    assert (result.exit_code, server.requests) == (2, [])
    assert "--bytes-per-second a whole number above 0" in result.stderr


def test_an_application_is_shown_with_its_keys() -> None:
    shown = sluice("apps", "show", "checkout").stdout
    assert "req/s" in shown
    assert KEY_ID in shown
    document = json.loads(sluice("apps", "show", "checkout", "--json").stdout)
    assert (document["name"], document["keys"][0]["key_id"]) == ("checkout", KEY_ID)


def test_an_unknown_application() -> None:
    for command in (("show", "nobody"), ("limits", "nobody"), ("disable", "nobody")):
        result = sluice("apps", *command)
        assert result.exit_code == 1
        assert result.stderr.startswith("sluice: unknown_application: ")


def test_keys_are_listed_with_what_an_operator_decides_by() -> None:
    headings, _, row = sluice("keys", "list", "checkout").stdout.splitlines()
    assert all(heading in headings for heading in ("scopes", "status", "last used", "expires", "rotated to"))
    assert all(cell in row for cell in (KEY_ID, "web-1", "ingest", "expired", "2026-11-25 08:30", "never"))


def test_a_description_is_handed_on(server: Playback) -> None:
    sluice("keys", "create", "checkout", "--description", "web-1")
    assert asked(server)["description"] == "web-1"


@pytest.mark.parametrize(
    ("arguments", "seconds", "told"),
    [((), 86_400, "after 24h"), (("--overlap", "30m"), 1_800, "after 30m"), (("--overlap", "0s"), 0, "after 15s")],
)
def test_the_successor_of_a_key_stands_alone_on_stdout(
    server: Playback, arguments: tuple[str, ...], seconds: int, told: str
) -> None:
    result = sluice("keys", "rotate", KEY_ID, *arguments)
    assert (result.exit_code, result.stdout) == (0, f"{KEY}\n")
    assert told in result.stderr
    assert asked(server) == {"action": "rotate_key", "key_id": KEY_ID, "overlap_seconds": seconds}
    assert json.loads(sluice("keys", "rotate", KEY_ID, "--json").stdout)["key"] == KEY


@pytest.mark.parametrize("overlap", ["soon", "-1h", "24", "1y"])
def test_an_overlap_that_is_none(server: Playback, overlap: str) -> None:
    result = sluice("keys", "rotate", KEY_ID, f"--overlap={overlap}")
    assert (result.exit_code, server.requests) == (2, [])
    assert "no span of time" in result.stderr


@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_of_a_whole_key_only_the_id_is_sent(server: Playback, command: str) -> None:
    assert sluice("keys", command, KEY).exit_code == 0
    assert asked(server)["key_id"] == KEY_ID
    assert b"secret" not in server.requests[-1].body


def test_an_unknown_key() -> None:
    assert sluice("keys", "rotate", "nobody").stderr == "sluice: unknown_key: there is no key with this id\n"
    assert json.loads(sluice("keys", "revoke", KEY_ID, "--json").stdout)["status"] == "revoked"
