"""The supervisor: the one process that owns the servers of a state directory.

It starts them in order, restarts the one that dies, and stops them in reverse order. If it is killed itself, the kernel
ends them (see guard). What it does is in its log and, for other processes, in the status file.

The status file is a JSON object: `phase` (starting, running, stopping, stopped, failed), `step` (what it is doing),
`error` (why it failed), `supervisor` (process id), `servers` (name -> ServerProcess.report()).
"""

import json
import logging
import os
import signal
import time
from collections.abc import Sequence
from threading import Event
from types import FrameType
from typing import Any

import psutil

from embedded import accounts, connections
from embedded.accounts import Accounts
from embedded.errors import StackError
from embedded.pgbouncer_package import provide_pgbouncer
from embedded.ports import Ports, is_taken
from embedded.process import ServerDied, ServerProcess
from embedded.servers import Server
from embedded.servers.emulator import EmulatorServer
from embedded.servers.localstack import LocalStackServer
from embedded.servers.pgbouncer import PgBouncerServer
from embedded.servers.postgres import PostgresServer
from embedded.servers.redis import RedisServer
from embedded.state import State, owned, read_json, write_private

EMULATORS = ("emulator", "localstack")  # a stack has one of them, or none
DEFAULT_NAMES = ("redis", "postgres", "pgbouncer", "emulator")
SERVER_NAMES = ("redis", "postgres", "pgbouncer", *EMULATORS)  # in the order of their start
LOOK_SECONDS = 0.2
LEFTOVER_PATIENCE_SECONDS = 10
BIND_ATTEMPTS = 3

logger = logging.getLogger("supervisor")


def build_server(name: str, state: State, ports: Ports, secrets: Accounts) -> Server:
    """The server of that name, with its files in a directory of that name."""
    directory = state.root / name
    match name:
        case "redis":
            return RedisServer(directory, ports, secrets)
        case "postgres":
            return PostgresServer(directory, ports, secrets)
        case "pgbouncer":
            return PgBouncerServer(directory, ports, secrets, provide_pgbouncer(logger.info))
        case "emulator":
            return EmulatorServer(directory, ports, secrets)
        case "localstack":
            return LocalStackServer(directory, ports, secrets)
    raise ValueError(f"no server is called {name}")


class Supervisor:
    """Runs the named servers until it is told to stop by SIGTERM or SIGINT."""

    def __init__(self, state: State, names: Sequence[str]) -> None:
        self._state = state
        self._names = names
        self._ports = Ports(state.ports)
        self._accounts = accounts.load_or_create(state.accounts)
        self._processes: list[ServerProcess] = []
        self._stop = Event()
        self._status: dict[str, Any] = {"supervisor": os.getpid()}

    def run(self) -> int:
        """Start, look after and stop the servers; returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            self._bring_up()
            while not self._stop.wait(LOOK_SECONDS):
                self._look()
        except StackError as error:
            logger.error("%s", error)
            self._stop_all()
            self._tell("failed", error=str(error))
            return 1
        except BaseException:
            self._stop_all()
            raise
        self._stop_all()
        self._tell("stopped")
        return 0

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _bring_up(self) -> None:
        self._tell("starting", step="ending what an earlier run left")
        _end_leftovers(read_json(self._state.status))
        self._ports.assign(self._names)
        servers = [build_server(name, self._state, self._ports, self._accounts) for name in self._names]
        self._processes = [ServerProcess(server, self._state.log(server.name)) for server in servers]
        for process in self._processes:
            self._tell("starting", step=f"starting {process.server.name}")
            self._start(process)
            if self._stop.is_set():
                return
            process.server.initialise()
        connections.publish(self._state, self._ports, self._accounts)
        self._tell("running")

    def _start(self, process: ServerProcess) -> None:
        """Start a server; another port is chosen if a program took a fresh one in the meantime."""
        name = process.server.name
        for attempt in range(1, BIND_ATTEMPTS + 1):
            try:
                process.start(self._stop)
                logger.info("%s is healthy (pid %s)", name, process.pid)
                return
            except ServerDied:
                if attempt == BIND_ATTEMPTS or not is_taken(self._ports[name]):
                    raise
                if not self._ports.is_fresh(name):
                    self._ports.refuse_taken(name)
                self._ports.choose_again(name)

    def _look(self) -> None:
        happened = [line for process in self._processes if (line := process.look())]
        for line in happened:
            logger.warning("%s", line)
        if happened:
            self._tell("running")

    def _stop_all(self) -> None:
        if not self._processes:
            return
        self._tell("stopping")
        for process in reversed(self._processes):
            process.stop()
            logger.info("%s is stopped", process.server.name)

    def _tell(self, phase: str, step: str = "", error: str = "") -> None:
        """Write the status file."""
        servers = {process.server.name: process.report() for process in self._processes}
        status = self._status | {"phase": phase, "step": step, "error": error, "servers": servers}
        write_private(self._state.status, json.dumps(status, indent=2) + "\n")


def _end_leftovers(status: dict[str, Any]) -> None:
    """Wait for the servers of a supervisor that was killed to end, and end them if they do not."""
    deadline = time.monotonic() + LEFTOVER_PATIENCE_SECONDS
    for name, report in status.get("servers", {}).items():
        while _is_there(report):
            if time.monotonic() > deadline:
                logger.warning("%s of an earlier run is still there (pid %s): killing it", name, report["pid"])
                os.kill(report["pid"], signal.SIGKILL)
            time.sleep(LOOK_SECONDS)


def _is_there(report: dict[str, Any]) -> bool:
    """Whether the very process of the report runs: not a later one of that number, nor one waiting to be collected."""
    if report["pid"] is None:
        return False
    try:
        process = psutil.Process(report["pid"])
        return bool(process.create_time() == report["created"] and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def supervise(state: State, names: Sequence[str]) -> int:
    """Run a supervisor in this process; returns its exit code, 0 as well if another one owns the directory."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with owned(state) as mine:
        if not mine:
            logger.info("another supervisor owns %s", state.root)
            return 0
        return Supervisor(state, names).run()
