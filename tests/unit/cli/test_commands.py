import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sluice_cli.main import app, global_options_first
from unit.cli.platform import KEY, KEY_ID, Platform, function_error
from unit.cli.playback import Answer, Playback, Request, problem


def sluice(*arguments: str, stdin: bytes | None = None) -> Result:
    """Runs a command; an unexpected exception fails the test."""
    return CliRunner().invoke(app, list(arguments), input=stdin, catch_exceptions=False)


def test_an_application_gets_a_key_and_the_key_stands_alone_on_stdout(platform: Platform) -> None:
    assert sluice("apps", "create", "checkout").stdout == "Application checkout created.\n"
    result = sluice("keys", "create", "checkout")
    assert result.exit_code == 0
    assert result.stdout == f"{KEY}\n"
    assert "shown once" in result.stderr
    assert "for: ingest\n" in result.stderr


def test_scopes_and_expiry_are_handed_on(platform: Platform) -> None:
    platform.applications.append("checkout")
    arguments = ("--scope", "read", "--scope", "admin", "--expires", "2027-01-01T00:00:00Z", "--json")
    key = json.loads(sluice("keys", "create", "checkout", *arguments).stdout)
    assert (key["scopes"], key["expires_at"]) == (["read", "admin"], "2027-01-01T00:00:00Z")


def test_lists_are_whole_and_without_escape_codes_in_a_pipe(platform: Platform) -> None:
    platform.applications += ["checkout", "a-name-" + "x" * 150]
    apps, keys = sluice("apps", "list").stdout, sluice("keys", "list", "checkout").stdout
    assert platform.applications[1] in apps
    assert KEY_ID in keys
    assert "never" in keys
    assert "\x1b" not in apps + keys


def test_revoke(platform: Platform) -> None:
    assert f"Key {KEY_ID} is revoked" in sluice("keys", "revoke", KEY_ID).stdout


def test_a_function_error_is_one_line_with_its_code(platform: Platform) -> None:
    platform.applications.append("checkout")
    result = sluice("apps", "create", "checkout")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "sluice: application_exists: checkout is there already\n"


def test_an_unexpected_function_error_says_where_to_look(server: Playback, platform: Platform) -> None:
    server.answers(function_error("ZeroDivisionError", "division by zero"))
    result = sluice("drain")
    assert result.exit_code == 1
    assert "sluice-local-drain failed: division by zero" in result.stderr
    assert "make logs" in result.stderr


def test_send_then_drain_then_read_back(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    file.write_text("".join(f"2026-11-24T12:00:00Z ERROR number {number}\n" for number in range(2500)))
    assert sluice("send", str(file)).stdout == "2500 sent, 2500 accepted, 0 rejected\n"
    assert "2,500" in sluice("drain").stdout
    logs = [json.loads(line) for line in sluice("logs", "--since", "-15m", "--limit", "1200").stdout.splitlines()]
    assert len(logs) == 1200
    assert logs[0]["level"] == "ERROR"
    assert sluice("ledger").exit_code == 0


def test_rejected_lines_are_reported_and_end_in_exit_code_1(platform: Platform) -> None:
    result = sluice("send", "-", "--batch-size", "2", stdin=b'fine\n\n{"message": "m", "level": []}\nfine\n')
    assert result.exit_code == 1
    assert result.stdout == "3 sent, 2 accepted, 1 rejected\n"
    assert "line 3: invalid_level: expected text (#/level)" in result.stderr


def test_send_tells_how_to_go_on_after_an_outage(server: Playback, platform: Platform, tmp_path: Path) -> None:
    accepted = Answer(202, {"accepted": 2, "batch_id": "b" * 32, "rejected": []})
    outage = problem(503, "queue_unavailable", "Later.")
    server.answers(accepted, *[Answer(503, outage.content, {"Retry-After": "0"})] * 9)
    file = tmp_path / "a log"
    file.write_text("1\n2\n3\n4\n")
    result = sluice("send", str(file), "--batch-size", "2", "--url", f"{server.url}/v1")
    assert result.exit_code == 4
    assert result.stdout == "2 sent, 2 accepted, 0 rejected\n"
    assert f"tail -n +3 '{file}' | sluice send -" in result.stderr


def test_a_wrong_key_and_no_key(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    result = sluice("ledger", "--key", "slc_wrong")
    assert result.exit_code == 3
    assert "401 invalid_key: The key is not known" in result.stderr
    monkeypatch.delenv("SLUICE_API_KEY")
    result = sluice("logs")
    assert result.exit_code == 2
    assert "sluice keys create APP" in result.stderr


def test_a_ledger_that_does_not_balance_ends_in_exit_code_1(platform: Platform) -> None:
    platform.accepted = 3
    assert sluice("ledger").exit_code == 1
    assert json.loads(sluice("ledger", "--json").stdout)["total"]["unaccounted"] == 3


def test_failed_chunks_end_in_exit_code_1(server: Playback, platform: Platform) -> None:
    server.answers(Answer(200, {**platform.drain(), "chunks_failed": 2}))
    result = sluice("drain")
    assert result.exit_code == 1
    assert "2 chunks failed" in result.stderr


def test_force_reaches_the_drain(server: Playback, platform: Platform) -> None:
    sluice("drain")
    sluice("drain", "--force")
    assert [request.json() for request in server.requests] == [{}, {"is_forced": True}]


def test_a_queue_that_was_rolled_back_is_a_warning_not_a_number(server: Playback, platform: Platform) -> None:
    ledger = platform.ledger(Request("GET", "/v1/api/ledger", {}, {}, b"")).content
    assert isinstance(ledger, dict)
    assert "rolled back" not in sluice("ledger").stderr
    for entry in (ledger["total"], *ledger["applications"]):
        entry["queue_rolled_back"] = True
    server.answers(Answer(200, ledger))
    result = sluice("ledger", "--url", f"{server.url}/v1")
    assert result.exit_code == 0
    assert "rolled back" in result.stderr
    assert "Applications: demo." in result.stderr
    assert "True" not in result.stdout


def test_status(server: Playback, platform: Platform) -> None:
    result = sluice("status")
    assert result.exit_code == 0
    assert f"{server.url}/v1" in result.stdout


def test_a_stage_that_is_not_deployed(platform: Platform) -> None:
    for command in (("status",), ("drain",)):
        result = sluice(*command, "--stage", "prod")
        assert result.exit_code == 1
        assert "Stage 'prod' is not deployed" in result.stderr
        assert "make deploy" in result.stderr


def test_a_stack_that_is_down(server: Playback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for command in (("status",), ("apps", "list"), ("drain",)):
        result = sluice(*command)
        assert result.exit_code == 4
        assert result.stderr == "sluice: Nothing answers at http://127.0.0.1:9. Start the stack with `make up`.\n"


def test_no_stack_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    result = sluice("apps", "list")
    assert result.exit_code == 2
    assert "make up" in result.stderr
    assert "AWS_PROFILE" in result.stderr


def test_a_profile_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    result = sluice("drain")
    assert result.exit_code == 2
    assert "nobody" in result.stderr


@pytest.mark.parametrize("file", ["missing.log", "."])
def test_a_file_that_cannot_be_read(platform: Platform, file: str) -> None:
    result = sluice("send", file)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"sluice: Cannot read {file}")


def test_global_options_may_stand_anywhere_before_a_double_dash() -> None:
    words = ["logs", "--url", "u", "--json", "--key=k", "--", "--stage", "x"]
    assert global_options_first(words) == ["--url", "u", "--key=k", "logs", "--json", "--", "--stage", "x"]
    assert global_options_first(["logs", "--key"]) == ["--key", "logs"]


def test_help_loads_no_driver() -> None:
    code = "import sys, sluice_cli.main; print(sorted({'boto3', 'requests', 'localstack_client'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    "command",
    [
        *("apps create", "apps list", "apps show", "apps rename", "apps disable", "apps enable", "apps limits"),
        *("keys create", "keys list", "keys rotate", "keys revoke", "send", "logs"),
        *("tail", "histogram", "show"),
        *("drain", "queue", "invoke", "load"),
        *("dlq list", "dlq show", "dlq redrive", "dlq drop"),
    ],
)
def test_every_command_has_an_example(command: str) -> None:
    assert f"sluice {command}" in " ".join(sluice(*command.split(), "--help").output.split())
