"""Redis (or Valkey) with an append-only file: what was accepted survives a crash of the server."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from embedded import settings
from embedded.accounts import Accounts
from embedded.binaries import redis_server
from embedded.errors import StackError, Unhealthy
from embedded.ports import HOST, Ports
from embedded.servers import base_environment
from embedded.state import REPOSITORY, write_private

USERS = REPOSITORY / "infra" / "queue" / "users.acl"
FSYNC_VARIABLE = "SLUICE_REDIS_APPENDFSYNC"
FSYNC_POLICIES = ("everysec", "always", "no")


def user_lines(passwords: Mapping[str, str]) -> list[str]:
    """Lines of a configuration for the users of infra/queue/users.acl."""
    rules = (line.partition(" ") for line in USERS.read_text().splitlines() if not line.startswith("#"))
    return [f"user {name} on >{passwords[name]} {rest}\n" for name, _, rest in rules]


class RedisServer:
    """Password, append-only file, and no eviction: a full server refuses writes instead of dropping logs."""

    name = "redis"
    stop_signal = signal.SIGTERM
    death_signal = signal.SIGTERM
    stop_patience_seconds = 10
    refuses_root = False

    def __init__(self, directory: Path, ports: Ports, accounts: Accounts) -> None:
        self.directory = directory
        self.ports = ports
        self._password, self._users = accounts.redis, accounts.queue_users()
        self._configuration = directory / "redis.conf"

    def prepare(self) -> None:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        fsync = os.environ.get(FSYNC_VARIABLE, "everysec")
        if fsync not in FSYNC_POLICIES:
            raise StackError(f"{FSYNC_VARIABLE}={fsync} is unknown: use one of {', '.join(FSYNC_POLICIES)}")
        lines = {
            "bind": HOST,
            "port": self.ports[self.name],
            "requirepass": self._password,
            "dir": f'"{self.directory}"',
            "appendfsync": fsync,
        } | {name: value or '""' for name, value in settings.REDIS.items()}
        configuration = [*(f"{key} {value}\n" for key, value in lines.items()), *user_lines(self._users)]
        write_private(self._configuration, "".join(configuration))

    def command(self) -> list[str]:
        return [str(redis_server()), str(self._configuration)]

    def environment(self) -> dict[str, str]:
        return base_environment() | {"LC_ALL": "C"}

    def check(self) -> None:
        client = Redis(
            HOST, self.ports[self.name], password=self._password, socket_timeout=1, retry=Retry(NoBackoff(), 0)
        )
        try:
            client.ping()
        except RedisError as error:  # LOADING while it reads its file, too
            raise Unhealthy(str(error)) from error
        finally:
            client.close()

    def initialise(self) -> None:
        """Nothing: its content is the pipeline's."""
