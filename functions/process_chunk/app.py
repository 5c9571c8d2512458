"""Stores one chunk: reads its entries from the queue, commits them, acknowledges them.

Trigger: Invoke by drain. Promise: an entry is acknowledged only after the transaction that stores or dead-letters all
of its records has committed, and storing it again is a no-op. On failure it raises, and the entries stay pending.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.chunks.ports import ChunkStore
from sluice.chunks.postgres import PostgresChunkStore
from sluice.errors import ContractError, SluiceError
from sluice.runtime.crash_points import crash_point
from sluice.runtime.observability import Logger, Metrics, count
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import ProcessChunkSettings
from sluice.streams.ports import ChunkQueue
from sluice.streams.redis import RedisQueue

logger = Logger()
metrics = Metrics(namespace="Sluice")

DATABASE_SECONDS = 20  # below the function's time-out: a database that hangs is an outage, not a death of the function


@dataclass(frozen=True, slots=True)
class ProcessChunk:
    """The use case."""

    queue: ChunkQueue
    store: ChunkStore

    def run(self, task: ChunkTask) -> ChunkResult:
        """Stores and acknowledges. Raises Unavailable and ContractError with nothing acknowledged, and ContractError
        ``circuit_open`` with everything acknowledged but the entries held by the circuit breaker."""
        entries = self.queue.read(task.shard, task.entry_ids)
        if __debug__:
            crash_point("process_chunk.after_read")
        settlement = self.store.store(
            entries, attempts=task.attempts, is_condemned=task.is_condemned, is_forced=task.is_forced
        )
        if __debug__:
            crash_point("process_chunk.after_commit")
        settled = [entry for entry in entries if entry not in settlement.held]
        acknowledged = self.queue.acknowledge(task.shard, settled)
        if __debug__:
            crash_point("process_chunk.after_acknowledge")
        if settlement.held:
            detail = f"most records of several applications fail: {len(settlement.held)} entries are held back"
            raise ContractError("circuit_open", detail)
        return replace(settlement.result, acknowledged=acknowledged)


@cache
def _dependencies() -> ProcessChunk:
    settings = ProcessChunkSettings.from_env()
    queue = RedisQueue(connect_redis(settings.redis_url), shard_count=settings.shard_count)
    return ProcessChunk(queue, PostgresChunkStore(Database(settings.database_url, deadline_seconds=DATABASE_SECONDS)))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Invoke entry point: a chunk task in, record counts out."""
    count(metrics, "chunks", 1)
    task = ChunkTask.from_event(event)
    try:
        result = _dependencies().run(task)
    except SluiceError as error:
        logger.error("chunk failed", extra={"code": error.code, "detail": error.detail, "shard": task.shard})
        count(metrics, f"error_{error.code}", 1)
        raise
    for name in ("stored", "duplicate", "redelivered", "dead_lettered"):
        count(metrics, name, getattr(result, name))
    logger.info("chunk stored", extra={"shard": task.shard, "entries": len(task.entry_ids), **result.to_answer()})
    return result.to_answer()
