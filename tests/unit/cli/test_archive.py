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


ESTIMATE = {
    "object_count": 2,
    "row_count": 20,
    "byte_count": 9,
    "text_bytes": 90,
    "present_count": 0,
    "dollars_at_most": 0.01,
}
LOADING = {
    "rehydration_id": 3,
    "application": "shop",
    "event_from": "a",
    "event_until": "b",
    "status": "loading",
    "expires_at": "2026-12-01T00:00:00+00:00",
    "row_count": 20,
    "loaded_rows": 7,
}
PROGRESS = {"objects": 2, "rows": 20, "objects_done": 1, "rows_done": 7}


def test_logs_come_back_after_an_estimate(platform: Platform, server: Playback) -> None:
    ready = LOADING | {"status": "ready", "loaded_rows": 20}
    events = answering(server, ESTIMATE, {"rehydration": LOADING}, {"rehydration": ready})
    result = sluice("rehydrate", "--app", "shop", "--since", "-90d", "--until", "-80d", "--yes")
    assert [event["action"] for event in events] == ["estimate", "rehydrate", "rehydrate"]
    assert (events[1]["days"], events[2]["id"]) == (7, 3)
    assert "20 logs in 2 objects" in result.stderr
    assert result.stdout == "20 logs are back until 2026-12-01T00:00:00+00:00, as rehydration 3\n"


def test_nobody_brings_logs_back_by_mistake(platform: Platform, server: Playback) -> None:
    events = answering(server, ESTIMATE)
    assert sluice("rehydrate", "--app", "shop", "--since", "-90d").exit_code == 2
    assert len(events) == 1


def test_an_estimate_alone(platform: Platform, server: Playback) -> None:
    answering(server, ESTIMATE)
    result = sluice("rehydrate", "--app", "shop", "--since", "-90d", "--estimate", "--json")
    assert json.loads(result.stdout) == ESTIMATE


def test_nothing_to_bring_back(platform: Platform, server: Playback) -> None:
    answering(server, dict.fromkeys(ESTIMATE, 0))
    assert sluice("rehydrate", "--app", "shop", "--since", "-90d").exit_code == 0


def test_what_came_back_is_listed_and_released(platform: Platform, server: Playback) -> None:
    events = answering(server, {"rehydrations": [LOADING]}, {"released": 3})
    assert sluice("archive", "rehydrated").stdout.splitlines()[-1].split()[:2] == ["3", "shop"]
    assert sluice("archive", "release", "3").exit_code == 0
    assert events[1] == {"action": "release", "id": 3}


def test_a_search_reads_on_until_it_has_enough(platform: Platform, server: Playback) -> None:
    events = answering(
        server,
        {"logs": [{"id": "a-0"}], "cursor": "next", "progress": PROGRESS},
        {"logs": [], "cursor": None, "progress": PROGRESS | {"objects_done": 2}},
    )
    result = sluice("archive", "search", "--app", "shop", "--since", "2026-01-01", "level:error")
    assert result.stdout == '{"id":"a-0"}\n'
    assert "2 of 2 objects read, 1 logs found" in result.stderr
    assert (events[0]["q"], events[1]["cursor"], events[1]["limit"]) == ("level:error", "next", 999)
