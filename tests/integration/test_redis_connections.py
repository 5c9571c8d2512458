"""Connections to Redis between one command and the next."""

import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis

from certificates import write_certificate
from sluice.runtime.redis import BLANK, MOMENT_SECONDS, Script, connect_redis

type Answering = Callable[..., Callable[..., Any]]
ECHO = "#!lua\nreturn {KEYS[1], ARGV[1], ARGV[2], ARGV[3]}"


def connected(client: redis.Redis) -> int:
    """The id of the connection that the next command would go through."""
    return int(client.client_id())


def test_a_connection_is_used_again(redis_client: redis.Redis) -> None:
    first = connected(redis_client)
    script = Script(redis_client, ECHO)
    for number in range(3):
        assert script(["key"], [b"\0\r\n", "text", number]) == [b"key", b"\0\r\n", b"text", b"%d" % number]
    assert connected(redis_client) == first


def test_one_that_the_server_has_closed_is_replaced_before_a_command_is_lost(
    redis_client: redis.Redis, redis_url: str
) -> None:
    first = connected(redis_client)
    connect_redis(redis_url).client_kill_filter(_id=str(first))
    assert Script(redis_client, ECHO)(["key"], [1, 2, 3])[0] == b"key"
    assert connected(redis_client) != first


def test_one_with_an_answer_that_nobody_read_is_replaced(redis_client: redis.Redis) -> None:
    assert Script(redis_client, ECHO)(["key"], [1, 2, 3])[0] == b"key"
    pool = redis_client.connection_pool
    connection = pool.get_connection()
    connection.send_packed_command((b"ECHO late\r\n",))  # type: ignore[no-untyped-call]
    connection.can_read(1)
    pool.release(connection)
    assert Script(redis_client, ECHO)(["key"], [1, 2, 3])[0] == b"key"


def test_a_forked_process_has_its_own(redis_client: redis.Redis) -> None:
    first = connected(redis_client)
    if (child := os.fork()) == 0:
        os._exit(connected(redis_client) == first)
    assert os.waitpid(child, 0)[1] == 0
    assert connected(redis_client) == first


def test_a_server_that_answered_a_moment_ago_is_not_looked_for(redis_client: redis.Redis, redis_url: str) -> None:
    """One request fails then, as it would a moment earlier; after that a connection is looked at first."""
    script = Script(redis_client, "#!lua\nreturn redis.call('INCR', KEYS[1])")
    assert script(["count"], []) == 1
    pool: Any = redis_client.connection_pool
    pool.release(connection := pool.get_connection())
    assert script(["count"], []) == 2
    connection._sock.shutdown(2)
    with pytest.raises(redis.ConnectionError):
        script(["count"], [])
    assert script(["count"], []) == 3
    connection = pool.get_connection()
    pool.release(connection)
    assert script(["count"], []) == 4
    time.sleep(1.5 * MOMENT_SECONDS)
    connection._sock.shutdown(2)
    assert script(["count"], []) == 5


def test_a_slow_reply_is_slept_over(redis_client: redis.Redis) -> None:
    """However quick the ones before were."""
    script = Script(redis_client, "#!lua\nfor _ = 1, ARGV[1] do redis.call('PING') end return 1")
    for _ in range(20):
        script(["key"], [1])
    started, used = time.perf_counter(), time.process_time()
    script(["key"], [300_000])
    assert time.process_time() - used < 0.3 * (time.perf_counter() - started)


def test_a_prepared_call_is_the_same_call(redis_client: redis.Redis) -> None:
    script = Script(redis_client, "#!lua\nreturn KEYS[1] .. ARGV[1] .. ARGV[2] .. ARGV[3]")
    call = script.prepared(["100%"], [BLANK, 7, BLANK])
    for first, last in ((b"", b"\0\r\n"), (b"%d", b"x" * 100_000), (b"$1\r\n", b"")):
        assert call(first, last) == b"100%" + first + b"7" + last == script(["100%"], [first, 7, last])
        redis_client.script_flush()


class Scripted:
    """Stands before a server, for one client. It answers each EVALSHA with the next of ``answers``, a piece after the
    other; where they end, it hangs up. All but the first wait for ``answers_after``."""

    def __init__(self, url: str, *answers: list[bytes], answers_after: threading.Event | None = None) -> None:
        self._server, self._answers, self._answers_after = urlsplit(url), list(answers), answers_after
        self._listener = socket.create_server(("127.0.0.1", 0))
        account, port = self._server.netloc.rpartition("@")[0], self._listener.getsockname()[1]
        self.url = urlunsplit(self._server._replace(netloc=f"{account}@127.0.0.1:{port}"))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection((str(self._server.hostname), int(self._server.port or 0)))
        threading.Thread(target=_carry, args=(server, client), daemon=True).start()
        with self._listener, client, server, suppress(OSError):  # who is called hangs up where an answer is none
            is_first = True
            while data := client.recv(2**16):
                if b"EVALSHA" not in data:
                    server.sendall(data)
                    continue
                if not self._answers:
                    return
                if self._answers_after is not None and not is_first:
                    self._answers_after.wait()
                is_first = False
                for piece in self._answers.pop(0):
                    client.sendall(piece)
                    time.sleep(0.01)


@pytest.mark.parametrize("ending", ["", "?primary=ask"])
def test_a_prepared_call_with_tls(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """Its text is read past redis-py, too: of a server that answered a moment ago."""
    monkeypatch.setattr("sluice.runtime.redis.MOMENT_SECONDS", 60)
    monkeypatch.setenv("SSL_CERT_FILE", str(write_certificate(tmp_path / "redis.pem", "localhost")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "redis.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_unwrap, args=(listener, context, redis_url), daemon=True).start()
        url = urlsplit(redis_url)
        netloc = f"{url.netloc.rpartition('@')[0]}@localhost:{listener.getsockname()[1]}"
        client = connect_redis(urlunsplit(url._replace(scheme="rediss", netloc=netloc)) + ending)
        call = Script(client, "#!lua\nreturn ARGV[1]").prepared([], [BLANK])
        for text in (b"", b"a", b"x" * 1_000_000, b"b"):
            assert call(text) == text


def _unwrap(listener: socket.socket, context: ssl.SSLContext, url: str) -> None:
    """Stands before a server without TLS, for one client."""
    server = urlsplit(url)
    with suppress(OSError):
        client = context.wrap_socket(listener.accept()[0], server_side=True)
        plain = socket.create_connection((str(server.hostname), int(server.port or 0)))
        threading.Thread(target=_carry, args=(plain, client), daemon=True).start()
        _carry(client, plain)


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(2**16):
            target.sendall(data)


@pytest.fixture
def answered(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    """A prepared call whose server has answered a moment ago, and answers so from then on."""
    monkeypatch.setattr("sluice.runtime.redis.MOMENT_SECONDS", 60)
    clients: list[redis.Redis] = []  # one that nobody has any longer closes its connections

    def prepare(*answers: list[bytes], answers_after: threading.Event | None = None) -> Callable[..., Any]:
        server = Scripted(redis_url, [b"$2\r\nOK\r\n"], *answers, answers_after=answers_after)
        clients.append(connect_redis(server.url, timeout_seconds=0.5))
        call = Script(clients[-1], ECHO).prepared([], [])
        assert call() == b"OK"
        return call

    yield prepare
    clients.clear()


def test_a_reply_may_come_in_pieces(answered: Answering) -> None:
    answer = b"$11\r\nab\r\n$1\r\ncde\r\n"
    pieces = [answer[:1], answer[1:4], answer[4:5], answer[5:9], answer[9:-1], answer[-1:]]
    call = answered(pieces, [b"$0\r\n\r\n"])
    assert (call(), call()) == (b"ab\r\n$1\r\ncde", b"")


def test_work_is_done_while_a_server_is_at_work(answered: Answering, redis_client: redis.Redis) -> None:
    done = threading.Event()
    call = answered([b"$1\r\na\r\n"], answers_after=done)
    assert call(meanwhile=done.set) == b"a"
    new = Script(redis_client, "#!lua\nreturn 'b'").prepared([], [])
    done.clear()
    assert (new(meanwhile=done.set), done.is_set()) == (b"b", False)  # which may also be before anybody is asked


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_work_that_fails_is_no_fault_of_the_server(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """And leaves no reply to the next call."""
    monkeypatch.setattr("sluice.runtime.redis.MOMENT_SECONDS", 60)

    def fail() -> None:
        raise error("of ours")

    call = Script(redis_client, "#!lua\nreturn ARGV[1]").prepared([], [BLANK])
    assert call(b"a") == b"a"
    with pytest.raises(error, match="of ours"):
        call(b"b", meanwhile=fail)
    assert call(b"c") == b"c"


def test_a_command_of_any_size_is_sent_whole(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large one the system takes a part at first."""
    monkeypatch.setattr("sluice.runtime.redis.MOMENT_SECONDS", 60)
    call = Script(redis_client, "#!lua\nreturn #ARGV[1] .. string.sub(ARGV[1], -9)").prepared([], [BLANK])
    for size in (10, 16_000_000, 10, 16_000_000):
        text = b"%0*d" % (size, size)
        assert call(text) == b"%d%b" % (size, text[-9:])


def test_a_reply_that_breaks_off_is_an_error_and_so_is_none(answered: Answering) -> None:
    for answers in ([[b"$12\r\nab"]], [[b"$1"]], []):
        with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
            answered(*answers)()


def test_a_reply_that_is_no_text_ends_the_connection(answered: Answering) -> None:
    """Nor is one that is longer than it says: what follows would be taken for the next reply."""
    for answer in (b":1\r\n", b"*1\r\n$1\r\nx\r\n", b"HTTP/1.1 400\r\n", b"$-1\r\n", b"$2\r\nOK\r\n:1\r\n", b"$x\r\n"):
        call = answered([answer], [b"$4\r\nlate\r\n"])
        with pytest.raises(redis.ConnectionError):
            call()
        with pytest.raises(redis.ConnectionError):  # a new connection, which this server does not accept
            call()


def test_the_reply_to_a_call_that_was_interrupted_is_not_the_next_ones(answered: Answering) -> None:
    call = answered([b"$1", b"0", b"\r\n", b"in pieces!\r\n"])

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.015)
    try:
        with pytest.raises(KeyboardInterrupt):
            call()
    finally:
        signal.signal(signal.SIGALRM, before)
    with pytest.raises(redis.ConnectionError):  # as above
        call()


def test_a_refusal_is_what_redis_py_makes_of_it(redis_client: redis.Redis) -> None:
    call = Script(redis_client, "#!lua\nreturn redis.error_reply(ARGV[1])").prepared([], [BLANK])
    for _ in range(2):
        with pytest.raises(redis.OutOfMemoryError):
            call(b"OOM command not allowed when used memory > 'maxmemory'.")
        with pytest.raises(redis.ReadOnlyError):
            call(b"READONLY You can't write against a read only replica.")
    assert connected(redis_client)


def test_a_server_that_does_not_answer_in_time_is_left(redis_client: redis.Redis, redis_url: str) -> None:
    client = connect_redis(redis_url, timeout_seconds=0.5)
    call = Script(client, "#!lua\nfor _ = 1, ARGV[1] do redis.call('PING') end return 'pong'").prepared([], [BLANK])
    assert call(b"1") == call(b"1") == b"pong"
    with pytest.raises(redis.TimeoutError):
        call(b"2000000")
    while redis_client.ping() is not True:
        time.sleep(0.1)
    assert call(b"1") == b"pong"


def test_what_fails_is_not_sent_again(redis_client: redis.Redis) -> None:
    with pytest.raises(redis.ResponseError):
        Script(redis_client, "#!lua\nredis.call('INCR', KEYS[1])\nerror('no')")(["count"], [])
    assert redis_client.get("count") == b"1"
    assert connected(redis_client)
