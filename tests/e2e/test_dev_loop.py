"""The development loop on the deployed stack: what is saved runs, what is broken does not, a breakpoint is hit.

The files that are edited are copies. These tests need the embedded stack; they say nothing of another deployment.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from stack import Stack

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0

pytestmark = pytest.mark.skipif("SLUICE_E2E_URL" in os.environ, reason="needs the embedded stack")


def until[Result](look: Callable[[], Result | None], what: Callable[[], str]) -> Result:
    """What `look` finds; AssertionError with `what` if it finds nothing in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := look()) is None:
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)
    return found


class Session:
    """A running `make dev` over a copy of functions and layer."""

    def __init__(self, tree: Path, state: Path, environment: dict[str, str], *options: str) -> None:
        self.tree, self.output = tree, ""
        python_path = os.pathsep.join(str(REPOSITORY / folder) for folder in ("localstack", "infra"))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dev", "run", "--state", str(state), "--sources", str(tree), *options],
            env=environment | {"PYTHONPATH": python_path, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._collect, daemon=True).start()

    def edit(self, name: str, old: str, new: str) -> None:
        """Save a file with one change."""
        file = self.tree / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    def wait_for(self, pattern: str, after: int = 0) -> re.Match[str]:
        """The first match in what was printed since `after`."""
        return until(lambda: re.compile(pattern).search(self.output, after), lambda: f"no {pattern} in:\n{self.output}")

    def leave(self) -> int:
        """Ctrl-C; returns the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=30)

    def _collect(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output += line


@pytest.fixture
def start(
    tmp_path: Path, stack: Stack, operator_environment: dict[str, str], url: str
) -> Iterator[Callable[..., Session]]:
    """Starts a session that has begun to watch; afterwards the regular deployment is back."""
    sessions: list[Session] = []
    for folder in ("functions", "layers"):
        shutil.copytree(
            REPOSITORY / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    shutil.copy(REPOSITORY / "template.yaml", tmp_path)

    def begin(*options: str) -> Session:
        sessions.append(Session(tmp_path, stack.state, operator_environment, *options))
        sessions[-1].wait_for("dev: watching")
        return sessions[-1]

    yield begin
    for session in sessions:
        if session._process.poll() is None:
            session.leave()
    deploy(stack, operator_environment)


def deploy(stack: Stack, environment: dict[str, str]) -> str:
    """What `make deploy` says."""
    command = [sys.executable, "-m", "deploy", "up", "--state", str(stack.state)]
    done = subprocess.run(
        command,
        env=environment | {"PYTHONPATH": str(REPOSITORY / "infra")},
        check=True,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    return done.stderr


def send(url: str, key: str) -> requests.Response:
    """A good log and a bad one: an answer without rejections is put together in another place."""
    return requests.post(f"{url}/api/ingest", json=[{"message": "hello"}, []], headers={"X-API-Key": key}, timeout=30)


def post(url: str, key: str) -> dict[str, Any]:
    response = send(url, key)
    assert response.status_code == 202, response.text
    answer: dict[str, Any] = response.json()
    return answer


def answered(url: str, key: str) -> dict[str, Any]:
    """The answer, also of a request that ran into the replacement: the emulator ends the worker that holds it."""
    answer: dict[str, Any] = send(url, key).json()
    return answer


ANSWER = '        "accepted": accepted.batch.record_count,\n'
APP = "functions/ingest/app.py"


def test_what_is_saved_runs_and_what_is_broken_does_not(
    start: Callable[..., Session], stack: Stack, operator_environment: dict[str, str], url: str, key: str
) -> None:
    session = start("--metrics")
    assert "edited" not in post(url, key)

    def seconds_until(name: str, look: Callable[[], object]) -> None:
        begun = time.monotonic()
        until(lambda: look() or None, lambda: session.output)
        sys.stdout.write(f"{name}: in force {time.monotonic() - begun:.1f} s after the save\n")

    session.edit(APP, ANSWER, f'{ANSWER}        "edited": "once",\n')
    seconds_until("function", lambda: answered(url, key).get("edited") == "once")
    session.wait_for(r"dev: ingest updated in \d+\.\d s")

    for broken, problem in (("def (:\n", "SyntaxError"), ("import no_such_module\n", "ModuleNotFoundError")):
        printed = len(session.output)
        session.edit(APP, "from functools import cache\n", f"{broken}from functools import cache\n")
        session.wait_for(problem, printed)
        session.wait_for("not updated: ingest would not start", printed)
        assert post(url, key)["edited"] == "once"
        printed = len(session.output)
        session.edit(APP, f"{broken}from functools import cache\n", "from functools import cache\n")
        session.wait_for("ingest updated", printed)

    printed = len(session.output)
    http = "layers/common/python/sluice/runtime/http.py"
    session.edit(
        http,
        "_response(body, status, _JSON, headers or {})",
        '_response({**body, "layer": 2}, status, _JSON, headers or {})',
    )
    seconds_until("layer", lambda: answered(url, key).get("layer") == 2)
    session.wait_for("dev: layer updated", printed)
    assert requests.get(f"{url}/healthz", timeout=30).json() == {"status": "ok", "layer": 2}
    assert post(url, key)["edited"] == "once"

    session.wait_for(r"process_chunk +INFO +chunk stored  .*stored=\d")
    session.wait_for(r"ingest +DEBUG +metrics  .*accepted=")
    assert session.leave() == 0
    assert "the stack keeps running with what was saved" in session.output
    assert "\x1b[" not in session.output
    assert post(url, key)["edited"] == "once"
    assert "restore" in deploy(stack, operator_environment)
    assert post(url, key).keys() == {"accepted", "batch_id", "rejected", "rejected_count"}
    assert "restore" not in deploy(stack, operator_environment)


class DebugAdapter:
    """A client of the debug adapter protocol, as an editor is one."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._stream = self._socket.makefile("rb")
        self._number = 0

    def request(self, command: str, **arguments: Any) -> int:
        self._number += 1
        document = {"seq": self._number, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(document).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return self._number

    def receive(self, **wanted: Any) -> dict[str, Any]:
        """The next message with these members; all before it are passed over."""
        while True:
            length = 0
            while (line := self._stream.readline().strip()) or not length:
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            message: dict[str, Any] = json.loads(self._stream.read(length))
            if wanted.items() <= message.items():
                return message

    def close(self) -> None:
        self._socket.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_breakpoint_in_the_working_tree_is_hit(start: Callable[..., Session], stack: Stack, url: str) -> None:
    port = free_port()
    session = start("--debug", "query", "--port", str(port))
    file = session.tree / "functions" / "query" / "app.py"
    line = next(
        number
        for number, text in enumerate(file.read_text().splitlines(), 1)
        if "check_health()" in text and "_dep" in text
    )
    adapter = DebugAdapter(port)
    adapter.request("initialize", adapterID="test", pathFormat="path", linesStartAt1=True)
    adapter.receive(type="response", command="initialize", success=True)
    adapter.request("attach", justMyCode=False)
    adapter.receive(type="event", event="initialized")
    adapter.request("setBreakpoints", source={"path": str(file)}, breakpoints=[{"line": line}])
    assert adapter.receive(type="response", command="setBreakpoints")["body"]["breakpoints"][0]["verified"]
    adapter.request("configurationDone")
    answers: list[requests.Response] = []
    call = threading.Thread(target=lambda: answers.append(requests.get(f"{url}/healthz", timeout=60)))
    call.start()
    stopped = adapter.receive(type="event", event="stopped")["body"]
    adapter.request("stackTrace", threadId=stopped["threadId"])
    frame = adapter.receive(type="response", command="stackTrace")["body"]["stackFrames"][0]
    assert (frame["source"]["path"], frame["line"]) == (str(file), line)
    assert answers == []
    adapter.request("continue", threadId=stopped["threadId"])
    call.join(timeout=60)
    assert [answer.status_code for answer in answers] == [200]
    adapter.request("disconnect")
    adapter.close()
    assert session.leave() == 0
    assert "the deployed functions are back" in session.output
    assert requests.get(f"{url}/healthz", timeout=30).status_code == 200
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the debugger's port is still open"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--debug", "nothing"], "there is no function nothing: DEBUG is one of admin, alerts, archive, dashboard"),
        (["--only", "nothing"], "no log is called nothing"),
    ],
)
def test_what_prevents_a_session_is_one_line(
    options: list[str], message: str, stack: Stack, operator_environment: dict[str, str], url: str
) -> None:
    session = Session(REPOSITORY, stack.state, operator_environment, *options)
    assert session._process.wait(timeout=30) == 1
    session.wait_for(message)
    assert "Traceback" not in session.output


def test_a_taken_port_is_named(stack: Stack, operator_environment: dict[str, str], url: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        session = Session(REPOSITORY, stack.state, operator_environment, "--debug", "query", "--port", port)
        assert session._process.wait(timeout=30) == 1
    session.wait_for(f"port {port}, wanted for the debugger, is taken")


def test_without_a_stack_nothing_starts(tmp_path: Path) -> None:
    session = Session(REPOSITORY, tmp_path, dict(os.environ))
    assert session._process.wait(timeout=30) == 1
    session.wait_for("no stack runs in .*: run `make up` first")
