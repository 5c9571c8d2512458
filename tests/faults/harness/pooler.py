"""A PgBouncer of the tests' own, with an administrator, and a pool of any size."""

import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg2

from embedded.pgbouncer_package import provide_pgbouncer
from embedded.privileges import give_to_unprivileged, unprivileged_prefix
from scratch import Scratch

PATIENCE_SECONDS = 10
_ADMINISTRATOR = "sluice_owner"
_ROLES = (_ADMINISTRATOR, "sluice_ingest", "sluice_writer", "sluice_reader")


class Pooler:
    """Listens at a port of its own in front of the servers' Postgres, configured as the embedded stack's PgBouncer."""

    def __init__(self, database: Scratch, directory: Path, *, pool_size: int) -> None:
        self._database, self._directory = database, directory
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._configuration = directory / "pgbouncer.ini"
        self._write(pool_size)
        self._binary = provide_pgbouncer(lambda _: None)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, role: str) -> str:
        """The database's URL for a role, by way of this pooler."""
        direct = self._database.url(role, direct=True)
        return direct.replace(f":{self._database.stack.port('postgres')}/", f":{self.port}/")

    def start(self) -> None:
        """Returns when it answers."""
        environ = {"LD_LIBRARY_PATH": str(self._binary.libraries)} if self._binary.libraries else {}
        command = [*unprivileged_prefix(), str(self._binary.program), str(self._configuration)]
        with (self._directory / "pgbouncer.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=self._directory)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.order("SHOW VERSION")
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline, f"PgBouncer does not start, see {self._directory}"
                time.sleep(0.02)
            else:
                return

    def order(self, command: str) -> None:
        """Runs a command of PgBouncer's console, such as PAUSE."""
        url = self.url(_ADMINISTRATOR).rpartition("/")[0] + "/pgbouncer"
        console = psycopg2.connect(url, connect_timeout=PATIENCE_SECONDS)
        console.autocommit = True
        try:
            with console.cursor() as cursor:
                cursor.execute(command)
        finally:
            console.close()

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _write(self, pool_size: int) -> None:
        give_to_unprivileged(self._directory)
        users = self._directory / "users.txt"
        accounts = [self._database.url(role).split("@")[0].rpartition(":")[2] for role in _ROLES]
        users.write_text("".join(f'"{role}" "{word}"\n' for role, word in zip(_ROLES, accounts, strict=True)))
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": users,
            "pool_mode": "transaction",
            "default_pool_size": pool_size,
            "server_login_retry": 1,
            "ignore_startup_parameters": "extra_float_digits",
            "admin_users": _ADMINISTRATOR,
        }
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        target = f"* = host=127.0.0.1 port={self._database.stack.port('postgres')}\n"
        self._configuration.write_text(f"[databases]\n{target}[pgbouncer]\n{lines}")
