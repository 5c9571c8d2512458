"""One supervised server: launched, watched, restarted when it dies, stopped in order."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from typing import IO, Any

import psutil

from embedded import guard
from embedded.errors import StackError, Unhealthy
from embedded.privileges import unprivileged_prefix
from embedded.servers import Server, address

START_PATIENCE_SECONDS = 30
LOOK_SECONDS = 0.05
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 10.0
# A server that ran this long is not in a crash loop.
SETTLED_SECONDS = 30
LOG_LIMIT_BYTES = 20 * 1024 * 1024
SHOWN_LOG_LINES = 5


class ServerDied(StackError):
    """A server ended while it was being started."""


class ServerProcess:
    """A server and the process that runs it; `state` is waiting, starting, running, restarting or stopped."""

    def __init__(self, server: Server, log: Path) -> None:
        self.server = server
        self.state = "waiting"
        self.restarts = 0
        self._log = log
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._created = 0.0
        self._launched_at = 0.0
        self._retry_at = 0.0
        self._failures = 0

    def start(self, stop: Event) -> None:
        """Start it for the first time and wait until it is healthy, or until `stop` is set.

        ServerDied if it ends, StackError if it does not become healthy; both name its log and show the end of it.
        """
        self._launch()
        deadline = time.monotonic() + START_PATIENCE_SECONDS
        while not stop.is_set():
            if (process := self._process) is None or process.poll() is not None:
                raise ServerDied(self._complaint("ended while it was starting"))
            try:
                self.server.check()
            except Unhealthy as error:
                if time.monotonic() > deadline:
                    complaint = f"is not healthy after {START_PATIENCE_SECONDS} s ({error})"
                    raise StackError(self._complaint(complaint)) from error
                stop.wait(LOOK_SECONDS)
            else:
                self.state = "running"
                return

    def look(self) -> str | None:
        """Restart it if it died; returns what happened, if anything did, as one line for the log."""
        name, now = self.server.name, time.monotonic()
        if self._process is not None and (code := self._process.poll()) is not None:
            return f"{name} ended ({_describe(code)}); restart in {self._schedule(now):.1f} s"
        if self._process is None and now >= self._retry_at:
            self._launch()
            self.restarts += 1
            return f"{name} restarted (pid {self.pid})"
        if self.state == "starting" and self._is_healthy():
            self.state = "running"
            return f"{name} is healthy"
        return None

    def stop(self) -> None:
        """End it in order, by force after its patience; returns when it is gone."""
        process, self._process = self._process, None
        self.state = "stopped"
        if process is None or process.poll() is not None:
            return
        process.send_signal(self.server.stop_signal)
        try:
            process.wait(timeout=self.server.stop_patience_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the group: where the guard stays, the server is its child
            process.wait()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def report(self) -> dict[str, Any]:
        """Its part of the status file; `created` tells the process from a later one of the same number."""
        return {
            "state": self.state,
            "pid": self.pid,
            "created": self._created,
            "address": address(self.server),
            "restarts": self.restarts,
        }

    def _launch(self) -> None:
        self.server.prepare()
        with self._open_log() as log:
            self._process = subprocess.Popen(
                _guarded(self.server),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.server.directory,
                env=self.server.environment(),
                start_new_session=True,  # the terminal's Ctrl-C is not for servers
            )
        self._launched_at = time.monotonic()
        self._created = psutil.Process(self._process.pid).create_time()
        self.state = "starting"

    def _open_log(self) -> IO[bytes]:
        if self._log.exists() and self._log.stat().st_size > LOG_LIMIT_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
        file = self._log.open("ab")
        self._log_start = file.tell()
        return file

    def _schedule(self, now: float) -> float:
        """Note the death; returns the delay in seconds before the next start."""
        if now - self._launched_at > SETTLED_SECONDS:
            self._failures = 0
        delay = min(FIRST_DELAY_SECONDS * 2.0**self._failures, LONGEST_DELAY_SECONDS)
        self._failures += 1
        self._process = None
        self._retry_at = now + delay
        self.state = "restarting"
        return delay

    def _is_healthy(self) -> bool:
        try:
            self.server.check()
        except Unhealthy:
            return False
        return True

    def _complaint(self, what: str) -> str:
        with self._log.open("rb") as file:
            file.seek(self._log_start)
            lines = file.read().decode(errors="replace").strip().splitlines()[-SHOWN_LOG_LINES:]
        return f"{self.server.name} {what}, see {self._log}" + "".join(f"\n    {line}" for line in lines)


def _guarded(server: Server) -> list[str]:
    """The server's command under `guard.py`, inside what drops privileges: that would undo the guard's work."""
    prefix = unprivileged_prefix() if server.refuses_root else []
    guarded = [sys.executable, "-I", "-S", guard.__file__, str(int(server.death_signal)), str(os.getpid())]
    return [*prefix, *guarded, *server.command()]


def _describe(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
