"""Postgres 18: the cluster, Sluice's database and its login roles."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from select import select

import psutil
import psycopg2
import psycopg2.extensions
from psycopg2.extensions import POLL_OK, POLL_READ

from embedded import settings
from embedded.accounts import Accounts
from embedded.binaries import postgres_directory
from embedded.errors import StackError, Unhealthy
from embedded.ports import HOST, Ports
from embedded.privileges import give_to_unprivileged, unprivileged_prefix
from embedded.servers import base_environment
from embedded.state import REPOSITORY, write_private

ROLES = REPOSITORY / "layers" / "common" / "python" / "sluice" / "schema" / "roles.sql"
SUPERUSER = "postgres"
CHECK_SECONDS = 2
# Loopback and passwords only; there is no Unix socket.
ACCESS = f"host all all {HOST}/32 scram-sha-256\n"


def select_one(role: str, password: str, port: int, database: str) -> None:
    """Unhealthy unless a query is answered at the port, within CHECK_SECONDS all in all."""
    deadline = time.monotonic() + CHECK_SECONDS
    try:
        connection = psycopg2.connect(host=HOST, port=port, user=role, password=password, dbname=database, async_=True)
        try:
            _await(connection, deadline)
            cursor = connection.cursor()
            cursor.execute("SELECT 1")
            _await(connection, deadline)
        finally:
            connection.close()
    except psycopg2.Error as error:
        raise Unhealthy(str(error).strip()) from error


def _await(connection: psycopg2.extensions.connection, deadline: float) -> None:
    """Let the connection finish what it is doing. (A connect timeout is no help: PgBouncer accepts, then may wait.)"""
    while (state := connection.poll()) != POLL_OK:
        readers, writers = ([connection], []) if state == POLL_READ else ([], [connection])
        if not any(select(readers, writers, [], max(0.0, deadline - time.monotonic()))):
            raise Unhealthy(f"no answer within {CHECK_SECONDS} s")


class PostgresServer:
    """A cluster with checksums and the default fsync settings."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": rolls back what is open, then a clean checkpoint
    death_signal = signal.SIGINT
    stop_patience_seconds = 30
    refuses_root = True

    def __init__(self, directory: Path, ports: Ports, accounts: Accounts) -> None:
        self.directory = directory
        self.ports = ports
        self._accounts = accounts
        self._cluster = directory / "cluster"

    def prepare(self) -> None:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        give_to_unprivileged(self.directory)
        if not self._cluster.exists():
            self._create_cluster()
        self._remove_stale_pid_file()

    def command(self) -> list[str]:
        own: dict[str, object] = {
            "listen_addresses": HOST,
            "port": self.ports[self.name],
            "unix_socket_directories": "",
            "log_line_prefix": "%m [%p] %q%u@%d ",
        } | settings.POSTGRES
        options = [text for key, value in own.items() for text in ("-c", f"{key}={value}")]
        return [str(postgres_directory() / "postgres"), "-D", str(self._cluster), *options]

    def environment(self) -> dict[str, str]:
        return base_environment() | {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}

    def check(self) -> None:
        select_one(SUPERUSER, self._accounts.postgres, self.ports[self.name], "postgres")

    def initialise(self) -> None:
        """Create or update roles and database by the same file that is used in the cloud."""
        variables = {f"{role}_password": password for role, password in self._accounts.roles().items()}
        # By standard input: a command line is for everybody to read.
        script = "".join(f"\\set {name} '{value}'\n" for name, value in variables.items()) + ROLES.read_text()
        done = subprocess.run(
            [str(postgres_directory() / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"],
            input=script,
            env=self._client_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StackError(f"roles.sql failed: {done.stderr.strip()}")

    def _client_environment(self) -> dict[str, str]:
        return self.environment() | {
            "PGHOST": HOST,
            "PGPORT": str(self.ports[self.name]),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": self._accounts.postgres,
            "PGDATABASE": "postgres",
        }

    def _create_cluster(self) -> None:
        """Run initdb next to the final place: an interrupted one leaves nothing that looks finished."""
        draft = self.directory / "cluster.draft"
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.directory / "superuser-password"
        write_private(password_file, self._accounts.postgres + "\n")
        try:
            self._initdb(draft, password_file)
        finally:
            password_file.unlink()
        (draft / "pg_hba.conf").write_text(ACCESS)
        draft.rename(self._cluster)

    def _initdb(self, draft: Path, password_file: Path) -> None:
        options = [
            f"--pgdata={draft}",
            f"--pwfile={password_file}",
            f"--username={SUPERUSER}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ]
        command = [*unprivileged_prefix(), str(postgres_directory() / "initdb"), *options]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise StackError(f"initdb failed in {draft}: {(done.stderr or done.stdout).strip()}")

    def _remove_stale_pid_file(self) -> None:
        """Forget a postmaster that was killed: its number may belong to another program by now."""
        pid_file = self._cluster / "postmaster.pid"
        if not pid_file.exists():
            return
        first_line = pid_file.read_text().partition("\n")[0]
        if not (first_line.isdecimal() and _is_postgres(int(first_line))):  # else Postgres complains, clearly
            pid_file.unlink()


def _is_postgres(pid: int) -> bool:
    try:
        name: str = psutil.Process(pid).name()
    except psutil.NoSuchProcess:
        return False
    return name.startswith("postgres")
