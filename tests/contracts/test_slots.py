"""On a Redis Cluster all keys of a script are in one hash slot: every script of ours, on a server in cluster mode."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.crc import key_slot

from embedded.binaries import redis_server
from samples import key_record, record, submission
from sluice.admission.model import Rates
from sluice.admission.redis import RedisAdmission, RedisUsageReader
from sluice.applications.model import Limits
from sluice.intake.redis import RedisIntake
from sluice.runtime.redis import connect_redis
from sluice.streams.model import StreamEntry
from sluice.streams.redis import MAX_SHARDS, RedisQueue

SHARDS = 4
START_SECONDS = 10
RATES = Rates(requests_per_second=100, bytes_per_second=10_000, bytes_per_day=10**6, burst_seconds=1)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[redis.Redis]:
    """A cluster of one server, which holds all slots: it refuses what crosses them as a larger one would."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--port", str(port), "--cluster-port", str(port + 10_000 if port < 50_000 else port - 10_000)]
    options += ["--cluster-enabled", "yes", "--save", "", "--dir", str(tmp_path)]
    server = subprocess.Popen([str(redis_server()), *options], stdout=subprocess.DEVNULL)
    try:
        client = connect_redis(f"redis://127.0.0.1:{port}/0")
        deadline = time.monotonic() + START_SECONDS
        while not _is_up(client):
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.02)
        yield client
    finally:
        server.kill()
        server.wait()


def _is_up(client: redis.Redis) -> bool:
    try:
        info = client.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
        if info["cluster_slots_assigned"] == "0":
            client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16_383)  # type: ignore[no-untyped-call]
        return bool(info["cluster_state"] == "ok")
    except redis.ConnectionError:
        return False


def exercise(client: redis.Redis) -> None:
    """Every script and command of the queue, of admission and of intake, on all shards."""
    queue = RedisQueue(client, shard_count=SHARDS, backlog_limit_bytes=10**8, wake_seconds=60)
    admission = RedisAdmission(client, shard_count=SHARDS, rates=RATES)
    for application_id in range(1, SHARDS + 1):
        key, shard = key_record(application_id), application_id % SHARDS
        sent = submission([record(0), record(1)], application_id=application_id, is_idempotent=True)
        admission.admit(key, 10)
        admission.refund(key, 10)
        RedisIntake(client, admission, queue).submit(key, 10, sent)
        queue.submit(submission(application_id=application_id))
        claimed = queue.claim(shard, min_idle_seconds=60, max_records=10, max_bytes=10**6).entries
        queue.start(shard, claimed)
        queue.release(shard, claimed, is_forgiven=True)
        queue.inspect(shard, max_entries=10, max_pending=10)
        found = queue.read(shard, [entry.entry_id for entry in claimed])
        assert [type(entry) for entry in found] == [StreamEntry, StreamEntry]
        assert queue.acknowledge(shard, found[:1]) == 1
        queue.trim(shard)
    queue.attend(60)
    queue.leave()
    assert queue.shards() == list(range(SHARDS))
    assert sum(queue.accepted().values()) == 3 * SHARDS
    assert len(queue.queued_ranges()) == SHARDS
    usage = RedisUsageReader(client, shard_count=SHARDS, rates=RATES)
    assert len(usage.used(dict.fromkeys(range(1, SHARDS + 1), Limits()))) == SHARDS


def keys_of(client: redis.Redis, command: str) -> list[str]:
    keys: list[str] = client.execute_command("COMMAND GETKEYS", *command.split(" "))  # type: ignore[no-untyped-call]
    return keys


def test_all_keys_of_a_script_are_in_one_slot(cluster: redis.Redis) -> None:
    scripts: list[list[str]] = []  # what each run was called with, and the commands in it
    with cluster.monitor() as monitor:  # type: ignore[no-untyped-call]
        exercise(cluster)
        cluster.echo("over")
        for seen in monitor.listen():
            command = seen["command"]
            if command.startswith("ECHO"):
                break
            if command.startswith("EVALSHA"):
                scripts.append([command])
            elif seen["client_type"] == "lua" and command != "TIME":
                scripts[-1].append(command)
    assert len(scripts) >= 8 * SHARDS
    for commands in scripts:
        keys = {key for command in commands for key in keys_of(cluster, command)}
        assert len({key_slot(key.encode()) for key in keys}) == 1, keys


def test_shards_are_in_different_slots() -> None:
    assert len({key_slot(f"logs:queue:{{{shard}}}".encode()) for shard in range(MAX_SHARDS)}) == MAX_SHARDS
