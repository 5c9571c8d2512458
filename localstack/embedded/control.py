"""Start, stop and look at the supervisor of a state directory."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded import accounts
from embedded.binaries import emulator_python, localstack_python, postgres_directory, redis_server
from embedded.errors import StackError, Unhealthy
from embedded.pgbouncer_package import provide_pgbouncer
from embedded.ports import Ports
from embedded.state import REPOSITORY, State, owner_pid, read_json
from embedded.supervisor import DEFAULT_NAMES, build_server

LOOK_SECONDS = 0.05
START_PATIENCE_SECONDS = 180
STOP_PATIENCE_SECONDS = 90

Announce = Callable[[str], None]


@dataclass(frozen=True)
class ServerStatus:
    """One line of the status table."""

    name: str
    state: str
    pid: int | None
    address: str
    uptime_seconds: float | None
    restarts: int
    health: str  # "ok", or what is wrong

    @property
    def is_up(self) -> bool:
        return self.health == "ok"


def up(state: State, names: Sequence[str], announce: Announce) -> None:
    """Start the servers and return when all are healthy; StackError says what prevents it.

    A stack that runs already is left alone.
    """
    state.create()
    if owner_pid(state) is not None:
        announce("already running")
        _follow(state, None, announce)
        _refuse_other_servers(state, names)
        return
    _require_programs(names, announce)
    with state.log("supervisor").open("ab") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "embedded", "supervise", "--state", str(state.root), *_emulator_options(names)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY / "localstack")},
            start_new_session=True,
        )
    _follow(state, supervisor, announce)
    _refuse_other_servers(state, names)


def down(state: State) -> bool:
    """Stop the servers in order and return when all are gone; False if none ran."""
    if (pid := owner_pid(state)) is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_PATIENCE_SECONDS
    while owner_pid(state) is not None:
        if time.monotonic() > deadline:
            raise StackError(f"the supervisor (pid {pid}) does not stop, see {state.log('supervisor')}")
        time.sleep(LOOK_SECONDS)
    return True


@contextmanager
def holding(lock: Path | None) -> Iterator[None]:
    """Hold the lock by which others say that they use a state directory; StackError if they do. No file: no others."""
    if lock is None or not lock.exists():
        yield
        return
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"{lock} is held by a running program: nothing was deleted, try again when it ends"
            ) from None
        yield


def clean(state: State) -> bool:
    """Stop the servers and delete everything they stored; False if there is nothing. Interrupted, it leaves that,
    or a folder beside it that the next call deletes."""
    down(state)
    doomed = state.root.with_name(f".{state.root.name}.deleted")
    shutil.rmtree(doomed, ignore_errors=True)
    if not state.root.exists():
        return False
    if not state.lock.exists():
        raise StackError(f"{state.root} is not a state directory of the embedded stack: nothing was deleted")
    state.root.rename(doomed)
    shutil.rmtree(doomed)
    return True


def status(state: State) -> list[ServerStatus]:
    """What each server of the running stack is doing, by asking it; all are stopped if none runs."""
    reports = read_json(state.status).get("servers", {}) if owner_pid(state) is not None else {}
    return [_server_status(state, name, reports.get(name)) for name in reports or DEFAULT_NAMES]


def _server_status(state: State, name: str, report: dict[str, Any] | None) -> ServerStatus:
    if report is None:
        return ServerStatus(name, "stopped", None, "", None, 0, "not running")
    server = build_server(name, state, Ports(state.ports), accounts.load_or_create(state.accounts))
    try:
        server.check()
        health = "ok"
    except Unhealthy as error:
        health = str(error).splitlines()[0]
    uptime = time.time() - report["created"] if report["pid"] else None
    return ServerStatus(name, report["state"], report["pid"], report["address"], uptime, report["restarts"], health)


def _require_programs(names: Sequence[str], announce: Announce) -> None:
    """Find every program before anything is started; StackError says how to get the missing one."""
    redis_server()
    postgres_directory()
    provide_pgbouncer(announce)
    if "emulator" in names or "localstack" in names:  # either runs functions under it
        emulator_python()
    if "localstack" in names:
        localstack_python()


def _emulator_options(names: Sequence[str]) -> list[str]:
    if "localstack" in names:
        return ["--with", "localstack"]
    return [] if "emulator" in names else ["--without", "emulator"]


def _follow(state: State, supervisor: subprocess.Popen[bytes] | None, announce: Announce) -> None:
    """Announce a supervisor's steps until its servers run: the given one, else the owner of the directory.

    StackError says why they do not.
    """
    announced = ""
    deadline = time.monotonic() + START_PATIENCE_SECONDS
    while time.monotonic() < deadline:
        pid = supervisor.pid if supervisor else owner_pid(state)
        gone = pid is None or (supervisor is not None and supervisor.poll() is not None)
        seen = read_json(state.status)
        if seen.get("supervisor") != pid:
            seen = {}  # an earlier one's
        if seen.get("phase") == "running":
            return
        if gone:
            if supervisor and owner_pid(state) is not None:
                supervisor = None  # a concurrent start was faster
                continue
            raise StackError(seen.get("error") or f"the supervisor ended, see {state.log('supervisor')}")
        if (step := seen.get("step", "")) and step != announced:
            announce(step)
            announced = step
        time.sleep(LOOK_SECONDS)
    raise StackError(f"the servers are not up after {START_PATIENCE_SECONDS} s, see {state.log('supervisor')}")


def _refuse_other_servers(state: State, names: Sequence[str]) -> None:
    missing = set(names) - set(read_json(state.status).get("servers", {}))
    if missing:
        raise StackError(
            f"the stack runs without {', '.join(sorted(missing))}: stop it with `down`, then start it again"
        )
