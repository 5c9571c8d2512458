"""`sluice drain --until-empty`, `sluice queue` and `sluice invoke` as an operator sees them."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from sluice_cli import queue_view
from sluice_cli.commands import drain
from sluice_cli.main import app
from unit.cli.platform import Platform, queue_shard
from unit.cli.playback import Answer, Playback, Request

HEADER = {"application_id": 7, "application": "checkout", "record_count": 1000}


def sluice(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin, catch_exceptions=False)


def pending(**changes: Any) -> dict[str, Any]:
    entry = {"entry_id": "1-0", "consumer": "drain", "age_seconds": 200.0, "idle_seconds": 3.0, "deliveries": 2}
    return {**entry, "header": HEADER, **changes}


def passes(platform: Platform, *backlogs: int, **counts: int) -> list[Answer]:
    return [Answer(200, {**platform.drain(), "backlog_entries": backlog, **counts}) for backlog in backlogs]


def test_drains_until_the_queue_is_empty(server: Playback, platform: Platform) -> None:
    server.answers(*passes(platform, 9, 4, 0, stored=100, acknowledged=5))
    result = sluice("drain", "--until-empty", "--force", "--json")
    counts = json.loads(result.stdout)
    assert (result.exit_code, counts["outcome"], counts["passes"], counts["stored"]) == (0, "empty", 3, 300)
    assert [request.json() for request in server.requests] == [{"is_forced": True}] * 3
    assert "300 logs stored in 3 passes" in result.stderr


def test_gives_up_when_nothing_moves(server: Playback, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "_PAUSE_SECONDS", 0)
    server.answers(*passes(platform, 4, chunks_failed=1))
    result = sluice("drain", "--until-empty")
    assert result.exit_code == 1
    assert "Nothing moves any more" in result.stderr
    assert "4 queue entries left" in result.stderr


def test_ctrl_c_shows_what_was_done(server: Playback, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    server.answers(*passes(platform, 4))
    result = sluice("drain", "--until-empty", "--json")
    assert (result.exit_code, json.loads(result.stdout)["outcome"]) == (130, "interrupted")


def test_the_queue_in_tables(server: Playback, platform: Platform) -> None:
    share = {"application_id": 7, "application": "checkout", "entry_count": 2, "record_count": 2000}
    shares = [
        {**share, "size_bytes": 3000, "accepted_count": 9000},
        {**share, "application_id": 8, "application": None, "size_bytes": 1000, "accepted_count": 1},
        {**share, "application_id": None, "application": None, "size_bytes": 0, "accepted_count": 0},
    ]
    members = [{"name": "drain\x1b[2J", "pending_count": 30, "idle_seconds": 4.0}]
    group = {"pending_count": 30, "lag_count": None, "consumers": members}
    counts = {"entry_count": 5000, "read_count": 1000, "record_count": 4000, "size_bytes": 4000}
    entries = [
        pending(entry_id="2-0", age_seconds=5.0),
        pending(),
        pending(entry_id="3-0", header=None, idle_seconds=9e4),
    ]
    shard = queue_shard(**counts, oldest_seconds=200.0, group=group, applications=shares, pending=entries)
    server.answers(Answer(200, {"shards": [shard]}))
    text = sluice("queue").stdout
    for part in (
        "5,000",
        "4,000+",
        "unknown",
        "75%",
        "number 8",
        "(unreadable)",
        "27 more pending",
        "not read",
        "given back",
    ):
        assert part in text
    assert text.index("1-0") < text.index("2-0"), "oldest first"
    assert "\x1b" not in text
    assert server.requests[-1].json() == {"action": "queue", "max_pending": 20}


def test_a_queue_without_a_group_and_one_without_anything(server: Playback, platform: Platform) -> None:
    assert sluice("queue").exit_code == 0
    server.answers(Answer(200, {"shards": [queue_shard(entry_count=1, read_count=1, group=None)]}))
    assert "No consumer group yet" in sluice("queue").stdout
    assert json.loads(sluice("queue", "--json").stdout)["shards"][0]["group"] is None


def test_a_pending_entry_that_is_in_no_queue_is_gone(server: Playback, platform: Platform) -> None:
    group = {"pending_count": 1, "lag_count": 0, "consumers": []}
    server.answers(Answer(200, {"shards": [queue_shard(group=group, pending=[pending(header=None)])]}))
    assert "gone" in sluice("queue").stdout


def test_watching_goes_on_until_ctrl_c(server: Playback, platform: Platform) -> None:
    def play(request: Request) -> Answer:
        if len(server.requests) == 3:
            raise_in_main()
        return Answer(200, {"shards": [queue_shard()]})

    def raise_in_main() -> None:
        import _thread

        _thread.interrupt_main()

    server.play = play
    result = sluice("queue", "--watch", "--json", "--every", "0.5")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) >= 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.44, "0.4 s"), (99.0, "99 s"), (150.0, "2 min"), (86_400.0, "24 h"), (9e5, "10 d")],
)
def test_ages(seconds: float | None, text: str) -> None:
    assert queue_view.age(seconds) == text


def test_invoke_prints_what_the_function_returns(server: Playback, platform: Platform) -> None:
    server.answers(Answer(200, {"name": "größe"}))
    result = sluice("invoke", "process_chunk", "--event", '{"a": 1}')
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"name": "größe"})
    (request,) = server.requests
    assert (request.path.split("/")[3], request.json()) == ("sluice-local-process-chunk", {"a": 1})


def test_invoke_reads_its_event_from_a_file_or_standard_input(server: Playback, platform: Platform) -> None:
    server.answers(Answer(200, None))
    Path("event.json").write_text('{"from": "file"}')
    sluice("invoke", "drain", "--event", "@event.json")
    sluice("invoke", "drain", "--event", "-", stdin='{"from": "stdin"}')
    sluice("invoke", "drain")
    assert [request.json() for request in server.requests] == [{"from": "file"}, {"from": "stdin"}, {}]
    for event in ("{", "@missing.json", "@."):
        assert sluice("invoke", "drain", "--event", event).exit_code == 2


def test_invoke_shows_the_traceback_of_what_was_raised(server: Playback, platform: Platform) -> None:
    trace = ['  File "app.py", line 3, in handler\n    1 / 0\n', "\x1b[2Jsteering"]
    report = {"errorType": "ZeroDivisionError", "errorMessage": "division by zero", "stackTrace": trace}
    log = base64.b64encode(b"one line\n").decode()
    server.answers(Answer(200, report, {"X-Amz-Function-Error": "Unhandled", "X-Amz-Log-Result": log}))
    result = sluice("invoke", "query", "--tail-logs")
    assert (result.exit_code, result.stdout) == (1, "")
    assert 'File "app.py", line 3, in handler\n    1 / 0\n' in result.stderr
    assert "ZeroDivisionError: division by zero" in result.stderr
    assert "one line" in result.stderr
    assert "\x1b" not in result.stderr
    assert server.requests[0].headers["X-Amz-Log-Type"] == "Tail"


def test_invoke_does_not_wait_if_told_so(server: Playback, platform: Platform) -> None:
    result = sluice("invoke", "drain", "--async")
    assert (result.exit_code, result.stdout) == (0, "")
    assert server.requests[0].headers["X-Amz-Invocation-Type"] == "Event"
    assert sluice("invoke", "drain", "--async", "--tail-logs").exit_code == 2


def test_invoke_lists_the_functions_that_there_are(platform: Platform) -> None:
    result = sluice("invoke", "drian")
    assert result.exit_code == 1
    assert "no function 'drian'. This stage has: admin, drain." in result.stderr
