import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.__main__ import main
from demo.generate import generate
from demo.sources import MAX_FILE_BYTES, read_server_logs
from unit.cli.platform import KEY, Platform
from unit.cli.playback import Answer, Playback

END = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def state(platform: Platform, tmp_path: Path) -> Path:
    """State of a stack that is up: its env file and two log files."""
    state = tmp_path / "stack"
    (state / "logs").mkdir(parents=True)
    (state / "env").write_text(f"export AWS_ENDPOINT_URL={platform.url}\nexport SLUICE_API_KEY=old\n")
    (state / "logs/redis.log").write_text("1:M 24 Nov 2026 12:00:00.000 * Ready to accept connections\n" * 3)
    (state / "logs/postgres.log").write_text("2026-11-24 12:00:00.000 UTC [1] LOG:  ready\n")
    (state / "logs/empty.log").touch()
    return state


def test_all_that_was_accepted_is_stored(state: Path, platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--state", str(state), "--generated", "2500"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "demo: 2504 accepted, 2504 stored, 0 unaccounted"
    assert platform.applications == ["demo"]
    assert f"export SLUICE_API_KEY={KEY}" in (state / "env").read_text().splitlines()
    curl = next(line for line in lines if line.startswith("curl ") and "ingest" in line)
    assert KEY in curl
    assert f"{platform.url}/v1/api/ingest/" in curl
    assert any(line.startswith("CRITICAL") for line in lines)


def test_a_second_run_counts_only_itself(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--state", str(state), "--generated", "10"]
    assert main(arguments) == main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "demo: 14 accepted, 14 stored, 0 unaccounted"


def test_a_lost_log_is_told_with_the_true_numbers(
    state: Path, platform: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.steps._BALANCE_TIMEOUT_SECONDS", 0)
    lost = iter((True,))
    platform.lose = lambda _: next(lost, False)
    assert main(["--state", str(state), "--generated", "10"]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "demo: 14 accepted, 13 stored, 1 unaccounted"
    assert "1 accepted logs are not stored" in captured.err


def test_a_log_stored_twice_is_noticed(state: Path, platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    drain = platform.drain

    def twice() -> dict[str, int]:
        counts = drain()
        platform.stored += [{**platform.stored[0]}]
        return counts

    platform.drain = twice  # type: ignore[method-assign]  # a platform with a fault
    platform.accepted += 1  # so that the counters alone see nothing
    assert main(["--state", str(state), "--generated", "10"]) == 1
    assert "stored more than once" in capsys.readouterr().err


def test_without_a_stack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--state", str(tmp_path / "nothing")]) == 1
    captured = capsys.readouterr()
    assert "make up" in captured.err
    assert captured.out.splitlines()[-1] == "demo: 0 accepted, 0 stored, 0 unaccounted"


def test_a_stack_that_stops_half_way(
    state: Path, server: Playback, platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    server.play = lambda request: Answer(500, {}) if "ledger" in request.path else platform(request)
    assert main(["--state", str(state), "--generated", "10"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "demo: 14 accepted, 0 stored, 14 unaccounted"


def test_generated_logs_are_the_same_for_the_same_seed_and_plausible() -> None:
    logs = list(generate(5000, END, seed=7))
    assert logs == list(generate(5000, END, seed=7))
    assert logs != list(generate(5000, END, seed=8))
    times = [datetime.fromisoformat(log["timestamp"]) for log in logs]
    assert times == sorted(times)
    assert END - timedelta(hours=1) <= times[0]
    assert times[-1] <= END
    levels = Counter(log["level"] for log in logs)
    assert set(levels) == {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
    assert levels["INFO"] > levels["DEBUG"] > levels["ERROR"] > levels["CRITICAL"]
    assert {log["service"] for log in logs} == {"checkout", "auth", "payments", "search"}
    assert any("\n" in log["message"] for log in logs)
    assert any(not log["message"].isascii() for log in logs)
    assert not any("{" in log["message"] for log in logs)
    json.dumps(logs, allow_nan=False)


def test_of_a_long_server_log_only_the_last_whole_lines_are_taken(tmp_path: Path) -> None:
    line = "2026-11-24 12:00:00.000 UTC [1] LOG:  statement {:06}\n"
    (tmp_path / "postgres.log").write_text("".join(line.format(number) for number in range(60_000)))
    (source,) = read_server_logs(tmp_path)
    messages = [record["message"] for batch in source.batches for record in batch.records]
    assert messages[-1].endswith("059999")
    assert all(message.startswith("2026-11-24") for message in messages)
    assert sum(map(len, messages)) <= MAX_FILE_BYTES
