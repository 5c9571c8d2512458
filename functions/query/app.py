"""GET /api/logs and what is counted in them, /api/templates, /api/diff, /api/anomalies, /api/tail, /api/pipeline,
/api/usage, /api/ledger, /api/batches, /metrics, /healthz and /openapi.json: reads back; on a schedule, audits the
ledger; by Invoke, shows the queue.

Promise: a key sees the records of its own application only (an admin key: all), enforced by row security in the
database. What a request may cost has a bound: an answer says when it is only a part. On failure the client gets
problem+json; reading again is always safe.
"""

import time
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chalice.app import Request, Response

from sluice.admission.model import Rates
from sluice.admission.redis import RedisUsageReader
from sluice.anomalies.postgres_reads import PostgresAnomalies
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope
from sluice.applications.postgres import PostgresKeyStore, limits_by_name
from sluice.applications.redis import RedisKeyCache
from sluice.ledger.postgres import PostgresLedger
from sluice.ledger.postgres_batches import PostgresBatches
from sluice.ledger.postgres_throughput import PostgresPipeline
from sluice.metrics.exposition import CONTENT_TYPE
from sluice.metrics.postgres import PgBouncerPools
from sluice.metrics.redis import RedisMemory, metric_store
from sluice.metrics.registry import MetricName
from sluice.releases.postgres import PostgresReleases
from sluice.runtime.http import HttpApi, json_response
from sluice.runtime.observability import Logger, Metrics, count, utc_now
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import QuerySettings
from sluice.search.describe import language_document
from sluice.search.postgres import PostgresLogReader
from sluice.search.postgres_counts import PostgresLogCounter
from sluice.streams.redis import RedisQueue
from sluice.tail.postgres import PostgresTail
from sluice.tail.redis import RedisNews, RedisSeats
from sluice.templates.postgres_reads import PostgresTemplates

if TYPE_CHECKING:  # several functions have such files, which only the type checker sees together
    from functions.query.anomalies import Anomalies
    from functions.query.batches import Batches
    from functions.query.diff import Diff
    from functions.query.operations import Operations
    from functions.query.pages import page_response
    from functions.query.pipeline import Pipeline
    from functions.query.reads import Reads
    from functions.query.scrape import Scrape
    from functions.query.tail import Tail
    from functions.query.templates import Templates
else:
    from anomalies import Anomalies
    from batches import Batches
    from diff import Diff
    from operations import Operations
    from pages import page_response
    from pipeline import Pipeline
    from reads import Reads
    from scrape import Scrape
    from tail import Tail
    from templates import Templates

logger = Logger()
metrics = Metrics(namespace="Sluice")
metric_counts = metric_store(lambda: QuerySettings.from_env().redis_url)
api = HttpApi("query", logger, metrics, metric_counts)

TAIL_DATABASE_SECONDS = 8  # after the wait; both together less than the gateway allows
AUDITED: dict[str, MetricName] = {
    "accepted": "ledger_accepted",
    "stored": "ledger_stored",
    "duplicate": "ledger_duplicate",
    "dead_lettered": "ledger_dead_lettered",
    "in_flight": "ledger_in_flight",
    "unaccounted": "ledger_unaccounted",
    "queue_rolled_back": "ledger_queue_rolled_back",
}
DATABASE_SECONDS = 16  # above what a request may take, for a server that hangs


@dataclass(frozen=True, slots=True)
class Query:
    """What the routes are for."""

    lookup: KeyLookup
    reads: Reads
    operations: Operations
    pipeline: Pipeline
    tail: Tail
    scrape: Scrape
    templates: Templates
    diff: Diff
    batches: Batches
    anomalies: Anomalies


def _admitted(request: Request, scope: Scope = Scope.READ) -> tuple[Query, KeyRecord]:
    query = _dependencies()
    return query, query.lookup.admit(request.method, request.headers, scope)


def _parameters(request: Request) -> dict[str, str]:
    return dict(request.query_params or {})


@api.route("GET", "/api/logs")
def logs(request: Request) -> Response:
    """A page of stored records, as JSON, NDJSON or CSV."""
    query, key = _admitted(request)
    return page_response(query.reads, key, _parameters(request))


@api.route("GET", "/api/logs/{id}")
def log(request: Request) -> Response:
    """One record among its neighbours, with its template."""
    query, key = _admitted(request)
    found = query.reads.log(key, (request.uri_params or {})["id"], _parameters(request))
    return json_response(found | {"template": query.templates.of_log(key, found["log"])})


@api.route("GET", "/api/histogram")
def histogram(request: Request) -> Response:
    """Counts over time."""
    query, key = _admitted(request)
    return json_response(query.reads.histogram(key, _parameters(request)))


@api.route("GET", "/api/facets")
def facets(request: Request) -> Response:
    """The most frequent values of a field."""
    query, key = _admitted(request)
    return json_response(query.reads.facet(key, _parameters(request)))


@api.route("GET", "/api/stats")
def stats(request: Request) -> Response:
    """How much there is."""
    query, key = _admitted(request)
    return json_response(query.reads.stats(key, _parameters(request)))


@api.route("GET", "/api/query-language")
def query_language(request: Request) -> Response:
    """What can be written in q, for whoever helps people to write it."""
    return json_response(language_document())


@api.route("GET", "/api/tail")
def tail(request: Request) -> Response:
    """What is stored from now on, as it comes."""
    query, key = _admitted(request)
    return json_response(query.tail.follow(key, _parameters(request)))


@api.route("GET", "/api/templates")
def list_templates(request: Request) -> Response:
    """What applications' logs say, and how often."""
    query, key = _admitted(request)
    return json_response(query.templates.list(key, _parameters(request)))


@api.route("GET", "/api/templates/{id}")
def show_template(request: Request) -> Response:
    """One template, and what stands in its places."""
    query, key = _admitted(request)
    return json_response(query.templates.show(key, (request.uri_params or {})["id"], _parameters(request)))


@api.route("GET", "/api/anomalies")
def list_anomalies(request: Request) -> Response:
    """What was unusual."""
    query, key = _admitted(request)
    return json_response(query.anomalies.list(key, _parameters(request)))


@api.route("GET", "/api/anomalies/{id}")
def show_anomaly(request: Request) -> Response:
    """One anomaly, and what it looked like."""
    query, key = _admitted(request)
    return json_response(query.anomalies.show(key, (request.uri_params or {})["id"], _parameters(request)))


@api.route("GET", "/api/diff")
def diff(request: Request) -> Response:
    """What a version changed."""
    query, key = _admitted(request)
    return json_response(query.diff.show(key, _parameters(request)))


@api.route("GET", "/api/batches/{id}")
def show_batch(request: Request) -> Response:
    """What became of a request."""
    query, key = _admitted(request)
    return json_response(query.batches.show(key, (request.uri_params or {})["id"]))


@api.route("GET", "/api/ledger")
def ledger(request: Request) -> Response:
    """The conservation ledger."""
    query, key = _admitted(request)
    return json_response(query.operations.ledger(key))


@api.route("GET", "/api/pipeline")
def pipeline(request: Request) -> Response:
    """How the pipeline is doing."""
    query, _ = _admitted(request, Scope.ADMIN)
    operations = query.operations
    return json_response(
        query.pipeline.show(operations.inspection.drain_state(), operations.inspect_queue({})["shards"])
    )


@api.route("GET", "/api/usage")
def usage(request: Request) -> Response:
    """What applications have used of their limits."""
    query, key = _admitted(request)
    return json_response(query.pipeline.usage(key))


@api.route("GET", "/metrics")
def scrape(request: Request) -> Response:
    """The platform's own metrics, for Prometheus."""
    query, _ = _admitted(request, Scope.METRICS)
    return Response(query.scrape.page(), {"Content-Type": CONTENT_TYPE})


@api.route("GET", "/healthz")
def healthz(request: Request) -> Response:
    """Whether queue and database answer; open to everybody, so it says no more."""
    _dependencies().operations.check_health()
    return json_response({"status": "ok"})


@api.route("GET", "/openapi.json")
def openapi(request: Request) -> Response:
    """The API's description."""
    return Response(_document(), {"Content-Type": "application/json"})


@cache
def _document() -> str:
    return Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")


@cache
def _dependencies() -> Query:
    settings = QuerySettings.from_env()
    database = Database(settings.database_url, deadline_seconds=DATABASE_SECONDS)
    cache = RedisKeyCache(connect_redis(settings.redis_url, timeout_seconds=1), settings.key_pepper)
    lookup = KeyLookup(PostgresKeyStore(database), cache, settings.key_pepper, utc_now)
    client = connect_redis(settings.redis_url)
    queue = RedisQueue(client, shard_count=settings.shard_count)
    operations = Operations(partial(PostgresLedger, database), database.ask, queue, queue, logger)
    rates = Rates(
        settings.requests_per_second, settings.bytes_per_second, settings.bytes_per_day, settings.burst_seconds
    )
    usage_reader = RedisUsageReader(client, shard_count=settings.shard_count, rates=rates)
    limit = settings.backlog_limit_bytes
    settled = PostgresPipeline(database)
    limits_of = partial(limits_by_name, database)
    shown = Pipeline(settled, limits_of, usage_reader, rates, limit, settings.drain_mode, logger, utc_now)
    reads = Reads(
        lambda ids: operations.open_ledger(ids).application_names(),
        partial(PostgresLogReader, database),
        partial(PostgresLogCounter, database),
        utc_now,
    )
    seats = RedisSeats(client, settings.tail_seats)
    soon = Database(settings.database_url, deadline_seconds=TAIL_DATABASE_SECONDS)
    news = RedisNews(client, shard_count=settings.shard_count)
    tail = Tail(reads, partial(PostgresTail, soon), seats, news, time.monotonic, time.sleep)
    scrape = Scrape(
        database,
        queue,
        queue,
        limit,
        metric_counts(),
        RedisMemory(client),
        PgBouncerPools(settings.database_url),
        logger,
    )
    open_templates = partial(PostgresTemplates, database)
    templates = Templates(reads, open_templates)
    diff = Diff(reads, partial(PostgresReleases, database), open_templates)
    batches = Batches(reads, queue, partial(PostgresBatches, database))
    anomalies = Anomalies(reads, partial(PostgresAnomalies, database))
    return Query(lookup, reads, operations, shown, tail, scrape, templates, diff, batches, anomalies)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    """Entry point of API Gateway (REST, proxy), of the schedule: {"action": "audit"} leaves the ledger's totals as
    metrics for a monitor to watch; and of operators: {"action": "queue"}, see Operations.inspect_queue."""
    if event.get("action") == "queue":
        count(metrics, "inspections", 1)
        return _dependencies().operations.inspect_queue(event)
    if event.get("action") == "audit":
        totals = _dependencies().operations.audit()
        for name, value in totals.items():
            metrics.add(AUDITED[name], int(value))
        if totals["unaccounted"] or totals["queue_rolled_back"]:
            logger.error("the ledger does not balance", extra=totals)
        return totals
    count(metrics, "requests", 1)
    return api(event, context)
