"""`sluice logs`, `tail`, `histogram` and `show` against a server that answers what the test says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sluice_cli import render
from sluice_cli.commands.reading import mistake_lines
from unit.cli.platform import KEY
from unit.cli.playback import Answer, Playback, problem
from unit.cli.test_commands import sluice

MISTAKE = 'level:eror "connection refused"'


def log(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"{'a' * 32}-{number}",
        "application": "checkout",
        "timestamp": f"2026-11-24T12:00:{number:02}+00:00",
        "received_at": f"2026-11-24T12:00:{number:02}+00:00",
        "level": "ERROR",
        "message": f"number {number}",
        "metadata": {"order": number},
        "flags": [],
        **changes,
    }


def page(*logs: dict[str, Any], cursor: str | None = None) -> Answer:
    return Answer(200, {"logs": list(logs), "next_cursor": cursor, "previous_cursor": None, "partial": False})


def tail_answer(cursor: str, *logs: dict[str, Any], is_behind: bool = False) -> Answer:
    return Answer(200, {"logs": list(logs), "cursor": cursor, "is_behind": is_behind, "pause_seconds": 0})


@pytest.fixture(autouse=True)
def at_this_server(server: Playback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_URL", server.url)
    monkeypatch.setenv("SLUICE_API_KEY", KEY)


def seen(server: Playback, number: int) -> dict[str, str]:
    return dict(server.requests[number].query)


def test_a_query_is_the_argument(server: Playback) -> None:
    server.answers(page(log(1)))
    result = sluice("logs", 'level:error app:checkout "connection refused"', "--since", "-1h", "--fields", "id,message")
    assert json.loads(result.stdout)["message"] == "number 1"
    sent = seen(server, 0)
    assert sent["q"] == 'level:error app:checkout "connection refused"'
    assert sent["fields"] == "id,message"
    assert sent["since"].endswith("Z")


def test_all_follows_the_cursors(server: Playback) -> None:
    server.answers(page(log(1), cursor="next"), page(log(2)))
    assert len(sluice("logs", "--all").stdout.splitlines()) == 2
    assert seen(server, 1)["cursor"] == "next"


def test_csv_has_its_heading_once(server: Playback) -> None:
    headers = {"Content-Type": "text/csv", "Sluice-Next-Cursor": "next"}
    server.answers(
        Answer(200, b'id,message\r\n1,"two\nlines"\r\n', headers),
        Answer(200, b"id,message\r\n2,b\r\n", {"Content-Type": "text/csv"}),
    )
    assert sluice("logs", "--all", "--format", "csv").stdout.replace("\r", "") == 'id,message\n1,"two\nlines"\n2,b\n'


@pytest.mark.parametrize("command", ["logs", "tail", "histogram"])
def test_a_mistake_is_shown_where_it_is(server: Playback, command: str) -> None:
    content = {"code": "invalid_query", "detail": "eror is no level", "position": 6, "expected": ["error", "warning"]}
    server.answers(Answer(400, content))
    result = sluice(command, MISTAKE)
    assert result.exit_code == 1
    assert f"  {MISTAKE}\n        ^\n" in result.stderr
    assert "invalid_query" in result.stderr


@pytest.mark.parametrize("answer", [{}, {"position": "x"}, {"position": -1}, {"position": 99}])
def test_a_mistake_without_a_place(answer: dict[str, Any]) -> None:
    assert mistake_lines("abc", answer) == []


def test_the_caret_stands_below_what_is_shown() -> None:
    shown, caret = mistake_lines("\x1b[2J x", {"position": 5})
    assert shown == "  \\x1b[2J x"
    assert shown[caret.index("^")] == "x"


def test_tail_shows_the_last_logs_oldest_first(server: Playback) -> None:
    server.answers(page(log(3), log(2)))
    result = sluice("tail", "-n", "2", "refused")
    assert [json.loads(line)["message"] for line in result.stdout.splitlines()] == ["number 2", "number 3"]
    assert (seen(server, 0)["limit"], seen(server, 0)["q"]) == ("2", "refused")


def test_tail_goes_on_without_showing_a_log_twice(server: Playback) -> None:
    server.answers(
        tail_answer("c0"),
        page(log(2), log(1)),
        tail_answer("c1", log(2), log(3)),
        tail_answer("c2", is_behind=True),
        problem(409, "cursor_lost", "restored"),
        tail_answer("d0"),
        tail_answer("d1", log(4)),
        problem(403, "missing_scope", "no more"),
    )
    result = sluice("tail", "-f")
    assert [json.loads(line)["message"] for line in result.stdout.splitlines()] == [f"number {n}" for n in (1, 2, 3, 4)]
    assert [seen(server, number).get("cursor") for number in (0, 2, 3, 4, 5, 6)] == [None, "c0", "c1", "c2", None, "d0"]
    assert "older transaction" in result.stderr
    assert "some logs may be missing" in result.stderr


def test_show_asks_for_the_context(server: Playback) -> None:
    server.answers(Answer(200, {"log": log(2), "before": [log(1)], "after": []}))
    result = sluice("show", log(2)["id"], "--context", "10")
    assert json.loads(result.stdout)["log"]["id"] == log(2)["id"]
    assert (seen(server, 0)["before"], seen(server, 0)["after"]) == ("10", "10")


COUNTS = {
    "since": "2026-11-24T12:00:00+00:00",
    "until": "2026-11-24T12:02:00+00:00",
    "interval_seconds": 60,
    "by": "level",
    "starts": ["2026-11-24T12:00:00+00:00", "2026-11-24T12:01:00+00:00"],
    "series": [{"value": "INFO", "counts": [40, 0]}, {"value": "ERROR", "counts": [40, 1]}],
    "total": 81,
    "partial": False,
}


def test_a_histogram_in_a_pipe_is_json(server: Playback) -> None:
    server.answers(Answer(200, COUNTS))
    result = sluice("histogram", "--by", "level")
    assert json.loads(result.stdout) == COUNTS
    assert (seen(server, 0)["by"], seen(server, 0)["buckets"]) == ("level", "30")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_is_told_in_one_line(server: Playback) -> None:
    server.answers(page(log(1)))
    command = [sys.executable, "-c", "from sluice_cli.main import main; main()", "logs"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "sluice: No space left on device\n")


def test_a_histogram_is_drawn_to_scale() -> None:
    first, second, legend = (line.plain for line in render.histogram_lines(COUNTS, 63))
    assert first == f"2026-11-24 12:00:00 {'█' * 40} 80"
    assert second == "2026-11-24 12:01:00 ▌ 1"
    assert legend == "81 logs   █ INFO 40   █ ERROR 41"


def test_an_empty_histogram() -> None:
    empty = {**COUNTS, "series": [], "total": 0}
    assert [line.plain for line in render.histogram_lines(empty, 80)][-1] == "0 logs"


def test_a_whole_log_names_all_it_holds_and_steers_no_terminal() -> None:
    console = Console(force_terminal=True, width=200)
    shown = log(1, trace_id="t\x1b[31m", metadata={"a": "\x9b2J"})
    with console.capture() as capture:
        console.print(render.whole_log(shown), soft_wrap=True)
    text = capture.get()
    assert "trace_id" in text
    assert "\\x1b[31m" in text
    assert "\\x9b2J" in text
    assert "\x9b" not in text
