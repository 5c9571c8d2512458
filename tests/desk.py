"""functions/query on real servers, with applications that hold logs."""

import json
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

import redis

from apps import load_app
from aws import LambdaContext, rest_event
from samples import PEPPER, record, submission
from scratch import Scratch
from sluice.admission.model import Rates
from sluice.admission.redis import RedisUsageReader
from sluice.anomalies.postgres_reads import PostgresAnomalies
from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.lookup import KeyLookup
from sluice.applications.postgres import PostgresApplications, PostgresKeyStore, limits_by_name
from sluice.chunks.postgres import PostgresChunkStore
from sluice.ledger.postgres import PostgresLedger
from sluice.ledger.postgres_batches import PostgresBatches
from sluice.ledger.postgres_throughput import PostgresPipeline
from sluice.metrics.postgres import PgBouncerPools
from sluice.metrics.redis import RedisMemory, RedisMetricStore
from sluice.releases.postgres import PostgresReleases
from sluice.runtime.postgres import Database
from sluice.search.postgres import PostgresLogReader
from sluice.search.postgres_counts import PostgresLogCounter
from sluice.streams.redis import RedisQueue
from sluice.tail.postgres import PostgresTail
from sluice.tail.redis import RedisNews, RedisSeats
from sluice.templates.postgres import PostgresClusterer
from sluice.templates.postgres_reads import PostgresTemplates

app = load_app("query")
RATES = Rates(requests_per_second=10, bytes_per_second=1_000, bytes_per_day=10_000, burst_seconds=2)


class Desk:
    """The deployed function, with applications that hold logs."""

    def __init__(self, scratch: Scratch, client: redis.Redis) -> None:
        self.scratch = scratch
        self.queue = RedisQueue(client, shard_count=1, backlog_limit_bytes=10**9)
        self.applications = PostgresApplications(Database(scratch.url("sluice_owner", direct=True)))
        database = Database(scratch.url("sluice_reader"))
        lookup = KeyLookup(PostgresKeyStore(database), None, PEPPER, lambda: datetime.now(UTC))
        ledger = partial(PostgresLedger, database)
        operations = app.Operations(ledger, database.ask, self.queue, self.queue, app.logger)
        usage = RedisUsageReader(client, shard_count=1, rates=RATES)
        settled, limits = PostgresPipeline(database), partial(limits_by_name, database)
        pipeline = app.Pipeline(settled, limits, usage, RATES, 10**9, "wake", app.logger, lambda: datetime.now(UTC))
        reads = app.Reads(
            lambda ids: ledger(ids).application_names(),
            partial(PostgresLogReader, database),
            partial(PostgresLogCounter, database),
            lambda: datetime.now(UTC),
        )
        news = RedisNews(client, shard_count=1)
        tail = app.Tail(
            reads, partial(PostgresTail, database), RedisSeats(client, 10), news, time.monotonic, time.sleep
        )
        self.counts = RedisMetricStore(client)
        memory, pools = RedisMemory(client), PgBouncerPools(scratch.url("sluice_reader"))
        scrape = app.Scrape(database, self.queue, self.queue, 10**9, self.counts, memory, pools, app.logger)
        templates = app.Templates(reads, partial(PostgresTemplates, database))
        diff = app.Diff(reads, partial(PostgresReleases, database), partial(PostgresTemplates, database))
        batches = app.Batches(reads, self.queue, partial(PostgresBatches, database))
        anomalies = app.Anomalies(reads, partial(PostgresAnomalies, database))
        self.use_case = app.Query(
            lookup, reads, operations, pipeline, tail, scrape, templates, diff, batches, anomalies
        )

    def new_application(self) -> tuple[int, str]:
        application_id = self.scratch.create_application()
        ((name,),) = self.scratch.rows("SELECT name FROM applications WHERE application_id = %s", application_id)
        return application_id, name

    def new_key(self, application: str, *scopes: str) -> str:
        text, key = mint_key(PEPPER)
        secret_hash = hash_secret(key.secret, PEPPER)
        self.applications.add_key(
            application, key_id=key.key_id, secret_hash=secret_hash, scopes=list(scopes), expires_at=None
        )
        return text

    def store(self, application_id: int, *messages: str, **fields: Any) -> str:
        """Clusters and stores one log for each message, with these fields; returns the batch's id."""
        records = [record(position, message, **fields) for position, message in enumerate(messages)]
        sent = submission(records, application_id=application_id)
        self.queue.submit(sent)
        claim = self.queue.claim(0, min_idle_seconds=0, max_records=10**6, max_bytes=10**9)
        entries = self.queue.read(0, [entry.entry_id for entry in claim.entries])
        clustered = PostgresClusterer(Database(self.scratch.url("sluice_writer"))).cluster(entries).entries
        PostgresChunkStore(Database(self.scratch.url("sluice_writer"))).store(clustered)
        self.queue.acknowledge(0, entries)
        return sent.batch_id.hex

    def get(self, path: str, key: str = "", **query: str) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        answer = self.answer(path, key, **query)
        return answer["statusCode"], json.loads(answer["body"])

    def answer(self, path: str, key: str = "", **query: str) -> dict[str, Any]:
        """The function's answer to API Gateway."""
        event = rest_event("GET", path, headers={"X-API-Key": key}, query=query)
        for parent in ("/api/logs/", "/api/templates/", "/api/anomalies/", "/api/batches/"):
            if path.startswith(parent):
                resource = event["requestContext"]["resourcePath"] = parent + "{id}"
                event |= {"resource": resource, "pathParameters": {"id": path.removeprefix(parent)}}
        answered: dict[str, Any] = app.handler(event, LambdaContext())
        return answered
