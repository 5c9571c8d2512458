"""A function in a warm process, with time-out, errors and logs as on Lambda. Standard library only."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from select import select
from typing import Any

WORKER = Path(__file__).with_name("function_worker.py")


@dataclass(frozen=True)
class Answer:
    """`payload` is JSON: the result, or if `is_error` an object with `errorMessage` and `errorType`."""

    payload: bytes
    is_error: bool
    logs: str


class FunctionProcess:
    """Runs `handler` (module.function) of the bundle `code`; a process that dies is replaced at the next invocation."""

    def __init__(
        self, python: str, code: Path, handler: str, timeout_seconds: float, environment: Mapping[str, object]
    ) -> None:
        self._command = [python, "-u", str(WORKER), str(code), handler, str(timeout_seconds)]
        self._timeout_seconds = timeout_seconds
        self._environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"} | {k: str(v) for k, v in environment.items()}
        self._code = code
        self._logs = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # closed by stop()
        self._process: subprocess.Popen[bytes] | None = None
        self._answers = -1

    def invoke(self, event: str, request_id: str, function_arn: str) -> Answer:
        """Run it once; the time-out counts from here, cold start included."""
        if self._process is None:
            self._launch()
        self._logs.seek(0)  # the process writes where this descriptor stands
        self._logs.truncate()
        line = self._exchange(json.dumps({"event": event, "request_id": request_id, "function_arn": function_arn}))
        if line is not None and line.endswith(b"\n"):
            answer = json.loads(line)
            return Answer(answer["payload"].encode(), answer["is_error"], self._read_logs())
        if line is None:
            error = {"errorMessage": f"{request_id} Task timed out after {self._timeout_seconds:.2f} seconds"}
            error["errorType"] = "Sandbox.Timedout"
        else:
            error = {"errorMessage": f"RequestId: {request_id} Error: the process ended without an answer"}
            error["errorType"] = "Runtime.ExitError"
        self._kill()
        return Answer(json.dumps(error).encode(), is_error=True, logs=self._read_logs())

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._kill()
        self._logs.close()

    def _launch(self) -> None:
        self._answers, writer = os.pipe()
        try:
            self._process = subprocess.Popen(
                [*self._command, str(writer)],
                env=self._environment,
                cwd=self._code,
                stdin=subprocess.PIPE,
                stdout=self._logs,
                stderr=self._logs,
                pass_fds=(writer,),
            )
        finally:
            os.close(writer)

    def _exchange(self, request: str) -> bytes | None:
        """The line that answers; less than a line if the process died, None after the time-out."""
        process: Any = self._process
        try:
            process.stdin.write(request.encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            return b""
        line = bytearray()
        deadline = time.monotonic() + self._timeout_seconds
        while not line.endswith(b"\n"):
            if not select([self._answers], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            if not (part := os.read(self._answers, 1 << 16)):
                break
            line += part
        return bytes(line)

    def _read_logs(self) -> str:
        self._logs.seek(0)
        return self._logs.read().decode(errors="replace")

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()
        os.close(self._answers)
