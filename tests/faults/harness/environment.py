"""The child's side: a process that is one execution environment of one function, as Lambda has them.

It runs the real handler with real adapters, is used again while it is warm, and can be killed. The parent's side is
``lambdas``. This module is preloaded by the fork server, so that a new environment costs a fork and not its imports.
"""

import gc
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import boto3

from apps import load_app
from sluice.chunks.model import Settlement
from sluice.chunks.postgres import PostgresChunkStore
from sluice.runtime.crash_points import CrashPoint, arm
from sluice.streams.model import StreamEntry, UnreadableEntry

REGION = "us-east-1"
FATAL_MARKER = b"fatal-record"  # a record with this text kills the process that stores it
FUNCTIONS = ("ingest", "drain", "process_chunk", "query", "admin")
_APPS = {verb: load_app(verb) for verb in FUNCTIONS}


@dataclass(frozen=True)
class Invocation:
    """What the parent sends: an event, the time it may take, and where to die."""

    event: dict[str, Any]
    timeout_seconds: float
    crash_point: CrashPoint | None = None


@dataclass(frozen=True)
class Answer:
    """What comes back: the handler's result, or what it raised."""

    payload: Any
    error_type: str | None = None


@dataclass
class _Context:
    """Lambda's context, as far as handlers use it."""

    deadline: float
    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:123456789012:function:function"
    aws_request_id: str = "11112222-3333-4444-5555-666677778888"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.monotonic()) * 1000))


class _MortalChunkStore(PostgresChunkStore):
    """Dies of a record that it tries to store, as of one that takes all memory."""

    def store(
        self,
        entries: Sequence[StreamEntry | UnreadableEntry],
        *,
        attempts: int = 1,
        is_condemned: bool = False,
        is_forced: bool = False,
    ) -> Settlement:
        fatal = any(FATAL_MARKER in entry.lines for entry in entries if isinstance(entry, StreamEntry))
        if fatal and not is_condemned:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().store(entries, attempts=attempts, is_condemned=is_condemned, is_forced=is_forced)


def serve(pipe: Connection, verb: str, environ: dict[str, str], log: Path) -> None:
    """Handles invocations until the parent hangs up. What the function prints goes to ``log``."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.update(environ)
    app = _APPS[verb]
    if verb == "process_chunk":
        app.PostgresChunkStore = _MortalChunkStore
    while True:
        try:
            invocation: Invocation = pipe.recv()
        except EOFError:
            return
        arm(invocation.crash_point)
        pipe.send(_handle(app, invocation))


def _handle(app: Any, invocation: Invocation) -> Answer:
    context = _Context(time.monotonic() + invocation.timeout_seconds)
    try:
        return Answer(app.handler(invocation.event, context))
    except Exception as error:  # noqa: BLE001  # Lambda reports whatever a function raises
        return Answer(str(error), type(error).__name__)


def _warm_up() -> None:
    """Loads what the first Lambda client of a process would load."""
    boto3.client("lambda", region_name=REGION, aws_access_key_id="-", aws_secret_access_key="-")
    gc.freeze()  # a collection in a child would copy every page of the parent


_warm_up()
