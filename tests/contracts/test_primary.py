"""A cluster of a primary and a replica, as a durable ElastiCache is: whichever is named, the primary is spoken to."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from embedded.binaries import redis_server
from samples import record, submission
from sluice.errors import Unavailable
from sluice.runtime.redis import BLANK, Script, connect_redis
from sluice.streams.redis import RedisQueue

PATIENCE_SECONDS = 20


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


class Cluster:
    """Two servers on ports of their own."""

    def __init__(self, folder: Path) -> None:
        self.ports = [self._start(folder / name) for name in ("one", "two")]
        one, two = self.plain
        wait_until(lambda: self._answers(one) and self._answers(two), "the servers do not start")
        one.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16_383)  # type: ignore[no-untyped-call]
        two.execute_command(*f"CLUSTER MEET 127.0.0.1 {self.ports[0]} {self._bus(self.ports[0])}".split())  # type: ignore[no-untyped-call]
        name = one.execute_command("CLUSTER MYID").decode()  # type: ignore[no-untyped-call]
        wait_until(lambda: self._replicate(name), "the servers do not meet")
        wait_until(lambda: self.role(1) == b"slave" and two.execute_command("ROLE")[3] == b"connected", "no replica")  # type: ignore[no-untyped-call]

    processes: list[subprocess.Popen[bytes]]

    @property
    def plain(self) -> list[redis.Redis]:
        return [redis.Redis(port=port) for port in self.ports]

    def url(self, number: int) -> str:
        return f"redis://127.0.0.1:{self.ports[number]}/0?primary=ask"

    def role(self, number: int) -> bytes:
        role: bytes = self.plain[number].execute_command("ROLE")[0]  # type: ignore[no-untyped-call]
        return role

    def swap(self) -> None:
        """Has the replica take over."""
        replica = [self.role(number) for number in range(2)].index(b"slave")
        self.plain[replica].execute_command("CLUSTER FAILOVER")  # type: ignore[no-untyped-call]
        wait_until(lambda: self.role(replica) == b"master" and self.role(1 - replica) == b"slave", "no failover")

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def _start(self, folder: Path) -> int:
        folder.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        options = ["--port", str(port), "--cluster-port", str(self._bus(port)), "--cluster-enabled", "yes"]
        command = [str(redis_server()), *options, "--save", "", "--dir", str(folder)]
        self.processes = [*getattr(self, "processes", []), subprocess.Popen(command, stdout=subprocess.DEVNULL)]
        return port

    @staticmethod
    def _bus(port: int) -> int:
        return port + 10_000 if port < 50_000 else port - 10_000

    @staticmethod
    def _answers(client: redis.Redis) -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    def _replicate(self, primary: str) -> bool:
        try:
            self.plain[1].execute_command("CLUSTER REPLICATE", primary)  # type: ignore[no-untyped-call]
        except redis.ResponseError:
            return False
        return True


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.stop()


def test_a_replica_leads_to_the_primary(cluster: Cluster) -> None:
    for number in range(2):
        client = connect_redis(cluster.url(number))
        assert client.set("key", number)
        assert client.execute_command("ROLE")[0] == b"master"  # type: ignore[no-untyped-call]


def test_without_asking_a_replica_is_what_is_spoken_to(cluster: Cluster) -> None:
    replica = [cluster.role(number) for number in range(2)].index(b"slave")
    with pytest.raises(redis.exceptions.MovedError):
        connect_redis(cluster.url(replica).partition("?")[0]).set("key", 1)


def test_after_a_failover_the_next_command_finds_the_new_primary(cluster: Cluster) -> None:
    queue = RedisQueue(connect_redis(cluster.url(0)), shard_count=1, backlog_limit_bytes=10**8, wake_seconds=60)
    queue.submit(submission([record(0)]))
    cluster.swap()
    with pytest.raises(Unavailable, match="queue_unavailable"):
        queue.submit(submission([record(1)]))
    queue.submit(submission([record(2)]))
    assert queue.count_entries(0) == 2


def test_after_a_failover_a_prepared_call_finds_the_new_primary(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.runtime.redis.MOMENT_SECONDS", 60)  # a swap takes its time
    client = connect_redis(cluster.url(0))
    keep = Script(client, "#!lua\nredis.call('SET', KEYS[1], ARGV[1])\nreturn 'kept'").prepared(["prepared"], [BLANK])
    assert keep(b"0") == keep(b"1") == b"kept"
    cluster.swap()
    with pytest.raises(redis.ReadOnlyError, match="another server now"):
        keep(b"2")
    assert keep(b"3") == b"kept"
    assert client.get("prepared") == b"3"


def test_a_server_that_is_not_there_is_unavailable() -> None:
    queue = RedisQueue(connect_redis("redis://127.0.0.1:1/0?primary=ask"), shard_count=1)
    with pytest.raises(Unavailable):
        queue.count_entries(0)
