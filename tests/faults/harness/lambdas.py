"""A small Lambda: runs the functions in processes that can be killed, and answers Invoke over HTTP.

As on Lambda an environment handles one event at a time, is used again while it lives, and is killed at its time-out;
a caller learns of a death by a FunctionError without a code. ``doom`` decides who dies, when and where.
"""

import json
import multiprocessing
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from faults.harness.environment import FUNCTIONS, Answer, Invocation, serve
from sluice.runtime.crash_points import CrashPoint

SIGKILLED = -9
_context = multiprocessing.get_context("forkserver")


@cache
def _start_fork_server() -> None:
    """Starts it with our sys.path, which Python up to 3.13 does not hand on, so that it can import its preload."""
    _context.set_forkserver_preload(["faults.harness.environment"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    try:
        forkserver.ensure_running()
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


class FunctionDied(Exception):
    """The environment ended without an answer."""


class FunctionFailed(Exception):
    """The handler raised; the message is its error's, which begins with the code."""


@dataclass(frozen=True)
class Doom:
    """How an invocation is to die: at a crash point, or after some seconds, wherever it is then."""

    crash_point: CrashPoint | None = None
    after_seconds: float | None = None


@dataclass(frozen=True)
class Death:
    """An invocation that died as it was doomed to."""

    verb: str
    doom: Doom
    exit_code: int | None
    at: float  # monotonic seconds


class Environment:
    """One process."""

    def __init__(self, verb: str, environ: Mapping[str, str], log: Path) -> None:
        _start_fork_server()
        self._pipe, child = _context.Pipe()
        self.process = _context.Process(target=serve, args=(child, verb, dict(environ), log), daemon=True)
        self.process.start()
        child.close()

    def invoke(self, invocation: Invocation, doom: Doom | None) -> Answer:
        """The handler's answer. Raises FunctionDied; then the process is gone, and its exit code known."""
        timer = threading.Timer(doom.after_seconds, self.process.kill) if doom and doom.after_seconds else None
        try:
            self._pipe.send(invocation)
            if timer:
                timer.start()
            if not self._pipe.poll(invocation.timeout_seconds):
                self.process.kill()
                self.process.join()
                raise FunctionDied("timed out")
            answer: Answer = self._pipe.recv()
        except (EOFError, ConnectionError) as error:
            self.process.join()
            raise FunctionDied(f"exit code {self.process.exitcode}") from error
        else:
            return answer
        finally:
            if timer:
                timer.cancel()

    def close(self) -> None:
        self._pipe.close()
        self.process.kill()
        self.process.join()


@dataclass
class Lambdas:
    """The functions of one deployment: environment variables and time-out (seconds) by verb."""

    environ: Mapping[str, Mapping[str, str]]
    timeouts: Mapping[str, float]
    log: Path
    doom: Callable[[str, dict[str, Any]], Doom | None] = lambda verb, event: None
    deaths: list[Death] = field(default_factory=list)
    durations: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # of answered ones
    _idle: defaultdict[str, list[Environment]] = field(default_factory=lambda: defaultdict(list))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, verb: str, event: dict[str, Any], doom: Doom | None = None) -> Any:
        """The handler's result. Raises FunctionDied and FunctionFailed."""
        doom = doom or self.doom(verb, event)
        environment = self._take(verb)
        started = time.monotonic()
        invocation = Invocation(event, self.timeouts[verb], doom.crash_point if doom else None)
        try:
            answer = environment.invoke(invocation, doom)
        except FunctionDied:
            if doom:
                self.deaths.append(Death(verb, doom, environment.process.exitcode, time.monotonic()))
            raise
        self.durations[verb].append(time.monotonic() - started)
        if doom and doom.after_seconds is not None:
            environment.close()  # the kill may still be on its way
        else:
            with self._lock:
                self._idle[verb].append(environment)
        if answer.error_type is not None:
            raise FunctionFailed(answer.payload)
        return answer.payload

    def hits(self, doom: Doom | None = None) -> int:
        """How many invocations were really killed, or killed as ``doom`` says."""
        return sum(death.exit_code == SIGKILLED and doom in (None, death.doom) for death in self.deaths)

    def freeze_over(self) -> None:
        """Gives up all idle environments, as Lambda does after a while."""
        with self._lock:
            environments = [environment for idle in self._idle.values() for environment in idle]
            self._idle.clear()
        for environment in environments:
            environment.close()

    def _take(self, verb: str) -> Environment:
        with self._lock:
            while idle := self._idle[verb]:
                environment = idle.pop()
                if environment.process.is_alive():
                    return environment
        return Environment(verb, self.environ[verb], self.log)


@contextmanager
def invoke_endpoint(invoke: Callable[[str, dict[str, Any]], Any]) -> Iterator[str]:
    """URL of a Lambda endpoint whose Invoke calls ``invoke`` with the name of the function, which raises KeyError for
    one that does not exist. An asynchronous call is answered at once, and its failure is nobody's."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet per answer

        def do_POST(self) -> None:
            name = self.path.partition("/functions/")[2].partition("/")[0]
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers.get("X-Amz-Invocation-Type") == "Event" and name in FUNCTIONS:
                threading.Thread(target=self._run, args=(name, event), daemon=True).start()
                self._reply(None, status=202)
                return
            try:
                self._reply(invoke(name, event))
            except KeyError:
                self._reply({"Message": f"Function not found: {name}"}, status=404)
            except FunctionDied as death:
                self._reply({"errorType": "Runtime.ExitError", "errorMessage": f"Runtime exited: {death}"}, failed=True)
            except FunctionFailed as failure:
                self._reply({"errorType": "SluiceError", "errorMessage": str(failure)}, failed=True)

        def _run(self, name: str, event: dict[str, Any]) -> None:
            with suppress(FunctionDied, FunctionFailed):
                invoke(name, event)

        def _reply(self, payload: Any, *, failed: bool = False, status: int = 200) -> None:
            body = json.dumps(payload).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if failed:
                self.send_header("X-Amz-Function-Error", "Unhandled")
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            """Prints nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A drain that was killed no longer waits for its answer."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
