"""Fixtures that run the embedded stack for the tests; conftest.py loads them as a pytest plugin.

    servers   Redis, Postgres and PgBouncer
    stack     the same, and the AWS emulator

They start when the first test asks for one, with nothing stored from earlier runs, and stop at the end of the session.
What they stored and logged then stays in build/test-stack for inspection. A second session at the same time gets a
directory of its own.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
BUILD = REPOSITORY / "build"
SESSIONS_AT_ONCE = 8
POLL_SECONDS = 0.05
RESTART_PATIENCE_SECONDS = 60  # after a crash Postgres first syncs its files, one by one
# `make test-localstack` sets the variable: the same tests, on LocalStack.
EMULATOR_OPTIONS = ["--with", "localstack"] if os.environ.get("SLUICE_TEST_EMULATOR") == "localstack" else []


def embedded(*arguments: str, state: Path, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the embedded stack's command line; the result carries its exit code and what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "embedded", *arguments, "--state", str(state)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "localstack")} | (environ or {}),
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass(frozen=True)
class Stack:
    """A running embedded stack, by its state directory."""

    state: Path

    @property
    def connections(self) -> dict[str, str]:
        """The connections document: `ingest_redis_url`, `owner_database_url` and the others."""
        return self._read("connections.json")

    @property
    def redis_url(self) -> str:
        return f"redis://:{self._read('accounts.json')['redis']}@127.0.0.1:{self.port('redis')}/0"

    def as_queue_user(self, name: str, url: str) -> str:
        """The same Redis, as the user of a function."""
        return url.replace("redis://:", f"redis://{name}:").replace(
            f":{self._read('accounts.json')['redis']}@", f":{self._read('accounts.json')[f'queue_{name}']}@"
        )

    @property
    def superuser_url(self) -> str:
        """Direct connection of the Postgres superuser, to make and drop databases."""
        return self.database_url("postgres", "postgres", direct=True)

    @property
    def aws_endpoint_url(self) -> str:
        return self.environment["AWS_ENDPOINT_URL"]

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that aim AWS clients and the `sluice` command at this stack."""
        lines = (self.state / "env").read_text().splitlines()
        return dict(line.removeprefix("export ").split("=", 1) for line in lines)

    def database_url(self, role: str, database: str = "sluice", *, direct: bool = False) -> str:
        """URL of any database for a role (`sluice_owner`, `sluice_writer`, ...), through PgBouncer unless `direct`."""
        port = self._read("ports.json")["postgres" if direct else "pgbouncer"]
        password = self._read("accounts.json")[role]
        return f"postgresql://{role}:{password}@127.0.0.1:{port}/{database}"

    @property
    def passwords(self) -> dict[str, str]:
        """Passwords of Sluice's own database roles."""
        return {name: text for name, text in self._read("accounts.json").items() if name.startswith("sluice_")}

    def port(self, server: str) -> int:
        """Port of redis, postgres, pgbouncer or emulator."""
        return int(self._read("ports.json")[server])

    def pid(self, server: str) -> int | None:
        """Process id of a server; None while the supervisor is about to restart it."""
        pid: int | None = self._read("status.json")["servers"][server]["pid"]
        return pid

    def kill(self, server: str) -> None:
        """Kill a server with SIGKILL and return when the supervisor has brought it back, healthy, at the same port."""
        pid = self.pid(server)
        assert pid is not None, f"{server} is not running"
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + RESTART_PATIENCE_SECONDS
        while self.pid(server) in (pid, None):
            assert time.monotonic() < deadline, f"{server} was not restarted"
            time.sleep(POLL_SECONDS)
        self.wait_until_healthy()

    def supervisor_pid(self) -> int:
        return int(self._read("status.json")["supervisor"])

    def wait_until_healthy(self, timeout_seconds: float = RESTART_PATIENCE_SECONDS) -> None:
        """Return when every server answers; AssertionError with the status table after the timeout."""
        deadline = time.monotonic() + timeout_seconds
        while (status := embedded("status", state=self.state)).returncode != 0:
            assert time.monotonic() < deadline, status.stdout
            time.sleep(POLL_SECONDS)

    def _read(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.state / name).read_text())
        return content


@contextmanager
def _own_directory() -> Iterator[Path]:
    """A state directory that no other test session uses: build/test-stack for the first."""
    BUILD.mkdir(exist_ok=True)
    for number in range(1, SESSIONS_AT_ONCE + 1):
        directory = BUILD / ("test-stack" if number == 1 else f"test-stack-{number}")
        with directory.with_name(directory.name + ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield directory
            return
    pytest.exit(f"{SESSIONS_AT_ONCE} test sessions run in this folder at once: wait for one to end")


@contextmanager
def running_stack(state: Path, *options: str) -> Iterator[Stack]:
    """Start an empty stack, with `--without emulator` if wanted, and stop it when the block ends."""
    embedded("clean", state=state)  # of a session that was killed
    started = embedded("up", *options, state=state)
    try:
        if started.returncode:
            pytest.fail(f"the embedded stack does not start:\n{started.stdout}{started.stderr}", pytrace=False)
        yield Stack(state)
    finally:
        embedded("down", state=state)


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Redis, Postgres and PgBouncer, and the emulator too if any test of the session needs it."""
    needs_emulator = any("stack" in getattr(item, "fixturenames", ()) for item in request.session.items)
    with (
        _own_directory() as state,
        running_stack(state, *(EMULATOR_OPTIONS if needs_emulator else ["--without", "emulator"])) as stack,
    ):
        yield stack


@pytest.fixture(scope="session")
def stack(servers: Stack) -> Stack:
    """Everything, the AWS emulator included; nothing is deployed to it yet."""
    return servers
