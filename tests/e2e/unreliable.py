"""An HTTP server in front of the API that behaves as networks and busy servers do, on a fixed beat."""

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fate = Literal["delivered", "throttled", "unavailable", "answer lost"]
# Each failure is followed by a delivery, so that a client which tries again gets through.
BEAT: tuple[Fate, ...] = ("delivered", "throttled", "delivered", "unavailable", "delivered", "answer lost", "delivered")
_HOP_BY_HOP = frozenset(("connection", "date", "host", "keep-alive", "server", "transfer-encoding"))


class UnreliableServer(ThreadingHTTPServer):
    """Forwards requests to ``target``, all but those whose turn it is to fail. ``fates`` counts what became of them."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target)
        self.fates: Counter[Fate] = Counter()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """What stands in for the API's URL."""
        return f"http://127.0.0.1:{self.server_port}{self.target.path}"

    def next_fate(self) -> Fate:
        """What becomes of the next request."""
        with self._lock:
            fate = BEAT[self.fates.total() % len(BEAT)]
            self.fates[fate] += 1
        return fate


class _Handler(BaseHTTPRequestHandler):
    server: UnreliableServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fate = self.server.next_fate()
        if fate in ("throttled", "unavailable"):
            self._answer(429 if fate == "throttled" else 503, [("Retry-After", "1")], b"")
            return
        status, headers, answer = self._forward(body)
        if fate == "answer lost":
            assert 200 <= status < 300, f"nothing was accepted that an answer could be lost for: {status} {answer!r}"
            self.close_connection = True
            return
        self._answer(status, headers, answer)

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        target = self.server.target
        connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        connection.request("POST", self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), content

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def unreliable(target: str) -> Iterator[UnreliableServer]:
    """A running server in front of ``target``."""
    with UnreliableServer(target) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
