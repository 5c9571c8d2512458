"""Receives webhooks, on the loopback interface."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """A request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Of the message: the same at each attempt."""
        return self.headers["webhook-id"]

    @property
    def document(self) -> dict[str, Any]:
        """The JSON in it."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def told(self) -> tuple[str, list[str]]:
        """Its type, and the incidents that it is about."""
        return self.document["type"], [event["incident_id"] for event in self.document["data"]["events"]]


class Receiver:
    """Counts connections, keeps requests and answers with ``status`` and ``headers``, which may change."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.status, self.headers = 200, dict[str, str]()
        self.connections = 0
        self.requests: list[Received] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append(Received(self.path, dict(self.headers), body))
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"<b>no\x1b[31m</b>" + b"x" * 10_000)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def get_request(self) -> tuple[socket.socket, Any]:
                wire, address = super().get_request()
                receiver.connections += 1
                return (context.wrap_socket(wire, server_side=True) if context else wire), address

            def handle_error(self, *_: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def taken(self) -> list[Received]:
        """What came since the last call."""
        found, self.requests = self.requests, []
        return found


@contextmanager
def receiving(
    status: int = 200, headers: Mapping[str, str] | None = None, context: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    """A receiver that is running."""
    receiver = Receiver(context)
    receiver.status, receiver.headers = status, dict(headers or {})
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()
