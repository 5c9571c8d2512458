"""The delivery path in memory: real handlers of ingest, drain and process_chunk, a queue and a store made of Python."""

import json
from typing import Any

from apps import load_app
from fakes import (
    ManualClock,
    MemoryAdmission,
    MemoryChunkStore,
    MemoryIntake,
    MemoryKeyCache,
    MemoryKeyStore,
    MemoryQueue,
)
from invocations import FunctionRunner
from lambda_events import rest_event
from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope
from sluice.chunks.aws import LambdaChunkRunner, connect_lambda
from sluice.runtime.settings import DrainSettings, IngestSettings

PEPPER = bytes(32)
CHUNK_FUNCTION = "process-chunk"


class MemoryStage:
    """What the tests of another repository send logs through.

    The fakes pass the contract suites of Redis and Postgres. Chunks hold at most ``chunk_max_records``; one request is
    never divided.
    """

    def __init__(self, runner: FunctionRunner, *, chunk_max_records: int = 5000) -> None:
        self.runner, self.clock = runner, ManualClock()
        self.queue, self.store = MemoryQueue(self.clock), MemoryChunkStore()
        self.key, parts = mint_key(PEPPER)
        secret = hash_secret(parts.secret, PEPPER)
        known = {parts.key_id: KeyRecord(parts.key_id, secret, 1, "tests", 1, frozenset([Scope.INGEST]), None)}
        lookup = KeyLookup(MemoryKeyStore(known), MemoryKeyCache(), PEPPER, self.clock)
        settings = IngestSettings(
            "redis://r", "postgresql://d", PEPPER, 1, 2**22, 2**24, 10_000, 2**27, 500, 2**24, 2**37, 1
        )
        admission = MemoryAdmission(self.clock)
        runner.add(
            "ingest",
            load_app("ingest").Ingest(
                lookup, admission, self.queue, MemoryIntake(admission, self.queue), settings, self.clock
            ),
        )
        runner.add("process_chunk", load_app("process_chunk").ProcessChunk(self.queue, self.store), name=CHUNK_FUNCTION)
        self.limit_chunks(chunk_max_records)

    def limit_chunks(self, max_records: int) -> None:
        """Sets how many records a chunk holds at most."""
        settings = DrainSettings("redis://r", 1, CHUNK_FUNCTION, max_records, 2**23, 1, 30)
        chunks = LambdaChunkRunner(connect_lambda(timeout_seconds=30, concurrency=1), CHUNK_FUNCTION)
        self.runner.add("drain", load_app("drain").Drain(self.queue, chunks, settings))

    def send(self, *logs: dict[str, Any]) -> dict[str, Any]:
        """One request through ingest; returns its answer (accepted, batch_id, rejected). AssertionError unless 202."""
        event = rest_event("POST", "/api/ingest", json.dumps(logs).encode(), headers={"X-API-Key": self.key})
        response = self.runner.invoke("ingest", event)
        assert response["statusCode"] == 202, response["body"]
        answer: dict[str, Any] = json.loads(response["body"])
        return answer

    def drain(self) -> dict[str, Any]:
        """One drain; returns its report."""
        answer: dict[str, Any] = self.runner.invoke("drain", {})
        return answer

    def chunks(self) -> list[dict[str, Any]]:
        """The payloads that process_chunk was invoked with, in order."""
        return self.runner.recorder.payloads(CHUNK_FUNCTION)
