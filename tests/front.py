"""The deployed ingest function with fakes behind it, as far as a client can tell."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from apps import load_app
from aws import LambdaContext, rest_event
from fakes import (
    ManualClock,
    MemoryAdmission,
    MemoryIntake,
    MemoryKeyCache,
    MemoryKeyStore,
    MemoryMetricStore,
    MemoryQueue,
)
from samples import PEPPER
from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope
from sluice.entries.model import Record
from sluice.entries.packing import unpack_records
from sluice.runtime.settings import IngestSettings
from sluice.streams.model import StreamEntry

app = load_app("ingest")
RATES = (5, 20_000, 50_000, 1)  # of the deployment, for settings that nothing here reads
SMALL = IngestSettings("redis://r", "postgresql://d", PEPPER, 1, 10_000, 50_000, 100, 1_000_000, *RATES)


@dataclass
class Answer:
    """``body`` is parsed JSON, or bytes where the answer is something else."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Front:
    """``app._dependencies`` must give ``use_case``: see the fixture ``front`` of tests/functions."""

    queue: MemoryQueue = field(default_factory=MemoryQueue)
    key: str = ""
    settings: IngestSettings = SMALL
    counts: MemoryMetricStore = field(default_factory=MemoryMetricStore)

    def __post_init__(self) -> None:
        self.key, parts = mint_key(PEPPER)
        record = KeyRecord(
            parts.key_id, hash_secret(parts.secret, PEPPER), 7, "shop", 1, frozenset([Scope.INGEST]), None
        )
        self.store = MemoryKeyStore({parts.key_id: record})
        clock = ManualClock()
        lookup = KeyLookup(self.store, MemoryKeyCache(), PEPPER, clock)
        self.admission = MemoryAdmission(clock)
        self.use_case = app.Ingest(
            lookup, self.admission, self.queue, MemoryIntake(self.admission, self.queue), self.settings, clock
        )

    def post(self, body: Any, *, path: str = "/api/ingest", **headers: str) -> Answer:
        wire = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"X-API-Key": self.key} | {name.replace("_", "-"): value for name, value in headers.items()}
        answer = app.handler(rest_event("POST", path, wire, headers=sent), LambdaContext())
        content = answer["body"].encode()
        if answer.get("isBase64Encoded"):
            content = base64.b64decode(content, validate=True)
        is_json = answer["headers"]["Content-Type"] in ("application/json", "application/problem+json")
        return Answer(answer["statusCode"], answer["headers"], json.loads(content) if is_json else content)

    def queued(self) -> list[StreamEntry]:
        """The entries that nobody has taken yet."""
        ids = [
            entry.entry_id
            for entry in self.queue.claim(0, min_idle_seconds=9, max_records=9**9, max_bytes=9**9).entries
        ]
        return [entry for entry in self.queue.read(0, ids) if isinstance(entry, StreamEntry)]

    def records(self) -> list[Record]:
        """The records in them."""
        return [record for entry in self.queued() for record in unpack_records(entry.lines)]
