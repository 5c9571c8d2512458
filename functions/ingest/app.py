"""POST /api/ingest and POST /v1/logs (OTLP): takes logs in.

Promise: 202, from OTLP's door 200, means that the queue holds every accepted record. On failure the client gets
problem+json, or OTLP's Status: 400, 413, 415 and 422 never to be retried unchanged, 429 and 503 with Retry-After.
Nothing was queued then, but for a 503 after a queue time-out, whose outcome is unknown (an Idempotency-Key makes the
retry safe; an OTLP body is its own).
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import Any, Protocol
from uuid import UUID

from chalice.app import Request, Response

from sluice.admission.model import Rates, Standing, announced
from sluice.admission.ports import Admission
from sluice.admission.redis import RedisAdmission
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope
from sluice.applications.ports import Clock
from sluice.applications.postgres import PostgresKeyStore
from sluice.applications.redis import RedisKeyCache
from sluice.entries.body import inflate_body
from sluice.entries.packing import PackedBatch
from sluice.entries.usual import pack_body
from sluice.errors import SluiceError, Unavailable
from sluice.protocols.otlp import pack_otlp
from sluice.runtime.crash_points import crash_point
from sluice.runtime.http import HttpApi, json_response, rejection_documents
from sluice.runtime.observability import Logger, Metrics, count, utc_now
from sluice.runtime.otlp import export_response, status_response
from sluice.runtime.postgres import Database
from sluice.runtime.posts import Post
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import IngestSettings
from sluice.streams.aws import LambdaWaker
from sluice.streams.model import Submission, Submitted
from sluice.streams.parts import split_parts
from sluice.streams.ports import SubmissionQueue, Waker
from sluice.streams.redis import RedisQueue

logger = Logger()
metrics = Metrics(namespace="Sluice")
api = HttpApi("ingest", logger, metrics)

KEY_SECONDS = 4  # for a look-up in the database; together with the rest it must end before the gateway does
CACHE_SECONDS = 1
ADMISSION_SECONDS = 3
FULL = frozenset(("backlog_full", "backlog_share_exceeded"))  # what for certain left a batch out of the queue


class Pack(Protocol):
    """Reads an inflated body in the form that a door takes, and packs its records."""

    def __call__(self, body: bytes, received_at: datetime, *, max_records: int, media_type: str) -> PackedBatch: ...


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of one request."""

    batch_id: UUID
    batch: PackedBatch
    is_replay: bool
    standing: Standing


@dataclass(frozen=True, slots=True)
class Ingest:
    """The use case."""

    lookup: KeyLookup
    admission: Admission
    queue: SubmissionQueue
    settings: IngestSettings
    clock: Clock
    waker: Waker | None = None  # None: the drain comes by itself

    def accept(self, post: Post, pack: Pack, *, repeats_are_retries: bool = False) -> Accepted:
        """Authenticates, inflates, parses and queues one request. Raises the errors of those steps.

        With ``repeats_are_retries`` a body whose records all carry their time is its own idempotency key.
        """
        key = self.lookup.authenticate(post.api_key, Scope.INGEST)
        self.admission.recall(key)
        body = inflate_body(
            post.wire,
            post.content_encoding,
            max_wire_bytes=self.settings.max_body_bytes,
            max_inflated_bytes=self.settings.max_inflated_bytes,
        )
        standing = self.admission.admit(key, len(body))
        with announced(standing):
            received_at = self.clock()
            batch = pack(body, received_at, max_records=self.settings.max_batch_records, media_type=post.media_type)
            body_hash = blake2b(body, digest_size=16).digest()
            token = post.idempotency_key
            if token is None and repeats_are_retries and batch.is_timed:
                token = f"\0{body_hash.hex()}"  # no header can hold U+0000
            submission = Submission(
                application_id=key.application_id,
                retention_class=key.retention_class,
                batch_id=_batch_id(key, token, received_at),
                received_at=received_at,
                body_hash=body_hash,
                parts=split_parts(batch),
                is_idempotent=token is not None,
            )
            is_replay = bool(submission.parts) and not self._submit(key, submission, len(body))
        return Accepted(submission.batch_id, batch, is_replay, standing)

    def _submit(self, key: KeyRecord, submission: Submission, body_bytes: int) -> bool:
        """Queues it; False for a repetition. A batch that found the queue full costs nothing of the day's quota."""
        if __debug__:
            crash_point("ingest.before_submit")
        try:
            submitted = self.queue.submit(submission)
        except SluiceError as error:
            if error.code in FULL:
                self.admission.refund(key, body_bytes)
            raise
        if __debug__:
            crash_point("ingest.after_submit")
        if submitted is Submitted.UNATTENDED and self.waker is not None:
            _wake(self.waker)
        return submitted is not Submitted.REPLAYED


def _wake(waker: Waker) -> None:
    """Has a drain come. If that fails, the batch waits for the next wake or for the schedule."""
    try:
        waker.wake()
        count(metrics, "wakes", 1)
    except Unavailable as error:
        logger.warning("the drain could not be woken", extra={"code": error.code, "detail": error.detail})
        count(metrics, "wakes_failed", 1)


def _batch_id(key: KeyRecord, token: str | None, received_at: datetime) -> UUID:
    """The same for every try of one idempotent request; else random behind a millisecond, which keeps indexes dense."""
    if token is None:
        return UUID(int=int(received_at.timestamp() * 1000) << 80 | secrets.randbits(80))
    return UUID(bytes=blake2b(f"{key.application_id}\0{token}".encode(), digest_size=16).digest())


def _count(accepted: Accepted) -> None:
    count(metrics, "accepted", 0 if accepted.is_replay else len(accepted.batch.lines))
    count(metrics, "rejected", len(accepted.batch.rejections))


@api.route("POST", "/api/ingest")
def ingest(request: Request) -> Response:
    """Answers 202 with the count, the batch id and what was rejected."""
    accepted = _dependencies().accept(Post.from_request(request), pack_body)
    _count(accepted)
    answer = {
        "accepted": len(accepted.batch.lines),
        "batch_id": accepted.batch_id.hex,
        "rejected": rejection_documents(accepted.batch.rejections),
        "rejected_count": len(accepted.batch.rejections),
    }
    replayed = {"Idempotency-Replayed": "true"} if accepted.is_replay else {}
    return json_response(answer, 202, accepted.standing.headers() | replayed)


@api.route("POST", "/v1/logs", refuse=status_response)
@api.route("POST", "/otlp/v1/logs", refuse=status_response)
def otlp(request: Request) -> Response:
    """Answers 200 with what was rejected; nothing if that is nothing."""
    accepted = _dependencies().accept(Post.from_request(request), pack_otlp, repeats_are_retries=True)
    _count(accepted)
    rejections = accepted.batch.rejections
    if rejections:
        logger.warning("OTLP records rejected", extra={"rejected": len(rejections), "first": rejections[0].code})
    return export_response(request, rejections, accepted.standing.headers())


@cache
def _dependencies() -> Ingest:
    settings = IngestSettings.from_env()
    lookup = KeyLookup(
        PostgresKeyStore(Database(settings.database_url, deadline_seconds=KEY_SECONDS)),
        RedisKeyCache(connect_redis(settings.redis_url, timeout_seconds=CACHE_SECONDS), settings.key_pepper),
        settings.key_pepper,
        utc_now,
    )
    admission = RedisAdmission(
        connect_redis(settings.redis_url, timeout_seconds=ADMISSION_SECONDS),
        shard_count=settings.shard_count,
        rates=Rates(
            settings.requests_per_second, settings.bytes_per_second, settings.bytes_per_day, settings.burst_seconds
        ),
    )
    client = connect_redis(settings.redis_url)
    waker = (
        LambdaWaker(settings.drain_function, tick_seconds=settings.wake_seconds) if settings.drain_function else None
    )
    queue = RedisQueue(
        client,
        shard_count=settings.shard_count,
        backlog_limit_bytes=settings.backlog_limit_bytes,
        wake_seconds=settings.wake_seconds if waker else 0,
    )
    return Ingest(lookup, admission, queue, settings, utc_now, waker)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    """API Gateway (REST, proxy) entry point."""
    count(metrics, "requests", 1)
    return api(event, context)
