"""Each function's user of Redis may do what the function does, and no more (infra/queue/users.acl)."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from embedded.binaries import redis_server
from embedded.servers.redis import USERS, user_lines
from samples import PEPPER, key_record, record, submission
from sluice.admission.model import Rates
from sluice.admission.redis import RedisAdmission, RedisUsageReader
from sluice.applications.model import Limits
from sluice.applications.redis import RedisKeyCache
from sluice.intake.redis import RedisIntake
from sluice.metrics.model import Sample
from sluice.metrics.redis import RedisMemory, RedisMetricStore
from sluice.runtime.redis import connect_redis
from sluice.streams.redis import GROUP, RedisQueue
from sluice.tail.redis import RedisNews, RedisSeats

RATES = Rates(requests_per_second=100, bytes_per_second=10_000, bytes_per_day=10**6, burst_seconds=1)
NAMES = [line.partition(" ")[0] for line in USERS.read_text().splitlines() if not line.startswith("#")]
DENIAL = [Sample("errors", 1, {"service": "ingest", "code": "queue_contract"})]
START_SECONDS = 10
PASSWORD = "password"


class Server:
    """Redis with the users of the file, and an administrator's connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.administrator = redis.Redis(port=port)

    def connect(self, name: str, password: str = PASSWORD) -> redis.Redis:
        return connect_redis(f"redis://{name}:{password}@127.0.0.1:{self._port}/0")

    def queue(self, name: str) -> RedisQueue:
        return RedisQueue(self.connect(name), shard_count=1, backlog_limit_bytes=10**8, wake_seconds=60)

    def denials(self) -> list[object]:
        """What was refused, of commands and keys; adapters keep silent about some of it."""
        return [entry["object"] for entry in self.administrator.acl_log()]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    configuration = tmp_path / "redis.conf"
    lines = [f"port {port}\n", 'save ""\n', f"dir {tmp_path}\n", *user_lines(dict.fromkeys(NAMES, PASSWORD))]
    configuration.write_text("".join(lines))
    process = subprocess.Popen([str(redis_server()), str(configuration)], stdout=subprocess.DEVNULL)
    try:
        made = Server(port)
        deadline = time.monotonic() + START_SECONDS
        while not _is_up(made.administrator):
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.02)
        yield made
    finally:
        process.kill()
        process.wait()


def _is_up(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def ingest(server: Server) -> None:
    client, queue, key = server.connect("ingest"), server.queue("ingest"), key_record()
    admission = RedisAdmission(client, shard_count=1, rates=RATES)
    sent = submission([record(0), record(1)], is_idempotent=True)
    admission.admit(key, 10)
    admission.refund(key, 10)
    for _ in range(2):
        RedisIntake(client, admission, queue).submit(key, 10, sent)
    queue.submit(submission([record(2)]))
    RedisQueue(client, shard_count=2, backlog_limit_bytes=10**8, wake_seconds=60).submit(submission([record(3)]))
    RedisKeyCache(client, PEPPER).keep_key(key)
    assert RedisKeyCache(client, PEPPER).fetch_key(key.key_id) == key
    RedisMetricStore(client).add(DENIAL)


def drain(server: Server) -> None:
    client, queue = server.connect("drain"), server.queue("drain")
    queue.note_start(is_woken=True)
    queue.attend(60)
    server.queue("ingest").submit(submission([record(0)]))
    claimed = queue.claim(0, min_idle_seconds=0, max_records=10, max_bytes=10**6).entries
    queue.start(0, claimed)
    queue.release(0, claimed, is_forgiven=True)
    assert queue.claim(0, min_idle_seconds=0, max_records=10, max_bytes=10**6).entries
    queue.trim(0)
    assert queue.count_entries(0) == 1
    assert queue.shards() == [0]
    queue.leave()
    RedisMetricStore(client).add(DENIAL)


def process_chunk(server: Server) -> None:
    client, queue = server.connect("process_chunk"), server.queue("process_chunk")
    server.queue("ingest").submit(submission([record(0)]))
    server.administrator.xadd("logs:queue:{0}", {"nonsense": "x"})
    claimed = server.queue("drain").claim(0, min_idle_seconds=60, max_records=10, max_bytes=10**6).entries
    found = queue.read(0, [entry.entry_id for entry in claimed])
    assert len(found) == 2
    assert queue.acknowledge(0, found) == 2
    RedisMetricStore(client).add(DENIAL)


def query(server: Server) -> None:
    client, queue = server.connect("query"), server.queue("query")
    server.queue("ingest").submit(submission([record(0)]))
    server.queue("drain").claim(0, min_idle_seconds=60, max_records=10, max_bytes=10**6)
    queue.inspect(0, max_entries=10, max_pending=10)
    queue.drain_state()
    assert queue.accepted()
    assert queue.queued_ranges()
    assert queue.shards() == [0]
    assert RedisUsageReader(client, shard_count=1, rates=RATES).used({1: Limits()})
    with RedisSeats(client, 5).take(1, 1) as is_seated:
        assert is_seated
    RedisNews(client, shard_count=1).mark([1])
    RedisKeyCache(client, PEPPER).keep_key(key_record())
    RedisKeyCache(client, PEPPER).fetch_key(key_record().key_id)
    RedisMetricStore(client).add(DENIAL)
    assert RedisMetricStore(client).read()
    assert RedisMemory(client).read()


def dashboard(server: Server) -> None:
    cache = RedisKeyCache(server.connect("dashboard"), PEPPER)
    cache.keep_key(key_record())
    assert cache.fetch_key(key_record().key_id) == key_record()


def watch(server: Server) -> None:
    server.queue("ingest").submit(submission([record(0)]))
    queue = server.queue("watch")
    assert queue.shards() == [0]
    assert queue.inspect(0, max_entries=1, max_pending=0).oldest_seconds is not None
    RedisMetricStore(server.connect("watch")).add(DENIAL)


def alerts(server: Server) -> None:
    cache = RedisKeyCache(server.connect("alerts"), PEPPER)
    cache.keep_key(key_record())
    assert cache.fetch_key(key_record().key_id) == key_record()
    RedisMetricStore(server.connect("alerts")).add(DENIAL)


def archive(server: Server) -> None:
    server.queue("ingest").submit(submission([record(0)]))
    queue = server.queue("archive")
    assert queue.accepted()
    assert queue.queued_ranges()


WORK: dict[str, Callable[[Server], None]] = {
    work.__name__: work for work in (ingest, drain, process_chunk, query, dashboard, watch, alerts, archive)
}


def test_every_user_is_here() -> None:
    assert WORK.keys() == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_function_may_do_its_work(server: Server, name: str) -> None:
    WORK[name](server)
    assert server.denials() == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "command", ["FLUSHALL", "CONFIG GET *", "KEYS *", "ACL LIST", "GET other", "XGROUP DESTROY logs:queue:{0} " + GROUP]
)
def test_nobody_may_do_what_no_function_does(server: Server, name: str, command: str) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        server.connect(name).execute_command(*command.split())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("dashboard", "XADD logs:queue:{0} * a b"),
        ("ingest", "XDEL logs:queue:{0} 1-1"),
        ("ingest", "XRANGE logs:queue:{0} - +"),
        ("process_chunk", "XADD logs:queue:{0} * a b"),
        ("process_chunk", "GET keys:cache:a"),
        ("drain", "XDEL logs:queue:{0} 1-1"),
        ("drain", "XADD logs:queue:{0} * a b"),
        ("query", "XADD logs:queue:{0} * a b"),
        ("query", "XDEL logs:queue:{0} 1-1"),
    ],
)
def test_a_function_may_not_do_anothers_work(server: Server, name: str, command: str) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        server.connect(name).execute_command(*command.split())  # type: ignore[no-untyped-call]


def test_without_the_password_there_is_nothing(server: Server) -> None:
    with pytest.raises(redis.AuthenticationError):
        server.connect("drain", password="wrong").ping()
