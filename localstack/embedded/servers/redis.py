"""Redis (or Valkey) with an append-only file: what was accepted survives a crash of the server."""

import os
import signal
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
from embedded.state import write_private

FSYNC_VARIABLE = "SLUICE_REDIS_APPENDFSYNC"
FSYNC_POLICIES = ("everysec", "always", "no")


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
        self._password = accounts.redis
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
        write_private(self._configuration, "".join(f"{key} {value}\n" for key, value in lines.items()))

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
