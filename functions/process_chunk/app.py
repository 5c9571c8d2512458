"""Stores one chunk: reads its entries from the queue, commits them, acknowledges them.

Trigger: Invoke by drain. Promise: an entry is acknowledged only after the transaction that stores or dead-letters all
of its records has committed, and storing it again is a no-op. On failure it raises, and the entries stay pending.
Templates come second: what is wrong with them is told, and the records are stored without, to get them later.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sluice.chunks.lines import about, dead_line, stored_lines
from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.chunks.ports import ChunkStore
from sluice.chunks.postgres import PostgresChunkStore
from sluice.errors import ContractError, SluiceError
from sluice.metrics.chunks import chunk_samples
from sluice.metrics.model import Sample
from sluice.metrics.redis import metric_store
from sluice.runtime.crash_points import crash_point
from sluice.runtime.observability import Logger, Metrics, count, keep, told
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import ProcessChunkSettings
from sluice.streams.model import NewerEntriesError, StreamEntry, UnreadableEntry
from sluice.streams.ports import ChunkQueue
from sluice.streams.redis import RedisQueue
from sluice.templates.clusters import unmasked_clusters
from sluice.templates.ports import Clusterer
from sluice.templates.postgres import PostgresClusterer

logger = Logger()
metrics = Metrics(namespace="Sluice")
metric_counts = metric_store(lambda: ProcessChunkSettings.from_env().redis_url)

DATABASE_SECONDS = 20  # below the function's time-out: a database that hangs is an outage, not a death of the function
MINING_SECONDS = 5  # with the above still below it


@dataclass(frozen=True, slots=True)
class ProcessChunk:
    """The use case."""

    queue: ChunkQueue
    store: ChunkStore
    clusterer: Clusterer | None = None  # None: logs are stored without templates

    def run(self, task: ChunkTask) -> ChunkResult:
        """Stores and acknowledges. Raises Unavailable and ContractError with nothing acknowledged, and ContractError
        ``circuit_open`` and ``wire_version`` with everything acknowledged but the entries held by the circuit breaker,
        and those that only newer functions can read."""
        entries, newer = self._read(task)
        if __debug__:
            crash_point("process_chunk.after_read")
        clustered = self._clustered(entries)
        settlement = self.store.store(
            clustered, attempts=task.attempts, is_condemned=task.is_condemned, is_forced=task.is_forced
        )
        if __debug__:
            crash_point("process_chunk.after_commit")
        settled = [entry for entry in clustered if entry not in settlement.held]
        acknowledged = self.queue.acknowledge(task.shard, settled)
        if __debug__:
            crash_point("process_chunk.after_acknowledge")
        result = replace(settlement.result, acknowledged=acknowledged)
        for line in stored_lines(task, settled, result):
            logger.info("chunk stored", extra=line)
        if dead := dead_line(settlement.dead, settled):
            logger.warning("records dead-lettered", extra=dead)
        if settlement.held:
            detail = f"most records of several applications fail: {len(settlement.held)} entries are held back"
            raise ContractError("circuit_open", detail)
        if newer:
            raise newer
        return result

    def _read(self, task: ChunkTask) -> tuple[Sequence[StreamEntry | UnreadableEntry], NewerEntriesError | None]:
        try:
            return self.queue.read(task.shard, task.entry_ids), None
        except NewerEntriesError as error:
            return error.readable, error

    def _clustered(self, entries: Sequence[StreamEntry | UnreadableEntry]) -> Sequence[StreamEntry | UnreadableEntry]:
        """The entries with what is known of their templates."""
        if self.clusterer is None:
            return entries
        try:
            found = self.clusterer.cluster(entries)
        except Exception:  # delivery first: no fault of the miner's may hold up logs
            logger.exception("clustering failed", extra=about(entries))
            count(metrics, "clustering_failures", 1)
            return [
                replace(entry, clusters=unmasked_clusters(entry.record_count))
                if isinstance(entry, StreamEntry)
                else entry
                for entry in entries
            ]
        count(metrics, "lines_clustered", found.line_count)
        count(metrics, "lines_learnt", found.learnt_count)
        if found.unmined_count:
            detail: dict[str, Any] = {"lines": found.unmined_count}
            if found.failure:
                detail |= {"code": found.failure.code, "detail": found.failure.detail}
            logger.warning("templates are to be found later", extra=detail | about(entries))
            count(metrics, "lines_unmined", found.unmined_count)
        return found.entries


@cache
def _dependencies() -> ProcessChunk:
    settings = ProcessChunkSettings.from_env()
    queue = RedisQueue(connect_redis(settings.redis_url), shard_count=settings.shard_count)
    store = PostgresChunkStore(Database(settings.database_url, deadline_seconds=DATABASE_SECONDS))
    if not settings.templates:
        return ProcessChunk(queue, store)
    return ProcessChunk(
        queue, store, PostgresClusterer(Database(settings.database_url, deadline_seconds=MINING_SECONDS))
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Invoke entry point: a chunk task in, record counts out."""
    started_at = time.time()
    count(metrics, "chunks", 1)
    task = ChunkTask.from_event(event)
    try:
        result = _dependencies().run(task)
    except SluiceError as error:
        logger.error("chunk failed", extra=told(error) | {"shard": task.shard})
        keep(metrics, metric_counts, logger, [Sample("errors", 1, {"service": "process_chunk", "code": error.code})])
        raise
    count(metrics, "stored", result.stored)
    count(metrics, "duplicate", result.duplicate)
    count(metrics, "redelivered", result.redelivered)
    count(metrics, "dead_lettered", result.dead_lettered)
    keep(metrics, metric_counts, logger, chunk_samples(task, result, started_at=started_at, ended_at=time.time()))
    return result.to_answer()
