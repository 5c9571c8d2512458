"""One Redis connection pool per execution environment."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha1
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sluice.errors import ContractError, Unavailable


def connect_redis(url: str, *, timeout_seconds: float = 10) -> redis.Redis:
    """A client whose commands are sent once: a retried XADD whose reply was lost would queue a batch twice.

    Connects on first use; a connection that went stale while the environment was frozen is replaced after a health
    check (PING after 10 s of silence), not after a failed command.
    """
    return redis.Redis.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout_seconds,
        socket_connect_timeout=min(2, timeout_seconds),
        health_check_interval=10,
    )


class Script:
    """A Lua script of one client: one round trip, and a second where the server does not know it yet.

    It speaks to a connection of the client's pool itself: redis-py's own way of sending a command of 30 words, measured
    and instrumented for features that nothing here uses, takes three times as long as the server does.
    """

    def __init__(self, client: redis.Redis, source: str) -> None:
        self._pool, self._source = client.connection_pool, source
        self._hash = sha1(source.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
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
    """A command in Redis's protocol; words are bytes, text or integers."""
    encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n%b" % (len(encoded), b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded]))


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
