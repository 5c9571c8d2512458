"""POST /api/ingest: takes logs in.

Promise: 202 means that the queue holds every accepted record. On failure the client gets problem+json: 400, 413 and 422
never to be retried unchanged, 429 and 503 with Retry-After; nothing was queued, but for a 503 after a queue time-out,
whose outcome is unknown (an Idempotency-Key makes the retry safe).
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import Any
from uuid import UUID

from chalice.app import Request, Response

from sluice.applications.credentials import read_credentials
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope
from sluice.applications.ports import Clock
from sluice.applications.postgres import PostgresKeyStore
from sluice.applications.redis import RedisKeyCache
from sluice.entries.body import inflate_body
from sluice.entries.model import Batch
from sluice.entries.parse import parse_batch
from sluice.errors import RejectedInput
from sluice.runtime.crash_points import crash_point
from sluice.runtime.http import HttpApi, json_response, rejection_documents
from sluice.runtime.observability import Logger, Metrics, count, utc_now
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import IngestSettings
from sluice.streams.model import Submission
from sluice.streams.parts import split_parts
from sluice.streams.ports import SubmissionQueue
from sluice.streams.redis import RedisQueue

logger = Logger()
metrics = Metrics(namespace="Sluice")
api = HttpApi("ingest", logger, metrics)

MAX_IDEMPOTENCY_KEY_CHARACTERS = 255
KEY_SECONDS = 4  # for a look-up in the database; together with the rest it must end before the gateway does
CACHE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of one request."""

    batch_id: UUID
    batch: Batch
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Ingest:
    """The use case."""

    lookup: KeyLookup
    queue: SubmissionQueue
    settings: IngestSettings
    clock: Clock

    def accept(self, wire: bytes, api_key: str | None, idempotency_key: str | None) -> Accepted:
        """Authenticates, parses and queues one request body. Raises the errors of those steps."""
        key = self.lookup.authenticate(api_key, Scope.INGEST)
        body = inflate_body(
            wire,
            max_wire_bytes=self.settings.max_body_bytes,
            max_inflated_bytes=self.settings.max_inflated_bytes,
        )
        received_at = self.clock()
        batch = parse_batch(body, received_at, max_records=self.settings.max_batch_records)
        submission = Submission(
            application_id=key.application_id,
            retention_class=key.retention_class,
            batch_id=_batch_id(key, idempotency_key, received_at),
            received_at=received_at,
            body_hash=blake2b(body, digest_size=16).digest(),
            parts=split_parts(batch.records),
            is_idempotent=idempotency_key is not None,
        )
        if __debug__:
            crash_point("ingest.before_submit")
        is_replay = not self.queue.submit(submission)
        if __debug__:
            crash_point("ingest.after_submit")
        return Accepted(submission.batch_id, batch, is_replay)


def _batch_id(key: KeyRecord, idempotency_key: str | None, received_at: datetime) -> UUID:
    """The same for every try of one idempotent request; else random behind a millisecond, which keeps indexes dense."""
    if idempotency_key is None:
        return UUID(int=int(received_at.timestamp() * 1000) << 80 | secrets.randbits(80))
    token = f"{key.application_id}\0{idempotency_key}".encode()
    return UUID(bytes=blake2b(token, digest_size=16).digest())


def _idempotency_key(request: Request) -> str | None:
    """The header's value; quotes of its structured-field form are optional."""
    header = request.headers.get("idempotency-key")
    if header is None:
        return None
    token = str(header).strip().removeprefix('"').removesuffix('"')
    if not token or len(token) > MAX_IDEMPOTENCY_KEY_CHARACTERS:
        detail = f"Idempotency-Key must have 1 to {MAX_IDEMPOTENCY_KEY_CHARACTERS} characters"
        raise RejectedInput("invalid_idempotency_key", detail)
    return token


@api.route("POST", "/api/ingest")
def ingest(request: Request) -> Response:
    """Answers 202 with the count, the batch id and what was rejected."""
    wire = request.raw_body if isinstance(request.raw_body, bytes) else request.raw_body.encode()
    accepted = _dependencies().accept(wire, read_credentials(request.headers), _idempotency_key(request))
    count(metrics, "accepted", 0 if accepted.is_replay else len(accepted.batch.records))
    count(metrics, "rejected", len(accepted.batch.rejections))
    answer = {
        "accepted": len(accepted.batch.records),
        "batch_id": accepted.batch_id.hex,
        "rejected": rejection_documents(accepted.batch.rejections),
    }
    return json_response(answer, 202, {"Idempotency-Replayed": "true"} if accepted.is_replay else {})


@cache
def _dependencies() -> Ingest:
    settings = IngestSettings.from_env()
    lookup = KeyLookup(
        PostgresKeyStore(Database(settings.database_url, deadline_seconds=KEY_SECONDS)),
        RedisKeyCache(connect_redis(settings.redis_url, timeout_seconds=CACHE_SECONDS), settings.key_pepper),
        settings.key_pepper,
        utc_now,
    )
    client = connect_redis(settings.redis_url)
    queue = RedisQueue(client, shard_count=settings.shard_count, backlog_limit_bytes=settings.backlog_limit_bytes)
    return Ingest(lookup, queue, settings, utc_now)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    """API Gateway (REST, proxy) entry point."""
    count(metrics, "requests", 1)
    return api(event, context)
