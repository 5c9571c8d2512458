"""`sluice own-logs`: which lines become logs, and in what form."""

import json
from typing import Any

import pytest

from sluice_cli.own_logs import Line, own_logs

OWN = 7
FAILED = {"level": "ERROR", "message": "unavailable", "code": "database_unavailable", "location": "_refusal:128"}


def line(told: Any, function: str = "ingest", at: int = 1_772_366_400_000) -> Line:
    return Line(at, function, "stream", told if isinstance(told, str) else json.dumps(told))


def logs(*lines: Line) -> list[dict[str, Any]]:
    return [log for _, log in own_logs(lines, OWN)]


def test_an_error_becomes_a_log() -> None:
    assert logs(line(FAILED | {"xray_trace_id": "1-2-3"})) == [
        {
            "timestamp": 1_772_366_400_000,
            "level": "ERROR",
            "message": "unavailable",
            "service": "ingest",
            "logger": "_refusal:128",
            "trace_id": "1-2-3",
            "metadata": {"code": "database_unavailable"},
        }
    ]


@pytest.mark.parametrize(
    "told",
    [
        *("START RequestId: 1 Version: $LATEST", "[1, 2]", '"ERROR"', "{broken"),
        *({"_aws": {}, "requests": [1.0]}, {"level": "INFO", "message": "chunk stored"}),
    ],
)
def test_what_all_goes_well_leaves_does_not(told: Any) -> None:
    assert logs(line(told)) == []


def test_what_is_about_its_own_application_alone_does_not() -> None:
    failed = {"level": "ERROR", "message": "chunk failed"}
    assert logs(line(failed | {"application_ids": [OWN]}, "drain")) == []
    assert len(logs(line(failed | {"application_ids": [OWN, 8]}, "drain"))) == 1
    assert len(logs(line(failed | {"application_ids": [8]}, "drain"))) == 1
    assert logs(line(failed | {"application_ids": [8]}, "process-chunk")) == [], "drain tells it, too"


def test_a_line_has_one_identity_and_comes_in_time() -> None:
    later, sooner = line(FAILED, at=2_000), line(FAILED, "query", at=1_000)
    found = list(own_logs([later, sooner, line(FAILED, at=2_000)], OWN))
    assert [log["service"] for _, log in found] == ["query", "ingest"]
    assert [identity for identity, _ in found] == [sooner.identity, later.identity]
