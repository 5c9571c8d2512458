"""A TCP proxy in front of a server that can cut what a real network cuts."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha1
from importlib.resources import files

from sluice.intake.redis import intake_source

_CHUNK_BYTES = 65_536
COMMIT = b"COMMIT\x00"  # as libpq sends it


def script_call(name: str) -> bytes:
    """What a call of one of the queue's scripts, or of intake's, is recognised by."""
    own = files("sluice.streams").joinpath("scripts", f"{name}.lua")
    script = intake_source().encode() if name == "intake" else own.read_bytes()
    return sha1(script, usedforsecurity=False).hexdigest().encode()


@dataclass
class Proxy:
    """Forwards connections to a port of 127.0.0.1, until told otherwise."""

    target_port: int
    sent_bytes: int = 0  # by clients
    cuts: int = 0
    is_down: bool = False
    _needle: bytes | None = None
    _sockets: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def redirect(self, url: str) -> str:
        """The server's URL, by way of this proxy."""
        return url.replace(f"127.0.0.1:{self.target_port}", f"127.0.0.1:{self.port}")

    def lose_reply_to(self, needle: bytes) -> None:
        """Lets the next request that holds ``needle`` through, and cuts its connection when the reply comes."""
        self._needle = needle

    @contextmanager
    def down(self) -> Iterator[None]:
        """Cuts all connections and accepts none for the length of the block."""
        self.is_down = True
        self._cut_all()
        yield
        self.is_down = False

    def close(self) -> None:
        self.is_down = True
        self._listener.close()
        self._cut_all()

    def _cut_all(self) -> None:
        with self._lock:
            sockets = list(self._sockets)
        for connected in sockets:
            _cut(connected)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            if self.is_down:
                raise ConnectionRefusedError
            server = socket.create_connection(("127.0.0.1", self.target_port))
        except OSError:
            client.close()
            return
        for connected in (client, server):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._sockets |= {client, server}
        losing = threading.Event()
        replies = threading.Thread(target=self._forward_replies, args=(server, client, losing), daemon=True)
        replies.start()
        self._forward_requests(client, server, losing)
        replies.join()
        with self._lock:
            self._sockets -= {client, server}
        client.close()
        server.close()

    def _forward_requests(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(_CHUNK_BYTES):
                self.sent_bytes += len(data)
                with self._lock:
                    if self._needle is not None and self._needle in data:
                        self._needle = None
                        losing.set()
                server.sendall(data)
        _cut(server)

    def _forward_replies(self, server: socket.socket, client: socket.socket, losing: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(_CHUNK_BYTES):
                if losing.is_set():
                    self.cuts += 1
                    break
                client.sendall(data)
        _cut(client)
        _cut(server)


def _cut(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
