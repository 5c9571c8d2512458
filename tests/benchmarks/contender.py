"""A process of its own for each contender: commands in, answers out, a line of JSON each."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO, Any, Self

type Action = Callable[..., Any]


class ContenderFailed(Exception):
    """A contender's process ended."""


class Contender:
    """The parent's side. What the process prints otherwise goes to ``log``."""

    def __init__(self, command: list[str], environ: Mapping[str, str], log: Path) -> None:
        self._log, self._turn = log, Lock()
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                env=dict(environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                process_group=0,
            )
        self._read("start")

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, action: str, **arguments: Any) -> Any:
        """Runs an action there and returns its answer. Raises ContenderFailed."""
        assert self._process.stdin is not None
        with self._turn:
            with suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps([action, arguments]) + "\n")
                self._process.stdin.flush()
            return self._read(action)

    def _read(self, action: str) -> Any:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            *_, last = ["", *self._log.read_text(errors="replace").splitlines()]
            raise ContenderFailed(f"{action}: the process ended, see {self._log}: {last}")
        return json.loads(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # and its children; nothing that they hold is needed any more
        self._process.wait()


def serve(start: Callable[[], Mapping[str, Action]]) -> None:
    """The child's side: starts, and answers with the actions until the parent hangs up. What else is printed goes
    nowhere. The error of an action ends the process, and is the last line of its log."""
    answers = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    actions = start()
    _answer(answers, "ready")
    for line in sys.stdin:
        name, arguments = json.loads(line)
        _answer(answers, actions[name](**arguments))


def _answer(answers: IO[str], result: Any) -> None:
    answers.write(json.dumps(result) + "\n")
    answers.flush()
