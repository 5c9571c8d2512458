"""`sluice channels`, `silences`, `maintenance` and `alerts deliveries`; the server answers what the test says."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from sluice_cli import channels_view
from sluice_cli.main import app as cli
from unit.cli.platform import KEY
from unit.cli.playback import Answer, Playback
from unit.cli.test_commands import sluice

TIME = "2026-03-01T12:00:00+00:00"
ID = "6f1c2a9b-0000-4000-8000-000000000001"
CHANNEL: dict[str, Any] = {
    "id": ID,
    "application": "shop",
    "name": "On call",
    "kind": "webhook",
    "target": "https://hooks.example.com/…",
    "min_severity": "warning",
    "enabled": True,
    "old_secret_until": None,
    "last_attempt": {"result": "failed", "code": "timeout", "at": TIME},
    "created_at": TIME,
    "created_by": "abc",
}
MATCHERS = [{"label": "rule", "is": "=", "value": "Errors"}, {"label": "host", "is": "=~", "value": "web-.*"}]
SILENCE: dict[str, Any] = {
    "id": ID,
    "application": "shop",
    "status": "active",
    "matchers": MATCHERS,
    "starts_at": TIME,
    "ends_at": "2026-03-01T14:00:00+00:00",
    "comment": "known \x1b[31m",
    "created_by": "abc",
    "created_at": TIME,
}
WEEKLY = {"weekdays": ["sunday"], "start": "22:00", "duration_minutes": 240, "time_zone": "Europe/Berlin"}
WINDOW: dict[str, Any] = {**SILENCE, "matchers": [], "starts_at": None, "ends_at": None, "weekly": WEEKLY}
DELIVERY: dict[str, Any] = {
    "event": 7,
    "kind": "firing",
    "incident": ID,
    "application": "shop",
    "channel": {"id": ID, "name": "On call", "kind": "webhook"},
    "status": "failed",
    "reason": None,
    "muted_by": None,
    "message": ID,
    "attempts": 9,
    "last_attempt": {"result": "failed", "code": "receiver_failed", "detail": "no \x1b[31m", "status": 500, "at": TIME},
    "next_attempt_at": None,
    "finished_at": TIME,
    "decided_at": TIME,
}


@pytest.fixture(autouse=True)
def at_this_server(server: Playback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_URL", server.url)
    monkeypatch.setenv("SLUICE_API_KEY", KEY)


def channels(answer: dict[str, Any], status: int = 200) -> Any:
    """Lists one channel, and answers everything else with ``answer``."""
    page = {"channels": [CHANNEL], "next_cursor": None}
    return lambda request: Answer(200, page) if request.method == "GET" else Answer(status, answer)


def shown(table: Any) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_a_webhooks_secret_stands_alone_on_stdout(server: Playback) -> None:
    server.answers(Answer(201, {"channel": CHANNEL | {"signing_secret": "whsec_abc"}}))
    result = sluice("channels", "create", "On call", "webhook", "https://hooks.example.com/x", "--app", "shop")
    assert (result.exit_code, result.stdout) == (0, "whsec_abc\n")
    assert "shown once" in result.stderr
    assert server.requests[0].json() == {
        "name": "On call",
        "kind": "webhook",
        "target": "https://hooks.example.com/x",
        "min_severity": "info",
        "application": "shop",
    }


def test_a_target_can_come_from_standard_input(server: Playback) -> None:
    server.answers(Answer(201, {"channel": CHANNEL | {"kind": "slack"}}))
    result = sluice("channels", "create", "Ops", "slack", "-", stdin=b"https://hooks.slack.com/services/s3cret\n")
    assert server.requests[0].json()["target"] == "https://hooks.slack.com/services/s3cret"
    assert "s3cret" not in result.output
    assert "Channel 'On call' of shop created" in result.stdout


def test_channels_are_found_by_name_or_the_beginning_of_an_id(server: Playback) -> None:
    server.play = channels({"channel": CHANNEL, "deleted": CHANNEL})
    assert sluice("channels", "edit", "On call", "--off", "--min-severity", "critical").exit_code == 0
    assert server.requests[-1].json() == {"enabled": False, "min_severity": "critical"}
    assert sluice("channels", "delete", "6f1c").exit_code == 0
    assert (server.requests[-1].method, server.requests[-1].path) == ("DELETE", f"/api/channels/{ID}")
    missing = sluice("channels", "delete", "other")
    assert (missing.exit_code, "There is no channel" in missing.stderr) == (2, True)
    nothing = sluice("channels", "edit", "On call")
    assert (nothing.exit_code, "Nothing to change" in nothing.stderr) == (2, True)


def test_a_test_that_does_not_arrive_is_a_failure(server: Playback) -> None:
    told = {"message": ID, "delivered": False, "code": "timeout", "status": None, "detail": "no answer in time"}
    server.play = channels(told)
    result = sluice("channels", "test", "On call")
    assert (result.exit_code, "timeout no answer in time" in result.stderr) == (1, True)
    server.play = channels(told | {"delivered": True, "code": "delivered", "status": 200})
    assert (sluice("channels", "test", "On call").exit_code, server.requests[-1].path) == (
        0,
        f"/api/channels/{ID}/test",
    )


def test_a_secret_is_rotated(server: Playback) -> None:
    server.play = channels({"channel": CHANNEL | {"signing_secret": "whsec_new"}})
    assert sluice("channels", "rotate", "On call").stdout == "whsec_new\n"


def test_a_silence_is_made_of_matchers(server: Playback) -> None:
    server.answers(Answer(201, {"silence": SILENCE}))
    result = sluice(
        "silences", "create", "rule=Errors", "host=~web-.*", "zone!=a=b", "--for", "2h", "--comment", "known"
    )
    assert result.exit_code == 0, result.output
    sent = server.requests[0].json()
    assert sent["matchers"] == [*MATCHERS, {"label": "zone", "is": "!=", "value": "a=b"}]
    assert sent["comment"] == "known"
    assert datetime.fromisoformat(sent["ends_at"]).tzinfo is not None
    for arguments in (["rule"], ["rule=Errors"], ["rule=Errors", "--for", "1h", "--until", TIME]):
        extra = ["--for", "1h"] if arguments == ["rule"] else []
        assert sluice("silences", "create", *arguments, *extra).exit_code == 2


def test_a_silence_is_ended(server: Playback) -> None:
    server.play = lambda request: Answer(
        200, {"silences": [SILENCE], "next_cursor": None} if request.method == "GET" else {"silence": SILENCE}
    )
    assert sluice("silences", "expire", "6f1c").exit_code == 0
    assert server.requests[-1].path == f"/api/silences/{ID}"
    assert sluice("silences", "list", "--all").exit_code == 0
    assert server.requests[-1].query["status"] == "all"


def test_windows_are_once_or_weekly(server: Playback) -> None:
    server.answers(Answer(201, {"maintenance_window": WINDOW}))
    result = sluice(
        "maintenance", "create", "--weekly", "sun,Wednesday", "--at", "22:00", "--for", "4h", "--zone", "UTC"
    )
    assert result.exit_code == 0, result.output
    about = {"weekdays": ["sunday", "wednesday"], "start": "22:00", "duration_minutes": 240, "time_zone": "UTC"}
    assert server.requests[0].json() == {"matchers": [], "comment": "", "weekly": about}
    assert sluice("maintenance", "create", "rule=x", "--at", TIME, "--for", "90m").exit_code == 0
    sent = server.requests[1].json()
    starts_at, ends_at = (datetime.fromisoformat(sent[name]) for name in ("starts_at", "ends_at"))
    assert (starts_at.isoformat(), ends_at - starts_at) == (TIME, timedelta(minutes=90))
    assert sluice("maintenance", "create", "--weekly", "someday").exit_code == 2


def test_a_window_is_deleted(server: Playback) -> None:
    server.play = lambda request: Answer(
        200, {"maintenance_windows": [WINDOW]} if request.method == "GET" else {"deleted": WINDOW}
    )
    assert sluice("maintenance", "delete", "6f1c").exit_code == 0
    assert server.requests[-1].path == f"/api/maintenance-windows/{ID}"


def test_deliveries_are_asked_for(server: Playback) -> None:
    server.answers(Answer(200, {"deliveries": [DELIVERY], "next_cursor": None}))
    result = sluice("alerts", "deliveries", "--status", "failed", "--app", "shop")
    assert json.loads(result.stdout)["event"] == 7
    assert server.requests[0].query == {"limit": "50", "status": "failed", "application": "shop"}


def test_tables_show_what_matters_and_obey_nobody() -> None:
    text = shown(channels_view.channel_table([CHANNEL, CHANNEL | {"last_attempt": None, "enabled": False}]))
    assert "failed 2026-03-01 12:00:00 (timeout)" in text
    assert "never" in text
    text = shown(channels_view.silence_table([SILENCE]))
    assert "rule=Errors host=~web-.*" in text
    assert "\x1b[31m" not in text
    text = shown(channels_view.window_table([WINDOW, WINDOW | {"weekly": None, "starts_at": TIME, "ends_at": TIME}]))
    assert "sun 22:00 for 240 min, Europe/Berlin" in text
    assert "everything" in text
    text = shown(channels_view.delivery_table([DELIVERY, DELIVERY | {"last_attempt": None, "reason": "silence"}]))
    assert "receiver_failed no" in text
    assert "silence" in text
    assert "\x1b[31m" not in text


def test_the_commands_are_there() -> None:
    names = {group.name for group in cli.registered_groups}
    assert {"channels", "silences", "maintenance"} <= names
