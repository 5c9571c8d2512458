"""PgBouncer in transaction mode in front of Postgres; it has no state of its own."""

import os
import signal
from pathlib import Path

from embedded import settings
from embedded.accounts import Accounts
from embedded.connections import DATABASE
from embedded.pgbouncer_package import PgBouncer
from embedded.ports import HOST, Ports
from embedded.privileges import give_to_unprivileged
from embedded.servers import base_environment
from embedded.servers.postgres import select_one
from embedded.state import write_private


class PgBouncerServer:
    """Serves every database under its own name, so that tests can have databases of their own."""

    name = "pgbouncer"
    stop_signal = signal.SIGINT  # lets running transactions end
    death_signal = signal.SIGKILL
    stop_patience_seconds = 3
    refuses_root = True

    def __init__(self, directory: Path, ports: Ports, accounts: Accounts, binary: PgBouncer) -> None:
        self.directory = directory
        self.ports = ports
        self._accounts = accounts
        self._binary = binary
        self._configuration = directory / "pgbouncer.ini"
        self._users = directory / "users.txt"

    def prepare(self) -> None:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        give_to_unprivileged(self.directory)
        # Plain passwords (the file is private): SCRAM verifiers would have to follow every change in Postgres.
        users = self._accounts.roles()
        write_private(self._users, "".join(f'"{role}" "{password}"\n' for role, password in users.items()))
        own: dict[str, object] = {
            "listen_addr": HOST,
            "listen_port": self.ports[self.name],
            "unix_socket_dir": "",
            "auth_file": self._users,
        } | settings.PGBOUNCER
        lines = [f"{key} = {value}\n" for key, value in own.items()]
        database = f"[databases]\n* = host={HOST} port={self.ports['postgres']}\n"
        write_private(self._configuration, database + "[pgbouncer]\n" + "".join(lines))

    def command(self) -> list[str]:
        return [str(self._binary.program), str(self._configuration)]

    def environment(self) -> dict[str, str]:
        environ = base_environment()
        libraries = [path for path in (self._binary.libraries, environ.get("LD_LIBRARY_PATH")) if path]
        return environ | ({"LD_LIBRARY_PATH": os.pathsep.join(libraries)} if libraries else {})

    def check(self) -> None:
        select_one("sluice_reader", self._accounts.sluice_reader, self.ports[self.name], DATABASE)

    def initialise(self) -> None:
        """Nothing: it is configured by its files."""
