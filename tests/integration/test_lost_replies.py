"""A connection that breaks at the one moment that matters: the outcome is unknown; nothing is lost or doubled."""

import socket
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest

from apps import load_app
from fakes import NOON
from samples import key_record, record, submission
from scratch import Scratch
from sluice.admission.model import Rates
from sluice.admission.redis import RedisAdmission
from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.usual import pack_single
from sluice.errors import Unavailable
from sluice.intake.redis import RedisIntake
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.streams.model import Submission
from sluice.streams.redis import RedisQueue

process_chunk = load_app("process_chunk")
RECORDS = 3


class Proxy:
    """Stands before a server. The first request that holds the bytes in ``fatal`` ends its connection: before the
    server gets it if ``loses_request``, else when its reply arrives. ``hits`` counts those requests."""

    def __init__(self, url: str) -> None:
        self._server = urlsplit(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.fatal: bytes | None = None
        self.loses_request = False
        self.hits = 0
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def url(self) -> str:
        """The server's URL by way of the proxy."""
        account = self._server.netloc.rpartition("@")[0]
        port = self._listener.getsockname()[1]
        return urlunsplit(self._server._replace(netloc=f"{account}@127.0.0.1:{port}"))

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((str(self._server.hostname), int(self._server.port or 0)))
            is_doomed = threading.Event()
            threading.Thread(target=self._carry_requests, args=(client, server, is_doomed), daemon=True).start()
            threading.Thread(target=_carry_replies, args=(server, client, is_doomed), daemon=True).start()

    def _carry_requests(self, client: socket.socket, server: socket.socket, is_doomed: threading.Event) -> None:
        while data := _receive(client):
            if self.fatal is not None and self.fatal in data:
                self.fatal = None
                self.hits += 1
                if self.loses_request:
                    break
                is_doomed.set()
            server.sendall(data)
        _hang_up(client, server)


def _carry_replies(server: socket.socket, client: socket.socket, is_doomed: threading.Event) -> None:
    while data := _receive(server):
        if is_doomed.is_set():
            break
        client.sendall(data)
    _hang_up(client, server)


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(2**16)
    except OSError:
        return b""


def _hang_up(*connections: socket.socket) -> None:
    for connection in connections:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue  # the other end was faster


@pytest.fixture
def queue(redis_url: str) -> RedisQueue:
    """A queue without a proxy, which has run each script before: the first run of a script takes two requests."""
    queue = RedisQueue(connect_redis(redis_url), shard_count=1, backlog_limit_bytes=10**9)
    assert queue.submit(submission(application_id=2))
    claim = queue.claim(0, min_idle_seconds=60, max_records=10, max_bytes=10**6)
    queue.acknowledge(0, queue.read(0, [entry.entry_id for entry in claim.entries]))
    return queue


@pytest.fixture
def redis_proxy(redis_url: str) -> Iterator[Proxy]:
    proxy = Proxy(redis_url)
    yield proxy
    proxy.close()


def batch(application_id: int = 1, *, is_idempotent: bool = False) -> Submission:
    records = [record(position) for position in range(RECORDS)]
    return submission(records, application_id=application_id, is_idempotent=is_idempotent)


def submit_and_lose_the_reply(proxy: Proxy, sent: Submission) -> RedisQueue:
    """The queue as ingest has it, after the loss."""
    behind = RedisQueue(connect_redis(proxy.url), shard_count=1, backlog_limit_bytes=10**9)
    proxy.fatal = sent.batch_id.hex.encode()
    with pytest.raises(Unavailable):
        behind.submit(sent)
    assert proxy.hits == 1
    return behind


def test_a_batch_is_queued_once_though_the_answer_was_lost(queue: RedisQueue, redis_proxy: Proxy) -> None:
    """Whether to send it again is the client's to decide, which alone knows whether it has an idempotency key."""
    submit_and_lose_the_reply(redis_proxy, batch())
    assert queue.count_entries(0) == 1
    assert queue.accepted()[1, 0] == RECORDS


@pytest.mark.parametrize("lost", [2, 3], ids=["paid for", "asked about"])
def test_a_single_log_is_queued_once_though_the_answer_was_lost(
    queue: RedisQueue, redis_proxy: Proxy, lost: int
) -> None:
    """On the way that is taken for a server that has just answered; the next one goes over a new connection."""
    client = connect_redis(redis_proxy.url)
    behind = RedisQueue(client, shard_count=1, backlog_limit_bytes=10**9)
    rates = Rates(10_000, 10**9, 10**12, 1)
    intake = RedisIntake(client, RedisAdmission(client, shard_count=1, rates=rates), behind)
    part = pack_single(b'{"message":"m"}', NOON)
    assert part is not None
    for number in range(6):
        batch_id = uuid4().bytes
        if number == lost:
            redis_proxy.fatal = batch_id.hex().encode()
        with pytest.raises(Unavailable, match="queue_unavailable") if number == lost else nullcontext():
            intake.submit_single(key_record(1), 10, batch_id, NOON, part, dict)
    assert redis_proxy.hits == 1
    assert queue.count_entries(0) == 6
    assert queue.accepted()[1, 0] == 6


def test_a_client_that_repeats_an_idempotent_batch_is_told_that_it_is_queued(
    queue: RedisQueue, redis_proxy: Proxy
) -> None:
    sent = batch(is_idempotent=True)
    behind = submit_and_lose_the_reply(redis_proxy, sent)
    assert not behind.submit(sent), "a replay"
    assert queue.count_entries(0) == 1


@pytest.mark.parametrize("loses_request", [False, True], ids=["committed", "rolled back"])
def test_a_commit_of_unknown_outcome_acknowledges_nothing(
    scratch: Scratch, queue: RedisQueue, loses_request: bool
) -> None:
    application_id = scratch.create_application()
    proxy = Proxy(scratch.url("sluice_writer"))
    worker = process_chunk.ProcessChunk(queue, PostgresChunkStore(Database(proxy.url)))
    worker.run(
        queue_and_claim(queue, batch(application_id))
    )  # creates the day's partition, in a transaction of its own
    sent = batch(application_id)
    task = queue_and_claim(queue, sent)
    proxy.fatal, proxy.loses_request = b"COMMIT", loses_request
    with pytest.raises(Unavailable):
        worker.run(task)
    assert proxy.hits == 1
    assert queue.count_entries(0) == 1
    result = worker.run(task)
    known, fresh = ChunkResult(redelivered=RECORDS, acknowledged=1), ChunkResult(stored=RECORDS, acknowledged=1)
    assert result == (fresh if loses_request else known)
    rows = scratch.rows("SELECT position FROM log_entries WHERE batch_id = %s ORDER BY 1", sent.batch_id.hex)
    assert rows == [(0,), (1,), (2,)]
    proxy.close()


def queue_and_claim(queue: RedisQueue, sent: Submission) -> ChunkTask:
    assert queue.submit(sent)
    claim = queue.claim(0, min_idle_seconds=60, max_records=10**6, max_bytes=10**9)
    return ChunkTask(0, tuple(entry.entry_id for entry in claim.entries))
