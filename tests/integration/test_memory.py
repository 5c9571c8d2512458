"""Functions at the largest work that they take at once, on real servers, in the smallest memory that may be configured.

Each handler runs in a process of its own, whose peak of resident memory the system keeps. Ingest is in
unit/test_ingest_memory.py.
"""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from benchmarks.deployed import environments
from deploy.target import REPOSITORY
from lambda_events import rest_event
from samples import PEPPER, record, submission
from scratch import Scratch
from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.postgres import PostgresApplications
from sluice.chunks.postgres import PostgresChunkStore
from sluice.runtime.postgres import Database
from sluice.streams.model import StreamEntry
from sluice.streams.redis import GROUP, RedisQueue
from sluice.templates.miner import MAX_TEMPLATES
from sluice.templates.postgres_audit import audit_census
from sluice.templates.postgres_reads import PostgresTemplates

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")

CALL = """
import json, re, sys
from dataclasses import replace
from pathlib import Path
from apps import load_app
from aws import LambdaContext
from sluice.chunks.model import ChunkResult

class Nobody:  # runs chunks and leaves them where they are
    def run(self, task):
        return ChunkResult()

name, event = sys.argv[1], json.loads(sys.stdin.read())
app = load_app(name)
if name == "drain":
    drain = replace(app._dependencies(), runner=Nobody())
    app._dependencies = lambda: drain
answer = app.handler(event, LambdaContext(remaining_ms=600_000))
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
print()
print(json.dumps([answer, peak]))
"""
FLOOD = """
import json, os, random, re, sys
from pathlib import Path
from apps import load_app
from aws import LambdaContext
from samples import record, submission
from sluice.runtime.redis import connect_redis
from sluice.streams.redis import RedisQueue

total, application_id, chance = int(sys.argv[1]), int(sys.argv[2]), random.Random(1)
words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 9))) for _ in range(50_000)]
queue = RedisQueue(connect_redis(os.environ["REDIS_URL"]), shard_count=1, backlog_limit_bytes=10**9)
app, stored, peaks = load_app("process_chunk"), 0, []
for first in range(0, total, 5_000):
    records = [record(n, " ".join(chance.choices(words, k=6))) for n in range(min(5_000, total - first))]
    queue.submit(submission(records, application_id=application_id))
    claim = queue.claim(0, min_idle_seconds=60, max_records=10**6, max_bytes=10**9)
    event = {"version": 1, "shard": 0, "entry_ids": [entry.entry_id for entry in claim.entries]}
    stored += app.handler(event, LambdaContext())["stored"]
    peaks.append(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
print()
print(json.dumps([stored, peaks]))
"""
JUNK_LINES = int(os.environ.get("SLUICE_JUNK_LINES", "40000"))
LARGEST_MESSAGE = "🎉" * 65_536
# Copies the only entry of a stream, which no lookahead of a drain reaches the end of.
MULTIPLY = """
local entry = redis.call('XRANGE', KEYS[1], '-', '+')[1][2]
for _ = 1, ARGV[1] do
  redis.call('XADD', KEYS[1], '*', unpack(entry))
end"""


def smallest_memory(parameter: str) -> int:
    """Megabytes that the template allows at least."""
    found = re.search(r"MinValue: (\d+)", (REPOSITORY / "template.yaml").read_text().partition(f"{parameter}:")[2])
    assert found
    return int(found[1])


class Machine:
    """Calls functions with the connections of one deployment."""

    def __init__(self, scratch: Scratch, client: redis.Redis, redis_url: str) -> None:
        self.scratch, self.redis_url = scratch, redis_url
        self.queue = RedisQueue(client, shard_count=1, backlog_limit_bytes=10**9)
        self.client = client
        self.application_id = scratch.create_application()

    def call(self, name: str, event: dict[str, Any], role: str, memory: str = "HttpMemoryMegabytes") -> Any:
        """The handler's answer; AssertionError if it took more than nine tenths of the smallest memory."""
        answer, megabytes = self.run(CALL, name, name, role=role, stdin=json.dumps(event))
        assert megabytes <= 0.9 * smallest_memory(memory), f"{megabytes} MB"
        return answer

    def run(self, script: str, name: str, *arguments: str, role: str, stdin: str = "", seconds: float = 100) -> Any:
        """What ``script`` prints last, run as the function ``name`` is."""
        environ = environments(defaultdict(str))[name] | {
            "PYTHONPATH": os.pathsep.join(str(REPOSITORY / path) for path in ("tests", "layers/common/python")),
            "AWS_DEFAULT_REGION": "us-east-1",
            "REDIS_URL": self.redis_url,
            "DATABASE_URL": self.scratch.url(role),
            "KEY_PEPPER": PEPPER.hex(),
        }
        command = [sys.executable, "-O", "-c", script, *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=False, timeout=seconds, env=environ
        )
        assert done.returncode == 0, done.stderr[-2_000:]
        return json.loads(done.stdout.splitlines()[-1])

    def submit(self, count: int, message: str) -> None:
        """One batch of equal logs, in parts as ingest would make them."""
        records = [record(position, message) for position in range(count)]
        assert self.queue.submit(submission(records, application_id=self.application_id))

    def claim(self) -> list[str]:
        claim = self.queue.claim(0, min_idle_seconds=60, max_records=10**6, max_bytes=10**9)
        return [entry.entry_id for entry in claim.entries]

    def store(self) -> None:
        """Stores what is queued, entry by entry."""
        store = PostgresChunkStore(Database(self.scratch.url("sluice_writer")))
        for entry_id in self.claim():
            entries = self.queue.read(0, [entry_id])
            store.store(entries)
            self.queue.acknowledge(0, entries)


@pytest.fixture
def machine(scratch: Scratch, redis_client: redis.Redis, redis_url: str) -> Machine:
    return Machine(scratch, redis_client, redis_url)


@pytest.mark.parametrize(("count", "message"), [(4_900, "m" * 1_600), (15, LARGEST_MESSAGE), (4_900, "\\" * 800)])
def test_process_chunk_stores_the_largest_chunk(machine: Machine, count: int, message: str) -> None:
    machine.submit(count, message)
    ids = machine.claim()
    entries = machine.queue.read(0, ids)
    size = sum(len(entry.lines) for entry in entries if isinstance(entry, StreamEntry))
    assert 3_000_000 < size < 8_388_608 or len(ids) == 1
    event = {"version": 1, "shard": 0, "entry_ids": ids}
    answer = machine.call("process_chunk", event, "sluice_writer", "ChunkMemoryMegabytes")
    assert answer["stored"] == count


@pytest.mark.timeout(60 + JUNK_LINES // 1_000)
def test_process_chunk_outlasts_a_flood_of_messages_that_are_all_different(machine: Machine) -> None:
    seconds = 50 + JUNK_LINES / 1_000
    arguments = str(JUNK_LINES), str(machine.application_id)
    stored, peaks = machine.run(FLOOD, "process_chunk", *arguments, role="sluice_writer", seconds=seconds)
    assert stored == JUNK_LINES
    rows = machine.scratch.rows
    counted = "SELECT sum(record_count)::int FROM template_counts WHERE application_id = %s"
    assert rows(counted, machine.application_id) == [(stored,)]
    reader = Database(machine.scratch.url("sluice_reader"))
    assert audit_census(reader, {machine.application_id}, datetime(1970, 1, 1, tzinfo=UTC)) == []
    health = PostgresTemplates(reader, {machine.application_id}).health()
    assert [found.template_count for found in health] == [MAX_TEMPLATES + 1]
    assert all(found.overflowed_at for found in health)
    sys.stdout.write(f"{JUNK_LINES:,} lines: {', '.join(map(str, peaks[:: max(len(peaks) // 10, 1)]))} MB\n")
    assert peaks[-1] <= 0.9 * smallest_memory("ChunkMemoryMegabytes")
    if JUNK_LINES >= 500_000:  # what is remembered of lines is full by then
        assert peaks[-1] <= 1.1 * peaks[len(peaks) * 2 // 5]


def test_drain_looks_ahead_in_a_backlog_of_single_logs(machine: Machine) -> None:
    machine.submit(1, "m")
    machine.client.eval(MULTIPLY, 1, "logs:queue:{0}", "219999")
    answer = machine.call("drain", {}, "sluice_writer")
    assert (answer["claimed_entries"], answer["chunks"]) == (220_000, 44)
    assert machine.client.xpending("logs:queue:{0}", GROUP)["pending"] == 220_000


def test_index_makes_filters_of_the_wordiest_rows(machine: Machine) -> None:
    words = " ".join(f"word{number:06d}" for number in range(130))
    for _ in range(2):
        machine.submit(10_000, words)
    machine.store()
    answer = machine.call("index", {}, "sluice_indexer")
    assert answer["rows"] >= 20_000


@pytest.mark.parametrize(("count", "message"), [(10_000, "m" * 1_600), (60, LARGEST_MESSAGE)])
def test_query_answers_with_the_largest_page(machine: Machine, count: int, message: str) -> None:
    machine.submit(count, message)
    machine.store()
    text, key = mint_key(PEPPER)
    ((name,),) = machine.scratch.rows("SELECT name FROM applications WHERE application_id = %s", machine.application_id)
    applications = PostgresApplications(Database(machine.scratch.url("sluice_owner", direct=True)))
    secret_hash = hash_secret(key.secret, PEPPER)
    applications.add_key(name, key_id=key.key_id, secret_hash=secret_hash, scopes=["read"], expires_at=None)
    for form, limit in (("json", "1000"), ("csv", "10000")):
        query = {"limit": limit, "format": form, "since": "2000-01-01T00:00:00Z"}
        event = rest_event("GET", "/api/logs", headers={"X-API-Key": text}, query=query)
        answer = machine.call("query", event, "sluice_reader")
        assert answer["statusCode"] == 200
        assert 1_000_000 < len(answer["body"].encode()) < 6_000_000
