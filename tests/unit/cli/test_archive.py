"""`sluice archive`: what is asked of functions/archive, until it has no more to do."""

import json
from typing import Any

import pytest

from unit.cli.platform import Platform, function_error
from unit.cli.playback import Answer, Playback, Request
from unit.cli.test_commands import sluice

DAY = {
    "day": "2026-10-01",
    "retention_class": "standard",
    "status": "dropped",
    "row_count": 1500,
    "object_count": 2,
    "archived_count": 1500,
    "byte_count": 9000,
    "text_bytes": 90000,
}
DONE = {
    "days_dropped": 1,
    "rows_archived": 7,
    "rows_deleted": 0,
    "objects_written": 2,
    "bytes_written": 90,
    "objects_deleted": 0,
    "days_left": 0,
    "lag_seconds": 0,
    "is_busy": False,
}


def answering(server: Playback, *answers: dict[str, Any] | Answer) -> list[dict[str, Any]]:
    """The function answers so, one after the other; returns the events as they come."""
    events: list[dict[str, Any]] = []
    upcoming = list(answers)

    def play(request: Request) -> Answer:
        assert request.path.split("/")[3] == "sluice-local-archive"
        events.append(request.json())
        answer = upcoming.pop(0)
        return answer if isinstance(answer, Answer) else Answer(200, answer)

    server.play = play
    return events


def test_days_are_listed(platform: Platform, server: Playback) -> None:
    events = answering(server, {"days": [DAY]})
    result = sluice("archive", "list", "--app", "shop", "--since", "2026-10-01")
    assert events == [{"action": "list", "application": "shop", "since": "2026-10-01"}]
    assert result.stdout.splitlines()[-1].split() == [
        *("2026-10-01", "standard", "archived", "1,500", "1,500", "2", "9,000", "90,000")
    ]


def test_verifying_reads_on_until_the_end(platform: Platform, server: Playback) -> None:
    events = answering(
        server,
        {"objects": 2, "rows": 10, "problems": [], "next": 7},
        {"objects": 1, "rows": 5, "problems": [], "next": None},
    )
    result = sluice("archive", "verify")
    assert (result.exit_code, result.stdout) == (0, "3 objects, 15 rows: all as it should be\n")
    assert [event["after"] for event in events] == [0, 7]


def test_a_problem_is_an_exit_code(platform: Platform, server: Playback) -> None:
    problem = {"what": "logs/x.gz", "detail": "it is not there"}
    answering(server, {"objects": 1, "rows": 5, "problems": [problem], "next": None})
    result = sluice("archive", "verify")
    assert result.exit_code == 1
    assert "logs/x.gz: it is not there" in result.stdout


def test_a_run_goes_on_while_it_gets_anywhere(platform: Platform, server: Playback) -> None:
    events = answering(server, DONE | {"days_left": 2}, DONE)
    done = json.loads(sluice("archive", "run", "--json").stdout)
    assert (done["days_dropped"], done["rows_archived"], done["days_left"]) == (2, 14, 0)
    assert {event["action"] for event in events} == {"run"}


@pytest.mark.parametrize("answer", [{"days_left": 3}, {"is_busy": True}], ids=["stuck", "busy"])
def test_a_run_that_gets_nowhere_says_so(platform: Platform, server: Playback, answer: dict[str, Any]) -> None:
    answering(server, dict.fromkeys(DONE, 0) | {"is_busy": False} | answer)
    assert sluice("archive", "run").exit_code == 1


def test_what_the_function_refuses_is_told(platform: Platform, server: Playback) -> None:
    answering(server, function_error("RejectedInput", "unknown_application: there is no such application"))
    result = sluice("archive", "list", "--app", "nobody")
    assert (result.exit_code, "unknown_application" in result.stderr) == (1, True)
