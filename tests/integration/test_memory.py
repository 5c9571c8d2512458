"""Functions at the largest work that they take at once, on real servers, in the smallest memory that may be configured.

Each handler runs in a process of its own, whose peak of resident memory the system keeps. Ingest is in
unit/test_ingest_memory.py.
"""

import json
import os
import random
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from benchmarks.deployed import environments
from deploy.target import REPOSITORY
from lambda_events import rest_event
from samples import PEPPER, record, stream_entry, submission, submission_of
from scratch import Scratch
from sluice.anomalies.monitor import MAX_TEMPLATES as MAX_TEMPLATES_WATCHED
from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.postgres import PostgresApplications
from sluice.archive.lines import MAX_BYTES
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.packing import pack_record
from sluice.entries.usual import pack_usual
from sluice.runtime.postgres import Database
from sluice.streams.model import StreamEntry
from sluice.streams.parts import compressed_parts
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
ARCHIVE = """
import json, re, sys
from datetime import UTC, datetime
from pathlib import Path
from apps import load_app
from fakes.objects import FolderObjects
from sluice.archive.postgres import PostgresArchive
from sluice.runtime.postgres import Database

app, (url, folder) = load_app("archive"), sys.argv[1:]
now = datetime(2026, 11, 24, 9, tzinfo=UTC)
archiver = app.Archiver(PostgresArchive(Database(url)), FolderObjects(Path(folder)), lambda: now, lambda act: act())
done = archiver.run(lambda: True)
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
print(json.dumps([done.objects_written, done.bytes_written, peak]))
"""
# As the action "erase" goes through them.
READ_LETTERS = """
import json, re, sys
from datetime import UTC, datetime
from pathlib import Path
from apps import load_app
from sluice.erasures.model import Subject
from sluice.erasures.postgres import PostgresErasures
from sluice.runtime.postgres import Database

app, (url, application) = load_app("archive"), sys.argv[1:]
erasures, count = PostgresErasures(Database(url)), 0
erasure = erasures.begin(Subject(application, {}), lambda _: {}, datetime.now(UTC))
while letters := erasures.letters(erasure):
    count += len(letters)
    erasures.bury(erasure, letters[-1][0], [])
    erasure = erasures.find(erasure.erasure_id)
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
print(json.dumps([count, peak]))
"""
# Templates of an application with a count in each ten minutes of two days.
COUNT_MANY = """
WITH made AS (
    INSERT INTO templates (application_id, number, version, text)
    SELECT %s, n, 1, 'event ' || n FROM generate_series(1, %s) n RETURNING application_id, template_id)
INSERT INTO template_counts (application_id, event_minute, template_id, template_key, level, received_minute,
                             record_count)
SELECT application_id, at, template_id, 0, 20, at, 20 + mod(template_id, 9)
FROM made, generate_series(date_trunc('hour', now()) - interval '2 days', now(), interval '10 minutes') at"""
OPEN_MANY = """
INSERT INTO incidents (application_id, fingerprint, status, severity, rule_name, kind, title, sentence, query,
                       window_from, window_until, opened_at)
SELECT %s, gen_random_uuid(), 'firing', 'critical', repeat('r', 100), 'rate', repeat('t', 300), repeat('s', 2000),
       repeat('q', 2000), now(), now(), now() FROM generate_series(1, %s) n"""
MAX_INCIDENTS = 500  # of a page
# One dead letter again and again, each of a batch of its own.
COPY_LETTER = """
INSERT INTO dead_letters (application_id, retention_class, batch_id, part, position, shard, stream_id, reason, detail,
                          queued, received_at)
SELECT application_id, retention_class, gen_random_uuid(), part, n, shard, stream_id, reason, detail, queued,
       received_at
FROM dead_letters, generate_series(1, %s) n WHERE application_id = %s"""
MAX_LETTERS = 500  # that a redrive takes at once
JUNK_LINES = int(os.environ.get("SLUICE_JUNK_LINES", "40000"))
LARGEST_MESSAGE, POISON = "🎉" * 65_536, '{"a":"\\u0000"}'
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
        sys.stdout.write(f"{name}: {megabytes} MB\n")
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

    def submit_by_column(self, count: int, message: str) -> None:
        """The same logs as a body of the usual form."""
        body = b"\n".join([json.dumps({"message": message, "host": str(number)}).encode() for number in range(count)])
        packed = pack_usual(body, datetime.now(UTC), max_records=count)
        assert packed
        sent = submission(application_id=self.application_id)._replace(parts=compressed_parts(packed))
        assert self.queue.submit(sent)

    def name(self) -> str:
        """The application's."""
        ((name,),) = self.scratch.rows("SELECT name FROM applications WHERE application_id = %s", self.application_id)
        return str(name)

    def key(self) -> str:
        """A new one, to read with."""
        text, key = mint_key(PEPPER)
        applications = PostgresApplications(Database(self.scratch.url("sluice_owner", direct=True)))
        secret_hash = hash_secret(key.secret, PEPPER)
        applications.add_key(self.name(), key_id=key.key_id, secret_hash=secret_hash, scopes=["read"], expires_at=None)
        return text

    def dead_letter(self, count: int) -> None:
        """The largest record that a redrive repairs, so many times."""
        line = pack_record(record(0, LARGEST_MESSAGE, metadata=POISON))
        assert self.queue.submit(submission_of([line], application_id=self.application_id))
        self.store()
        self.scratch.rows(COPY_LETTER, count - 1, self.application_id)

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


@pytest.mark.parametrize("submit", [Machine.submit, Machine.submit_by_column])
@pytest.mark.parametrize(("count", "message"), [(4_900, "m" * 1_600), (15, LARGEST_MESSAGE), (4_900, "\\" * 800)])
def test_process_chunk_stores_the_largest_chunk(
    machine: Machine, count: int, message: str, submit: Callable[[Machine, int, str], None]
) -> None:
    submit(machine, count, message)
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
    text = machine.key()
    for form, limit in (("json", "1000"), ("csv", "10000")):
        query = {"limit": limit, "format": form, "since": "2000-01-01T00:00:00Z"}
        event = rest_event("GET", "/api/logs", headers={"X-API-Key": text}, query=query)
        answer = machine.call("query", event, "sluice_reader")
        assert answer["statusCode"] == 200
        assert 1_000_000 < len(answer["body"].encode()) < 6_000_000


def test_admin_redrives_the_largest_dead_letters(machine: Machine) -> None:
    machine.dead_letter(MAX_LETTERS)
    event = {"action": "redrive_dead_letters", "application": machine.name()}
    answer = machine.call("admin", event, "sluice_owner")
    assert answer == {"redriven": MAX_LETTERS, "failed": 0}


def test_archive_reads_the_largest_dead_letters(
    migrated_database: Callable[[], Scratch], redis_client: redis.Redis, redis_url: str
) -> None:
    machine = Machine(migrated_database(), redis_client, redis_url)
    machine.dead_letter(MAX_LETTERS)
    url = machine.scratch.url("sluice_archiver")
    count, megabytes = machine.run(READ_LETTERS, "archive", url, machine.name(), role="sluice_archiver")
    assert count == MAX_LETTERS
    sys.stdout.write(f"archive, dead letters: {megabytes} MB\n")
    assert megabytes <= 0.9 * smallest_memory("HttpMemoryMegabytes"), f"{megabytes} MB"


def test_archive_writes_the_largest_object(migrated_database: Callable[[], Scratch], tmp_path: Path) -> None:
    """As much as fits: text that compression does little for."""
    machine = Machine(migrated_database(), redis.Redis(), "")
    at = datetime(2026, 10, 1, 9, tzinfo=UTC)
    store, chance = PostgresChunkStore(Database(machine.scratch.url("sluice_writer"))), random.Random(1)
    for _ in range(10):
        packed = [pack_record(record(n, chance.randbytes(32_768).hex(), event_at=at)) for n in range(100)]
        times = {"event_from": at, "event_to": at, "received_at": at}
        store.store([stream_entry(packed, application_id=machine.application_id, **times)])
    url = machine.scratch.url("sluice_archiver")
    written, size, megabytes = machine.run(ARCHIVE, "archive", url, str(tmp_path), role="sluice_archiver")
    assert written == 2
    assert size > MAX_BYTES
    sys.stdout.write(f"archive: {megabytes} MB\n")
    assert megabytes <= 0.9 * smallest_memory("HttpMemoryMegabytes"), f"{megabytes} MB"


def test_watch_follows_as_many_templates_as_it_does_at_once(
    migrated_database: Callable[[], Scratch], redis_url: str
) -> None:
    """Of several applications that it learns from the beginning."""
    machine = Machine(migrated_database(), redis.Redis(), redis_url)
    for application_id in [machine.application_id, *(machine.scratch.create_application() for _ in range(3))]:
        machine.scratch.rows("INSERT INTO template_sets (application_id) VALUES (%s)", application_id)
        machine.scratch.rows(COUNT_MANY, application_id, MAX_TEMPLATES_WATCHED)
    machine.call("watch", {}, "sluice_watcher")
    ((series,),) = machine.scratch.rows("SELECT count(*) FROM anomaly_states")
    assert series > 4 * MAX_TEMPLATES_WATCHED


def test_alerts_answers_with_the_largest_page(machine: Machine) -> None:
    machine.scratch.rows(OPEN_MANY, machine.application_id, MAX_INCIDENTS)
    event = rest_event(
        "GET", "/api/incidents", headers={"X-API-Key": machine.key()}, query={"limit": str(MAX_INCIDENTS)}
    )
    answer = machine.call("alerts", event, "sluice_alerts")
    assert answer["statusCode"] == 200
    assert len(json.loads(answer["body"])["incidents"]) == MAX_INCIDENTS
