"""One Redis connection pool per execution environment."""

import os
import select
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha1
from typing import Any, cast

import redis
from redis import Connection, ConnectionPool, SSLConnection
from redis.backoff import NoBackoff
from redis.retry import Retry

from sluice.errors import ContractError, Unavailable

MOMENT_SECONDS = 0.1
NEAR_SECONDS = 0.0005


def connect_redis(url: str, *, timeout_seconds: float = 10) -> redis.Redis:
    """A client whose commands are sent once: a retried XADD whose reply was lost would queue a batch twice.

    Connects on first use; a connection that went stale while the environment was frozen is replaced after a health
    check (PING after 10 s of silence), not after a failed command. A URL that ends in ``?primary=ask`` names any server
    of a cluster that has all slots in one place, and leads to the primary.
    """
    address, asks, _ = url.partition("?primary=ask")
    secure = address.startswith("rediss:")
    kind = (_SecurePrimaryOnly if secure else _PrimaryOnly) if asks else _AskingSecurely if secure else _Asking
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
        self._at_hand: list[_Asking] = []

    def get_connection(self, *_: Any, **__: Any) -> Any:
        try:
            connection = self._at_hand.pop()
        except IndexError:
            return super().get_connection()
        if connection.is_ready():
            return connection
        connection.disconnect()  # type: ignore[no-untyped-call]
        super().release(connection)
        return super().get_connection()

    def release(self, connection: Any) -> None:
        self._at_hand.append(connection)


class _Asking(Connection):
    """A connection that is asked one thing at a time. It does not go to sleep over replies that come at once: to be
    woken takes as long again, and then the processor's caches are cold. So it looks out for a reply for NEAR_SECONDS if
    the last one came so soon."""

    _sock: Any
    _heard_at = 0.0  # if what was used last was ``ask``, and nothing else was said
    _is_near = False
    _looked_at: Any = None
    _look: Callable[[int], Any]

    def ask(self, command: bytes) -> Any:
        """The reply to one command."""
        self.send_packed_command((command,))  # type: ignore[no-untyped-call]
        sent_at = time.monotonic()
        if self._is_near:
            self._look_out(sent_at + NEAR_SECONDS)
        reply = self.read_response()
        self._heard_at = time.monotonic()
        self._is_near = self._heard_at - sent_at < NEAR_SECONDS
        return reply

    def is_ready(self) -> bool:
        """Whether a command can be sent: it is this process's, open, and the server has neither said anything nor left.
        A server that answered a moment ago is not looked for: were it gone, it would not be back by now."""
        heard_at, self._heard_at = self._heard_at, 0.0
        if self.pid != os.getpid() or not self.is_connected:
            return False
        if time.monotonic() - heard_at < MOMENT_SECONDS:
            return True
        try:
            return not self.can_read()
        except redis.RedisError:
            return False

    def _look_out(self, until: float) -> None:
        if self._looked_at is not self._sock:
            poll = select.poll()
            poll.register(self._sock, select.POLLIN)
            self._looked_at, self._look = self._sock, poll.poll
        while not self._look(0) and time.monotonic() < until:
            pass


class _AskingSecurely(_Asking, SSLConnection):
    """The same with TLS."""


class _PrimaryOnly(_Asking):
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
    """A Lua script of a client (see ``connect_redis``): one round trip, and a second where the server does not know it.

    It speaks to a connection of the client's pool itself: redis-py's own way of sending a command of 30 words, measured
    and instrumented for features that nothing here uses, takes three times as long as the server does.
    """

    def __init__(self, client: redis.Redis, source: str) -> None:
        self._pool, self._source = cast(_Pool, client.connection_pool), source
        self._hash = sha1(source.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, keys: Sequence[str | bytes], arguments: Sequence[Any]) -> Any:
        """What the script returns. Raises the driver's errors; sent once, whatever happens."""
        words = [len(keys), *keys, *arguments]
        return self._ask(_packed(["EVALSHA", self._hash, *words]), lambda: _packed(["EVAL", self._source, *words]))

    def prepared(self, keys: Sequence[str | bytes], arguments: Sequence[Any]) -> Callable[..., Any]:
        """The same call with everything encoded already, but for the arguments that are BLANK: they are handed over, as
        bytes, with each call."""
        words = [len(keys), *keys, *arguments]
        command, whole = _frame(["EVALSHA", self._hash, *words]), _frame(["EVAL", self._source, *words])

        def call(*blanks: bytes) -> Any:
            filled: list[Any] = []
            for blank in blanks:
                filled += (len(blank), blank)
            return self._ask(command % tuple(filled), lambda: whole % tuple(filled))

        return call

    def _ask(self, command: bytes, whole: Callable[[], bytes]) -> Any:
        """The reply to ``command``, or to the one with the source where the server does not know the script."""
        connection = self._pool.get_connection()
        try:
            try:
                return connection.ask(command)
            except redis.exceptions.NoScriptError:
                return connection.ask(whole())
        finally:
            self._pool.release(connection)  # closed by what failed on it


BLANK = object()


def _frame(words: Sequence[Any]) -> bytes:
    """As ``_packed``, a format that takes the size and the bytes of each BLANK."""
    encoded = [b"$%d\r\n%b\r\n" if word is BLANK else _packed([word])[4:].replace(b"%", b"%%") for word in words]
    return b"*%d\r\n%b" % (len(encoded), b"".join(encoded))


def _packed(words: Sequence[Any]) -> bytes:
    """A command in Redis's protocol; words are bytes, or text and integers that come again and again."""
    encoded = [b"$%d\r\n%b\r\n" % (len(word), word) if type(word) is bytes else _encoded(word) for word in words]
    return b"*%d\r\n%b" % (len(encoded), b"".join(encoded))


@lru_cache(4096)
def _encoded(word: str | int) -> bytes:
    encoded = str(word).encode()
    return b"$%d\r\n%b\r\n" % (len(encoded), encoded)


class translated:  # noqa: N801  # used as a function is
    """The driver's errors become Unavailable ``queue_unavailable`` and, where retrying will not help, ContractError."""

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, redis.ConnectionError | redis.TimeoutError | redis.OutOfMemoryError | redis.ReadOnlyError):
            raise Unavailable("queue_unavailable", str(error)) from error
        if isinstance(error, redis.ResponseError):
            if str(error).startswith(
                ("OOM", "MISCONF", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "BUSY")
            ):
                raise Unavailable("queue_unavailable", str(error)) from error
            raise ContractError("queue_contract", str(error)) from error
