"""One deployment of Sluice on real servers, with its functions in processes that can be killed."""

import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import redis

from aws import rest_event
from faults.harness.environment import REGION
from faults.harness.lambdas import Doom, FunctionDied, FunctionFailed, Lambdas, invoke_endpoint
from faults.harness.oracle import Oracle
from samples import submission_of
from scratch import Scratch
from sluice.runtime.redis import connect_redis
from sluice.streams.redis import RedisQueue

PEPPER = "5e" * 32
PROCESS_CHUNK_TIMEOUT_SECONDS = 1
MIN_IDLE_SECONDS = 3 * PROCESS_CHUNK_TIMEOUT_SECONDS
# Lambda's own time-out is above the setting, so that a busy machine does not kill innocent chunks; it is still below
# the time after which their entries are handed out again.
TIMEOUTS = {"ingest": 15.0, "drain": 30.0, "process_chunk": 2.5, "query": 15.0, "admin": 30.0}
TICK_SECONDS = 0.5
_LIMITS = ("BACKLOG_LIMIT_BYTES", "REQUESTS_PER_SECOND", "BYTES_PER_SECOND", "BYTES_PER_DAY", "BURST_SECONDS")
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Response:
    """What an HTTP client sees."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Application:
    """A tenant and its key (scopes ingest and read)."""

    application_id: int
    name: str
    key: str


@dataclass
class Platform:
    """Functions, queue, database and oracle."""

    database: Scratch
    redis_url: str
    lambdas: Lambdas
    oracle: Oracle
    queue: RedisQueue
    redis: redis.Redis
    statuses: Counter[int] = field(default_factory=Counter)  # of all answers to POSTs

    def create_application(self) -> Application:
        name = f"app-{secrets.token_hex(6)}"
        created = self.lambdas.invoke("admin", {"action": "create_application", "name": name})["application"]
        application = Application(created["application_id"], name, self.create_key(name))
        self.oracle.application_ids.add(application.application_id)
        return application

    def create_key(self, application: str) -> str:
        event = {"action": "create_key", "application": application, "scopes": ["ingest", "read"]}
        return str(self.lambdas.invoke("admin", event)["key"])

    def post(self, key: str, body: bytes, token: str | None = None, doom: Doom | None = None) -> Response:
        """One POST /api/ingest; a 202 is noted. Raises FunctionDied."""
        headers = {"X-API-Key": key} | ({"Idempotency-Key": token} if token else {})
        answer = self.lambdas.invoke("ingest", rest_event("POST", "/api/ingest", body, headers=headers), doom)
        response = Response(answer["statusCode"], answer["headers"], json.loads(answer["body"]))
        self.statuses[response.status] += 1
        if response.status == 202:
            rejected = {item["index"] for item in response.body["rejected"]}
            positions = frozenset(range(response.body["accepted"] + len(rejected))) - rejected
            self.oracle.acknowledge(response.body["batch_id"], positions)
        return response

    def submit(self, application: Application, lines: Sequence[bytes]) -> str:
        """Queues one entry of packed lines, such as ingest would never let through, and returns the batch id (hex).
        Line n is the record at position n."""
        sent = submission_of(lines, application_id=application.application_id)
        assert self.queue.submit(sent)
        self.oracle.acknowledge(sent.batch_id.hex, frozenset(range(len(lines))))
        return sent.batch_id.hex

    def drain(self, event: dict[str, Any] | None = None, doom: Doom | None = None) -> dict[str, Any]:
        """One invocation. Raises FunctionDied and FunctionFailed."""
        report: dict[str, Any] = self.lambdas.invoke("drain", event or {}, doom)
        return report

    def wait_until_stored(self, batch_ids: Collection[str], patience_seconds: float = 30) -> float:
        """Returns when all of the batches are stored or dead-lettered; the seconds that it took."""
        started = time.monotonic()
        while missing := self.oracle.missing().intersection(batch_ids):
            assert time.monotonic() - started < patience_seconds, f"{len(missing)} of {len(batch_ids)} are not stored"
            time.sleep(_PAUSE_SECONDS)
        return time.monotonic() - started

    def drain_until_empty(self, patience_seconds: float = 30) -> float:
        """Ticks until nothing is queued; returns the seconds that it took."""
        started = time.monotonic()
        while True:
            try:
                report = self.drain()
                if report["backlog_entries"] == 0:
                    return time.monotonic() - started
            except (FunctionDied, FunctionFailed) as error:
                report = {"error": str(error), "stored": 0}
            assert time.monotonic() - started < patience_seconds, f"the queue does not empty: {report}"
            if not report["stored"]:
                time.sleep(_PAUSE_SECONDS)

    def close(self) -> None:
        self.lambdas.freeze_over()
        self.redis.close()


@contextmanager
def running_platform(
    database: Scratch,
    redis_url: str,
    *,
    functions_redis_url: str | None = None,
    functions_database_url: Callable[[str], str] | None = None,
    kind: type[Lambdas] = Lambdas,
    **settings: str,
) -> Iterator[Platform]:
    """A platform on an empty Redis database. The functions may be sent to other addresses than the oracle: to proxies
    in between. ``kind`` runs them. ``settings`` are environment variables of drain and ingest."""
    database_url = functions_database_url or database.url
    shared = {"SHARD_COUNT": "1", "KEY_PEPPER": PEPPER}

    def queue_user(name: str) -> dict[str, str]:
        return {"REDIS_URL": database.stack.as_queue_user(name, functions_redis_url or redis_url)}

    client = connect_redis(redis_url)
    client.flushdb()

    def invoke(name: str, event: dict[str, Any]) -> Any:
        return lambdas.invoke(name, event)

    with invoke_endpoint(invoke) as endpoint:
        ingest = {
            "MAX_BODY_BYTES": "4194304",
            "MAX_INFLATED_BYTES": "16777216",
            "MAX_BATCH_RECORDS": "10000",
            "BACKLOG_LIMIT_BYTES": "134217728",
            "REQUESTS_PER_SECOND": "100000",
            "BYTES_PER_SECOND": "1000000000",
            "BYTES_PER_DAY": "1000000000000",
            "BURST_SECONDS": "1",
            "DRAIN_FUNCTION": "",  # the tests drain
            "WAKE_SECONDS": "1",
        }
        aws = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        drain = {
            "PROCESS_CHUNK_FUNCTION": "process_chunk",
            "CHUNK_MAX_RECORDS": "200",
            "CHUNK_MAX_BYTES": "1048576",
            "CHUNK_CONCURRENCY": "2",
            "PROCESS_CHUNK_TIMEOUT_SECONDS": str(PROCESS_CHUNK_TIMEOUT_SECONDS),
        }
        environ = {
            "ingest": shared
            | queue_user("ingest")
            | aws
            | ingest
            | {"DATABASE_URL": database_url("sluice_ingest")}
            | settings,
            "drain": shared | queue_user("drain") | aws | drain | settings,
            "process_chunk": shared
            | queue_user("process_chunk")
            | {"DATABASE_URL": database_url("sluice_writer"), "TEMPLATES": "on"},
            "query": shared
            | queue_user("query")
            | {name: ingest[name] for name in _LIMITS}
            | {"DATABASE_URL": database_url("sluice_reader"), "TAIL_SEATS": "5", "DRAIN_MODE": "wake"},
            "admin": shared | {"DATABASE_URL": database.url("sluice_owner", direct=True), "TEMPLATES": "on"},
        }
        lambdas = kind(environ, TIMEOUTS, database.stack.state / "functions.log")
        queue = RedisQueue(client, shard_count=1, backlog_limit_bytes=10**9)
        platform = Platform(database, redis_url, lambdas, Oracle(database, redis_url), queue, client)
        try:
            yield platform
            platform.oracle.assert_counted()
        finally:
            platform.close()
