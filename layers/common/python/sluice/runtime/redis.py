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
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from sluice.errors import ContractError, Unavailable

MOMENT_SECONDS = 0.1
NEAR_SECONDS = 0.0005
_REPLY_BYTES = 4_096  # that are read at once; usual ones are shorter
_ELSEWHERE = (redis.exceptions.MovedError, redis.ReadOnlyError)  # what a server says that is no primary any longer


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
        maint_notifications_config=MaintNotificationsConfig(enabled=False),  # nothing is said but replies
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
    _parser: Any
    _heard_at = 0.0  # if what was used last was ``ask``, and nothing else was said
    _is_fresh = False
    _is_near = False
    _looked_at: Any = None
    _look: Callable[[int], Any]

    def ask(self, command: bytes) -> Any:
        """The reply to one command."""
        self.send_packed_command((command,))  # type: ignore[no-untyped-call]
        return self._heard(self.read_response)

    def ask_text(self, command: bytes, meanwhile: Callable[[], object]) -> Any:
        """The same for a reply that is a text or an error. Of a server that answered a moment ago it is read here: the
        way through redis-py takes as long as the server does. Then ``meanwhile`` runs while the server is at work."""
        if not self._is_fresh:
            return self.ask(command)
        is_meanwhile = False
        try:
            self._send(command)
            is_meanwhile = True
            meanwhile()
            is_meanwhile = False
            reply = self._heard(self._receive)
            while (read := _read(reply)) is None:
                reply += self._receive()
        except BaseException as error:
            self.disconnect()  # type: ignore[no-untyped-call]  # or the reply would be the next command's
            if is_meanwhile or not isinstance(error, OSError | ValueError):
                raise
            kind = redis.TimeoutError if isinstance(error, TimeoutError) else redis.ConnectionError
            raise kind(str(error)) from error
        sign, text = read
        if sign == b"$":
            return text
        if sign == b"-":
            raise self._error(text)
        self.disconnect()  # type: ignore[no-untyped-call]
        raise redis.ConnectionError("a reply that is no text")

    def _error(self, text: bytes) -> Exception:
        """What an error's reply says."""
        error: Exception = self._parser.parse_error(text.decode("utf-8", "replace"))
        return error

    def _heard[Reply](self, receive: Callable[[], Reply]) -> Reply:
        """What ``receive`` returns of what was sent just now."""
        sent_at = time.monotonic()
        if self._is_near:
            self._look_out(sent_at + NEAR_SECONDS)
        reply = receive()
        self._heard_at = time.monotonic()
        self._is_near = self._heard_at - sent_at < NEAR_SECONDS
        return reply

    def _send(self, command: bytes) -> None:
        """Without asking the system first whether there is room, as a socket with a time limit does."""
        try:
            sent = os.write(self._sock.fileno(), command)
        except BlockingIOError:
            sent = 0
        if sent < len(command):
            self._sock.sendall(command[sent:])

    def _take(self) -> bytes:
        """What has come, or else comes within the time limit."""
        try:
            return os.read(self._sock.fileno(), _REPLY_BYTES)
        except BlockingIOError:
            return bytes(self._sock.recv(_REPLY_BYTES))

    def _receive(self) -> bytes:
        received = self._take()
        if not received:
            raise ConnectionError("the server has closed the connection")
        return received

    def is_ready(self) -> bool:
        """Whether a command can be sent: it is this process's, open, and the server has neither said anything nor left.
        A server that answered a moment ago is not looked for: were it gone, it would not be back by now."""
        heard_at, self._heard_at, self._is_fresh = self._heard_at, 0.0, False
        if self.pid != os.getpid() or not self.is_connected:
            return False
        self._is_fresh = time.monotonic() - heard_at < MOMENT_SECONDS
        if self._is_fresh:
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


def _read(reply: bytes) -> tuple[bytes, bytes] | None:
    """The sign of a reply and, of a text or an error, what it says; None if some is missing. Raises ValueError for what
    is no reply."""
    head, end, rest = reply.partition(b"\r\n")
    if not end:
        return None
    if head[:1] != b"$":
        return head[:1], head[1:]
    missing = int(head[1:]) + 2 - len(rest)
    if missing < 0 or head == b"$-1":
        raise ValueError("a reply that is no text")
    return None if missing else (b"$", rest[:-2])


class _Securely:
    """What a connection with TLS does in another way."""

    _sock: Any

    def _send(self, command: bytes) -> None:
        self._sock.sendall(command)

    def _take(self) -> bytes:
        return bytes(self._sock.recv(_REPLY_BYTES))


class _AskingSecurely(_Securely, _Asking, SSLConnection):
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
        except _ELSEWHERE as error:
            raise self._left() from error

    def _error(self, text: bytes) -> Exception:
        error = super()._error(text)
        return self._left() if isinstance(error, _ELSEWHERE) else error

    def _left(self) -> Exception:
        self.disconnect()  # type: ignore[no-untyped-call]
        return redis.ReadOnlyError("the primary is another server now")

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


class _SecurePrimaryOnly(_Securely, _PrimaryOnly, SSLConnection):
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
        """The same call of a script that returns text, with everything encoded already but for the arguments that are
        BLANK: they are handed over, as bytes, with each call. Work that can be done before the reply is known may go
        with them as ``meanwhile``: it runs while the server is at work, or not at all."""
        words = [len(keys), *keys, *arguments]
        frame = _frame(["EVALSHA", self._hash, *words])

        def call(*blanks: bytes, meanwhile: Callable[[], object] = _nothing) -> Any:
            return self._ask(
                _filled(frame, blanks),
                lambda: _filled(_frame(["EVAL", self._source, *words]), blanks),
                lambda connection, command: connection.ask_text(command, meanwhile),
            )

        return call

    def _ask(
        self, command: bytes, whole: Callable[[], bytes], ask: Callable[[_Asking, bytes], Any] = _Asking.ask
    ) -> Any:
        """The reply to ``command``, or to the one with the source where the server does not know the script."""
        connection = self._pool.get_connection()
        try:
            try:
                return ask(connection, command)
            except redis.exceptions.NoScriptError:
                return ask(connection, whole())
        finally:
            self._pool.release(connection)  # closed by what failed on it


BLANK = object()


def _nothing() -> None: ...


def _frame(words: Sequence[Any]) -> list[bytes]:
    """As ``_packed``, in pieces: between each and the next is a BLANK."""
    pieces = [b"*%d\r\n" % len(words)]
    for word in words:
        if word is BLANK:
            pieces.append(b"\r\n")
        else:
            pieces[-1] += _encoded(word)
    return pieces


def _filled(frame: Sequence[bytes], blanks: Sequence[bytes]) -> bytes:
    pieces = [frame[0]]
    for blank, piece in zip(blanks, frame[1:], strict=True):
        pieces += (_size(len(blank)), blank, piece)
    return b"".join(pieces)


def _packed(words: Sequence[Any]) -> bytes:
    """A command in Redis's protocol; words are bytes, or text and integers that come again and again."""
    return b"".join((b"*%d\r\n" % len(words), *map(_encoded, words)))


def _encoded(word: bytes | str | int) -> bytes:
    return b"%b%b\r\n" % (_size(len(word)), word) if isinstance(word, bytes) else _encoded_again(word)


@lru_cache(4096)
def _encoded_again(word: str | int) -> bytes:
    return _encoded(str(word).encode())


@lru_cache(4096)
def _size(count: int) -> bytes:
    return b"$%d\r\n" % count


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
