"""POST /api/ingest and POST /v1/logs (OTLP): takes logs in.

Promise: 202, from OTLP's door 200, means that the queue holds every accepted record. On failure the client gets
problem+json, or OTLP's Status: 400, 413, 415 and 422 never to be retried unchanged, 429 and 503 with Retry-After.
Nothing was queued then, but for a 503 after a queue time-out, whose outcome is unknown (an Idempotency-Key makes the
retry safe; an OTLP body is its own).
"""

import gc
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from chalice.app import Request, Response

from sluice.admission.model import Rates
from sluice.admission.redis import RedisAdmission
from sluice.applications.lookup import KeyLookup
from sluice.applications.postgres import PostgresKeyStore
from sluice.applications.redis import RedisKeyCache
from sluice.entries.usual import pack_body
from sluice.errors import Unavailable
from sluice.intake.redis import RedisIntake
from sluice.metrics.model import Sample
from sluice.metrics.redis import metric_store
from sluice.protocols.otlp import pack_otlp
from sluice.runtime.http import HttpApi, json_response, rejection_documents
from sluice.runtime.observability import Logger, Metrics, count, keep, utc_now, with_context
from sluice.runtime.otlp import export_response, status_response
from sluice.runtime.postgres import Database
from sluice.runtime.posts import PlainPost, Post
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import IngestSettings
from sluice.streams.aws import LambdaWaker
from sluice.streams.model import Submitted
from sluice.streams.ports import Waker
from sluice.streams.redis import RedisQueue

if TYPE_CHECKING:  # to the type checker there is more than one app.py
    from functions.ingest.accept import Accepted, Door, Ingest
else:
    from accept import Accepted, Door, Ingest

logger = Logger()
metrics = Metrics(namespace="Sluice")
metric_counts = metric_store(lambda: IngestSettings.from_env().redis_url)
api = HttpApi("ingest", logger, metrics, metric_counts)

KEY_SECONDS = 4  # for a look-up in the database; together with the rest it must end before the gateway does
CACHE_SECONDS = 1
SINGLE_BYTES = 4_096  # of a body that is tried as one log first
ADMISSION_SECONDS = 3
LOGS = Door(pack_body)
OTLP = Door(pack_otlp, repeats_are_retries=True)


def _accept(request: Request, door: Door) -> Accepted:
    """Takes a request in, counts it, and sees to it that a drain comes."""
    ingest = _dependencies()
    post = Post.from_request(request)
    if post.traceparent:
        metrics.note("traceparent", post.traceparent)
    accepted = ingest.accept(post, door)
    metrics.note("batch_id", accepted.batch_id.hex)
    if accepted.submitted is Submitted.UNATTENDED and ingest.waker is not None:
        _wake(ingest.waker)
    count(metrics, "accepted", 0 if accepted.is_replay else accepted.batch.record_count)
    if accepted.batch.rejections:
        codes = Counter(rejection.code for rejection in accepted.batch.rejections)
        rejected = [Sample("rejected", times, {"code": code}) for code, times in sorted(codes.items())]
        keep(metrics, metric_counts, logger, rejected)
    return accepted


def _wake(waker: Waker) -> None:
    """Has a drain come. If that fails, the batch waits for the next wake or for the schedule."""
    try:
        waker.wake()
        count(metrics, "wakes", 1)
    except Unavailable as error:
        logger.warning("the drain could not be woken", extra={"code": error.code, "detail": error.detail})
        keep(metrics, metric_counts, logger, [Sample("wakes_failed", 1)])


def _accept_single(event: dict[str, Any]) -> dict[str, Any] | None:
    """The proxy answer to a request with a usual log and nothing else; None for any other, which goes the whole way."""
    post = PlainPost.from_event(event, SINGLE_BYTES)
    if post is None:
        return None
    ingest = _dependencies()
    accepted = ingest.accept_single(post, _single_answer)
    if accepted is None:
        return None
    metrics.note("batch_id", accepted.batch_id)
    if accepted.submitted is Submitted.UNATTENDED and ingest.waker is not None:
        _wake(ingest.waker)
    count(metrics, "accepted", 1)
    return accepted.answer


def _single_answer(batch_id: str, headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "headers": {"Content-Type": "application/json", **headers},
        "multiValueHeaders": {},
        "statusCode": 202,
        "body": _good_answer(1, batch_id),
    }


@api.route("POST", "/api/ingest", shortcut=_accept_single)
def ingest(request: Request) -> Response:
    """Answers 202 with the count, the batch id and what was rejected."""
    accepted = _accept(request, LOGS)
    replayed = {"Idempotency-Replayed": "true"} if accepted.is_replay else {}
    headers = accepted.standing.headers() | replayed
    if not accepted.batch.rejections:
        return Response(
            _good_answer(accepted.batch.record_count, accepted.batch_id.hex),
            {"Content-Type": "application/json", **headers},
            202,
        )
    answer = {
        "accepted": accepted.batch.record_count,
        "batch_id": accepted.batch_id.hex,
        "rejected": rejection_documents(accepted.batch.rejections),
        "rejected_count": len(accepted.batch.rejections),
    }
    return json_response(answer, 202, headers)


def _good_answer(count: int, batch_id: str) -> str:
    """The answer's text where nothing was rejected, in a tenth of the time."""
    return f'{{"accepted":{count},"batch_id":"{batch_id}","rejected":[],"rejected_count":0}}'


@api.route("POST", "/v1/logs", refuse=status_response)
@api.route("POST", "/otlp/v1/logs", refuse=status_response)
def otlp(request: Request) -> Response:
    """Answers 200 with what was rejected; nothing if that is nothing."""
    accepted = _accept(request, OTLP)
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
    gc.freeze()  # no collection has to look again at what a cold start made
    return Ingest(lookup, admission, queue, RedisIntake(client, admission, queue), settings, utc_now, waker)


@with_context(logger)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    """API Gateway (REST, proxy) entry point."""
    count(metrics, "requests", 1)
    return api(event, context)
