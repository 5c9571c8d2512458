"""The process in which LocalStack, without Docker, runs a function: what Lambda promises a handler and its caller."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from function_process import Answer, FunctionProcess

HANDLER = """
import os, sys, time
count = 0
def handler(event, context):
    global count
    count += 1
    print("log", event, context.aws_request_id)
    if event == "raise":
        raise ValueError("no")
    if event == "exit":
        os._exit(3)
    if event == "sleep":
        time.sleep(60)
    return {"event": event, "count": count, "pid": os.getpid(), "variable": os.environ.get("VARIABLE"),
            "leaked": os.environ.get("LEAKED"), "remaining": context.get_remaining_time_in_millis()}
"""

Run = Callable[[Any], Answer]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("LEAKED", "from the server")
    (tmp_path / "app.py").write_text(HANDLER)
    process = FunctionProcess(sys.executable, tmp_path, "app.handler", 1.5, {"VARIABLE": 5})
    yield lambda event: process.invoke(json.dumps(event), "id-1", "arn")
    process.stop()


def test_a_warm_process_gets_its_own_environment_and_keeps_its_state(run: Run) -> None:
    first, second = (json.loads(run({"n": number}).payload) for number in (1, 2))
    assert (first["event"], first["variable"], first["leaked"]) == ({"n": 1}, "5", None)
    assert (second["count"], second["pid"]) == (2, first["pid"])
    assert 0 < second["remaining"] <= 1500


def test_logs_are_of_one_invocation(run: Run) -> None:
    run("first")
    assert run("second").logs == "log second id-1\n"


def test_an_exception_is_a_function_error_and_leaves_the_process_alive(run: Run) -> None:
    failed = run("raise")
    assert failed.is_error
    error = json.loads(failed.payload)
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no")
    assert "Traceback" in failed.logs
    assert json.loads(run("next").payload)["count"] == 2


@pytest.mark.parametrize(("event", "error"), [("exit", "Runtime.ExitError"), ("sleep", "Sandbox.Timedout")])
def test_death_and_time_out_are_errors_and_the_next_invocation_starts_anew(run: Run, event: str, error: str) -> None:
    before = json.loads(run("before").payload)["pid"]
    failed = run(event)
    assert failed.is_error
    assert json.loads(failed.payload)["errorType"] == error
    after = json.loads(run("after").payload)
    assert after["count"] == 1
    assert after["pid"] != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def test_large_answers_and_unicode_arrive_whole(run: Run) -> None:
    text = "ü🎉\n" * 300_000
    assert json.loads(run(text).payload)["event"] == text


def test_a_bundle_that_cannot_be_imported_says_why(tmp_path: Path) -> None:
    process = FunctionProcess(sys.executable, tmp_path, "missing.handler", 5, {})
    failed = process.invoke("{}", "id-1", "arn")
    process.stop()
    assert failed.is_error
    assert json.loads(failed.payload)["errorType"] == "ModuleNotFoundError"
