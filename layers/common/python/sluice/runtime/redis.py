"""One Redis connection pool per execution environment."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha1
from typing import Any

import redis
from redis import Connection, ConnectionPool, SSLConnection
from redis.backoff import NoBackoff
from redis.retry import Retry

from sluice.errors import ContractError, Unavailable


def connect_redis(url: str, *, timeout_seconds: float = 10) -> redis.Redis:
    """A client whose commands are sent once: a retried XADD whose reply was lost would queue a batch twice.

    Connects on first use; a connection that went stale while the environment was frozen is replaced after a health
    check (PING after 10 s of silence), not after a failed command. A URL that ends in ``?primary=ask`` names any server
    of a cluster that has all slots in one place, and leads to the primary.
    """
    address, asks, _ = url.partition("?primary=ask")
    secure = address.startswith("rediss:")
    kind = (_SecurePrimaryOnly if secure else _PrimaryOnly) if asks else SSLConnection if secure else Connection
    pool = _Pool.from_url(
        address,
        connection_class=kind,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout_seconds,
        socket_connect_timeout=min(2, timeout_seconds),
        health_check_interval=10,
    )
    return redis.Redis.from_pool(pool)


class _Pool(ConnectionPool):
    """Keeps ready connections at hand: the way through redis-py's pool, its lock, events and metrics takes as long as
    sending a command. Whatever is not ready goes that way."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._at_hand: list[Connection] = []

    def get_connection(self, *_: Any, **__: Any) -> Connection:
        with suppress(IndexError):
            connection = self._at_hand.pop()
            if _is_ready(connection):
                return connection
            connection.disconnect()  # type: ignore[no-untyped-call]
            super().release(connection)
        return super().get_connection()

    def release(self, connection: Any) -> None:
        self._at_hand.append(connection)


def _is_ready(connection: Connection) -> bool:
    """Whether a command can be sent: it is this process's, open, and the server has neither said anything nor left."""
    try:
        return connection.pid == os.getpid() and connection.is_connected and not connection.can_read()
    except redis.RedisError:
        return False


class _PrimaryOnly(Connection):
    """A connection that goes on to the primary if a replica answers, and ends when its server is none any longer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(redis_connect_func=_PrimaryOnly._arrive, **options)  # type: ignore[no-untyped-call]
        self._named = self.host, self.port

    def connect(self) -> None:
        if not self.is_connected:
            self.host, self.port = self._named
        super().connect()  # type: ignore[no-untyped-call]

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().read_response(*arguments, **options)
        except (redis.exceptions.MovedError, redis.ReadOnlyError) as error:
            self.disconnect()  # type: ignore[no-untyped-call]
            raise redis.ReadOnlyError("the primary is another server now") from error

    def _arrive(self) -> None:
        self.on_connect()  # type: ignore[no-untyped-call]
        if self._ask("ROLE")[0] == b"master":
            return
        if (self.host, self.port) != self._named:  # where the last one was said to be
            raise redis.ConnectionError("the cluster has no primary at the moment")
        (_, _, (host, port, *_), *_), *_ = self._ask("CLUSTER", "SLOTS")
        self.disconnect()  # type: ignore[no-untyped-call]
        self.host, self.port = host.decode(), port
        super().connect()  # type: ignore[no-untyped-call]

    def _ask(self, *words: str) -> Any:
        self.send_command(*words, check_health=False)  # type: ignore[no-untyped-call]
        return super().read_response()


class _SecurePrimaryOnly(_PrimaryOnly, SSLConnection):
    """The same with TLS."""


class Script:
    """A Lua script of one client: one round trip, and a second where the server does not know it yet.

    It speaks to a connection of the client's pool itself: redis-py's own way of sending a command of 30 words, measured
    and instrumented for features that nothing here uses, takes three times as long as the server does.
    """

    def __init__(self, client: redis.Redis, source: str) -> None:
        self._pool, self._source = client.connection_pool, source
        self._hash = sha1(source.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, keys: Sequence[str | bytes], arguments: Sequence[Any]) -> Any:
        """What the script returns. Raises the driver's errors; sent once, whatever happens."""
        words = [len(keys), *keys, *arguments]
        try:
            return self._ask("EVALSHA", self._hash, *words)
        except redis.exceptions.NoScriptError:
            return self._ask("EVAL", self._source, *words)

    def _ask(self, *words: Any) -> Any:
        connection = self._pool.get_connection()
        try:
            connection.send_packed_command((_packed(words),))  # type: ignore[no-untyped-call]
            return connection.read_response()
        finally:
            self._pool.release(connection)  # closed by what failed on it


def _packed(words: Sequence[Any]) -> bytes:
    """A command in Redis's protocol; words are bytes, or text and integers that come again and again."""
    encoded = [b"$%d\r\n%b\r\n" % (len(word), word) if type(word) is bytes else _encoded(word) for word in words]
    return b"*%d\r\n%b" % (len(encoded), b"".join(encoded))


@lru_cache(4096)
def _encoded(word: str | int) -> bytes:
    encoded = str(word).encode()
    return b"$%d\r\n%b\r\n" % (len(encoded), encoded)


@contextmanager
def translated() -> Iterator[None]:
    """The driver's errors become Unavailable ``queue_unavailable`` and, where retrying will not help, ContractError."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, redis.OutOfMemoryError, redis.ReadOnlyError) as error:
        raise Unavailable("queue_unavailable", str(error)) from error
    except redis.ResponseError as error:
        if str(error).startswith(
            ("OOM", "MISCONF", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "BUSY")
        ):
            raise Unavailable("queue_unavailable", str(error)) from error
        raise ContractError("queue_contract", str(error)) from error
