"""A chunk is handed to process_chunk once, whatever becomes of the answer."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import override

import pytest

from sluice.chunks.aws import LambdaChunkRunner, connect_lambda
from sluice.chunks.model import ChunkTask
from sluice.errors import ChunkFailed, SluiceError, Unavailable


class Endpoint(ThreadingHTTPServer):
    """A Lambda endpoint that answers every Invoke with ``status``, or hangs up if it is None."""

    daemon_threads = True
    status: int | None = None
    invocations = 0
    trace: str | None = None  # of the last one


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.invocations += 1
        self.server.trace = self.headers["X-Amzn-Trace-Id"]
        if self.server.status is not None:
            self.send_response(self.server.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        self.close_connection = True

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    with Endpoint(("127.0.0.1", 0), Handler) as server:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "error"),
    [(None, Unavailable), (500, ChunkFailed), (503, ChunkFailed), (429, ChunkFailed)],
    ids=["lost", "500", "503", "429"],
)
def test_a_failed_invocation_is_not_repeated(endpoint: Endpoint, status: int | None, error: type[SluiceError]) -> None:
    """The SDK would repeat it by itself, and several runs of a slow chunk would keep each other waiting."""
    endpoint.status = status
    runner = LambdaChunkRunner(connect_lambda(timeout_seconds=1, concurrency=1), "process-chunk")
    with pytest.raises(error):
        runner.run(ChunkTask(0, ("1-0",)))
    assert endpoint.invocations == 1


def test_a_trace_of_x_ray_goes_on_in_the_chunk(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the parameter Tracing on, the runtime sets the variables; the SDK does the rest, without one of X-Ray's."""
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=557abcec3ee5a047;Sampled=1"
    endpoint.status = 500
    runner = LambdaChunkRunner(connect_lambda(timeout_seconds=1, concurrency=1), "process-chunk")
    for expected in (None, trace):
        with pytest.raises(ChunkFailed):
            runner.run(ChunkTask(0, ("1-0",)))
        assert endpoint.trace == expected
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "sluice-prod-drain")
        monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
