"""The functions of the delivery path in one process, on real servers: what they write can be read."""

import json
from typing import Any

import pytest
import redis

from apps import load_app
from invocations import FunctionRunner
from lambda_events import rest_event
from samples import PEPPER
from scratch import Scratch
from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.postgres import PostgresApplications
from sluice.metrics.redis import RedisMetricStore
from sluice.runtime.postgres import Database

VERBS = {
    "ingest": "sluice_ingest",
    "drain": "sluice_reader",  # which it does not use
    "process_chunk": "sluice_writer",
    "query": "sluice_reader",
    "index": "sluice_indexer",
    "admin": "sluice_owner",
    "watch": "sluice_watcher",
    "alerts": "sluice_alerts",
    "deliver": "sluice_reader",  # which it does not use
}
SETTINGS = {
    "KEY_PEPPER": PEPPER.hex(),
    "SHARD_COUNT": "1",
    "TEMPLATES": "on",
    "PROCESS_CHUNK_FUNCTION": "process-chunk",
    "MAX_BODY_BYTES": "4194304",
    "MAX_INFLATED_BYTES": "16777216",
    "MAX_BATCH_RECORDS": "10000",
    "BACKLOG_LIMIT_BYTES": "134217728",
    "REQUESTS_PER_SECOND": "5000",
    "BYTES_PER_SECOND": "99999999",
    "BYTES_PER_DAY": "99999999999",
    "BURST_SECONDS": "10",
    "WAKE_SECONDS": "10",
    "TAIL_SEATS": "5",
    "DRAIN_MODE": "tick",
    "CHUNK_MAX_RECORDS": "5000",
    "CHUNK_MAX_BYTES": "8388608",
    "CHUNK_CONCURRENCY": "1",
    "PROCESS_CHUNK_TIMEOUT_SECONDS": "30",
    "DELIVER_FUNCTION": "deliver",
    "DELIVER_TIMEOUT_SECONDS": "5",
    "WEBHOOK_PORTS": "443",
    "WEBHOOK_ALLOW_LIST": "",
    "EMAIL_FROM": "",
}


class RealStage:
    """As MemoryStage, with real servers behind the functions."""

    def __init__(
        self,
        scratch: Scratch,
        redis_url: str,
        client: redis.Redis,
        runner: FunctionRunner,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.scratch, self.runner = scratch, runner
        counts = RedisMetricStore(client)
        for verb, role in VERBS.items():
            urls = {"REDIS_URL": redis_url, "DATABASE_URL": scratch.url(role, direct=role == "sluice_owner")}
            runner.add(verb, environment=SETTINGS | urls)
            app = load_app(verb)
            if hasattr(app, "metric_counts"):
                monkeypatch.setattr(app, "metric_counts", lambda: counts)
            if hasattr(app, "api"):
                monkeypatch.setattr(app.api, "_store", lambda: counts)
        self.applications = PostgresApplications(Database(scratch.url("sluice_owner", direct=True)))
        self.application_id = scratch.create_application()
        ((self.application,),) = scratch.rows(
            "SELECT name FROM applications WHERE application_id = %s", self.application_id
        )
        self.key = self.new_key("ingest", "read", "admin")

    def new_key(self, *scopes: str) -> str:
        text, key = mint_key(PEPPER)
        secret_hash = hash_secret(key.secret, PEPPER)
        self.applications.add_key(
            self.application, key_id=key.key_id, secret_hash=secret_hash, scopes=list(scopes), expires_at=None
        )
        return text

    def post(
        self, body: Any, *, path: str = "/api/ingest", headers: dict[str, str] | None = None, key: str | None = None
    ) -> tuple[int, Any]:
        """Status and body of ingest's answer; ``body`` is bytes, or goes as JSON."""
        wire = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"X-API-Key": self.key if key is None else key} | (headers or {})
        answer = self.runner.invoke("ingest", rest_event("POST", path, wire, headers=sent))
        try:
            return answer["statusCode"], json.loads(answer["body"])
        except ValueError:
            return answer["statusCode"], answer["body"]

    def call(self, function: str, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        """Status and body of the answer of a function with routes."""
        wire = None if body is None else json.dumps(body).encode()
        event = rest_event(method, path, wire, headers={"X-API-Key": self.key}, query=query)
        answer = self.runner.invoke(function, event)
        return answer["statusCode"], json.loads(answer["body"] or "null")

    def get(self, path: str, *, parent: str = "", **query: str) -> tuple[int, Any]:
        """Status and body of query's answer; ``parent`` is the path up to an id at its end."""
        event = rest_event("GET", path, headers={"X-API-Key": self.key}, query=query)
        if parent:
            event["requestContext"]["resourcePath"] = event["resource"] = parent + "{id}"
            event["pathParameters"] = {"id": path.removeprefix(parent)}
        answer = self.runner.invoke("query", event)
        return answer["statusCode"], json.loads(answer["body"])

    def drain(self) -> Any:
        return self.runner.invoke("drain", {})
