"""A real HTTP server on loopback that plays back answers, for what only a connection can show."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, override
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """What the server got."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's JSON, inflated if it is gzip."""
        return json.loads(gzip.decompress(self.body) if self.body.startswith(b"\x1f\x8b") else self.body)


@dataclass(frozen=True)
class Answer:
    """What the server says; `hang_up` closes the connection without a word."""

    status: int = 200
    content: object = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False


type Play = Callable[[Request], Answer]


def problem(status: int, code: str, detail: str, **more: object) -> Answer:
    """A problem+json answer."""
    content = {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code, **more}
    return Answer(status, content, {"Content-Type": "application/problem+json"})


@dataclass
class Playback:
    """The running server. Every request is kept in `requests`, in order."""

    url: str
    play: Play
    requests: list[Request] = field(default_factory=list)

    def answers(self, *answers: Answer) -> None:
        """Plays these back, one after the other, and the last one for ever."""
        upcoming = list(answers)
        self.play = lambda _: upcoming.pop(0) if len(upcoming) > 1 else upcoming[0]


@contextmanager
def running() -> Iterator[Playback]:
    """A server on a free port."""
    playback = Playback("", lambda request: problem(404, "not_found", request.path))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, parts.path, query, dict(self.headers.items()), body)
            playback.requests.append(request)
            answer = playback.play(request)
            if answer.hang_up:
                self.close_connection = True
                return
            content = answer.content if isinstance(answer.content, bytes) else json.dumps(answer.content).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(content)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  # http.server's names

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        playback.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield playback
        server.shutdown()
