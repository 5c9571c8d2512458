"""Drains the queue: claims entries, hands them out in chunks to process_chunk, and goes on until nothing is left.

Trigger: a schedule of one minute that ticks inside it, or an operator. Promise: nothing is lost by a crash here, since
entries leave the queue only when process_chunk acknowledges them. What a dead run held is claimed again after three
times process_chunk's time-out; what failed for certain, at the next tick. Overlapping drains claim disjoint entries.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any

from sluice.chunks.aws import LambdaChunkRunner, connect_lambda
from sluice.chunks.model import Chunk, ChunkResult, ChunkTask
from sluice.chunks.ports import ChunkRunner
from sluice.chunks.split import is_condemned, split_chunks
from sluice.errors import ChunkCrashed, ChunkFailed, ContractError, RejectedInput, SluiceError, Unavailable
from sluice.runtime.crash_points import crash_point
from sluice.runtime.observability import Logger, Metrics, count
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import DrainSettings
from sluice.streams.ports import DrainQueue
from sluice.streams.redis import RedisQueue

logger = Logger()
metrics = Metrics(namespace="Sluice")

TIME_SHARE = 0.8  # of the invocation; the rest is for the chunks in flight


@dataclass(slots=True)
class Report:
    """What one invocation did."""

    claimed_entries: int = 0
    reclaimed_entries: int = 0
    vanished_entries: int = 0
    chunks: int = 0
    chunks_failed: int = 0
    result: ChunkResult = field(default_factory=ChunkResult)
    backlog_entries: int = 0


@dataclass(frozen=True, slots=True)
class Drain:
    """The use case."""

    queue: DrainQueue
    runner: ChunkRunner
    settings: DrainSettings
    is_forced: bool = False  # dead-letter what fails even if the circuit breaker would open

    def drain(self, report: Report, has_time: Callable[[], bool]) -> None:
        """One pass: empties the queue, round by round over all shards, while ``has_time``; adds to ``report``.

        Stops early when every chunk of a round failed: the database is down, and the next pass tries again.
        """
        over: list[Chunk] = []  # failed for a reason of their own: their deliveries are forgiven
        died: list[Chunk] = []
        condemned: list[Chunk] = []
        stored_before = report.result
        try:
            while has_time() and self._drain_round(report, over, died, condemned):
                pass
            # Only if others could be stored meanwhile is it the entry that kills, and not an outage.
            if report.result != stored_before and condemned:
                self._run([(chunk, chunk.to_task(is_condemned=True)) for chunk in condemned], report, over, died)
            else:
                over += condemned
        finally:
            # Only now: given back at once, a failing chunk would come back in the next round of this very pass.
            self._release(over, is_forgiven=True)
            self._release(died, is_forgiven=False)
        if __debug__:
            crash_point("drain.before_trim")
        shards = range(self.settings.shard_count)
        for shard in shards:
            self.queue.trim(shard)
        report.backlog_entries = sum(map(self.queue.count_entries, shards))

    def _drain_round(self, report: Report, over: list[Chunk], died: list[Chunk], condemned: list[Chunk]) -> bool:
        """One claim per shard; whether it is worth going on."""
        claimed = [chunk for shard in range(self.settings.shard_count) for chunk in self._claim(shard, report)]
        condemned += filter(is_condemned, claimed)
        tasks = [(chunk, chunk.to_task(is_forced=self.is_forced)) for chunk in claimed if not is_condemned(chunk)]
        return self._run(tasks, report, over, died) > 0

    def _claim(self, shard: int, report: Report) -> Iterator[Chunk]:
        settings = self.settings
        claim = self.queue.claim(
            shard,
            min_idle_seconds=3 * settings.process_chunk_timeout_seconds,
            max_records=settings.chunk_max_records * settings.chunk_concurrency,
            max_bytes=settings.chunk_max_bytes * settings.chunk_concurrency,
        )
        if __debug__:
            crash_point("drain.after_claim")
        report.claimed_entries += len(claim.entries)
        report.reclaimed_entries += claim.reclaimed_count
        report.vanished_entries += claim.vanished_count
        return split_chunks(
            shard, claim.entries, max_records=settings.chunk_max_records, max_bytes=settings.chunk_max_bytes
        )

    def _run(self, tasks: list[tuple[Chunk, ChunkTask]], report: Report, over: list[Chunk], died: list[Chunk]) -> int:
        """Runs all tasks and returns how many succeeded."""
        with ThreadPoolExecutor(self.settings.chunk_concurrency) as pool:
            runs = [(chunk, pool.submit(self.runner.run, task)) for chunk, task in tasks]
        if __debug__:
            crash_point("drain.after_invoke")
        failed = [(chunk, error) for chunk, run in runs if (error := _settle(run, report))]
        died += [chunk for chunk, error in failed if isinstance(error, ChunkCrashed)]
        over += [chunk for chunk, error in failed if type(error) is ChunkFailed]
        report.chunks += len(runs)
        report.chunks_failed += len(failed)
        return len(runs) - len(failed)

    def _release(self, chunks: list[Chunk], *, is_forgiven: bool) -> None:
        if __debug__ and chunks:
            crash_point("drain.before_release")
        for chunk in chunks:
            self.queue.release(chunk.shard, chunk.entries, is_forgiven=is_forgiven)


def _settle(run: Future[ChunkResult], report: Report) -> SluiceError | None:
    """Counts a finished run; logs and returns the error of a failed one."""
    try:
        report.result += run.result()
    except (ChunkFailed, Unavailable, ContractError) as error:
        logger.error("chunk failed", extra={"code": error.code, "detail": error.detail})
        return error
    return None


def _ticks(event: Mapping[str, Any]) -> tuple[int, float]:
    """How many passes, and seconds from one's start to the next's. Raises RejectedInput ``invalid_event``."""
    ticks, tick_seconds = event.get("ticks", 1), event.get("tick_seconds", 10)
    if type(ticks) is not int or not isinstance(tick_seconds, int | float) or ticks < 1 or tick_seconds <= 0:
        raise RejectedInput(
            "invalid_event", "expected {} or {ticks: whole number from 1, tick_seconds: number above 0}"
        )
    return ticks, tick_seconds


def run_ticks(drain: Drain, event: Mapping[str, Any], remaining_seconds: Callable[[], float]) -> Report:
    """Passes at a fixed beat, as many as the event asks for and the remaining time allows."""
    ticks, tick_seconds = _ticks(event)
    report = Report()
    start = time.monotonic()
    reserve = remaining_seconds() * (1 - TIME_SHARE)
    for tick in range(ticks):
        pause = start + tick * tick_seconds - time.monotonic()
        if remaining_seconds() - max(pause, 0) < reserve:
            break
        time.sleep(max(pause, 0))
        drain.drain(report, lambda: remaining_seconds() > reserve)
    return report


@cache
def _dependencies() -> Drain:
    settings = DrainSettings.from_env()
    queue = RedisQueue(connect_redis(settings.redis_url), shard_count=settings.shard_count)
    client = connect_lambda(
        timeout_seconds=settings.process_chunk_timeout_seconds, concurrency=settings.chunk_concurrency
    )
    runner = LambdaChunkRunner(client, settings.process_chunk_function)
    return Drain(queue, runner, settings)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Schedule and Invoke entry point."""
    count(metrics, "drains", 1)
    started = time.monotonic()
    drain = replace(_dependencies(), is_forced=event.get("is_forced") is True)
    report = run_ticks(drain, event, lambda: context.get_remaining_time_in_millis() / 1000)
    if report.vanished_entries:
        logger.error("pending entries vanished from the queue", extra={"entries": report.vanished_entries})
    count(metrics, "vanished_entries", report.vanished_entries)
    count(metrics, "chunks_failed", report.chunks_failed)
    answer = asdict(report)
    answer |= answer.pop("result") | {"duration_ms": round((time.monotonic() - started) * 1000)}
    if report.claimed_entries:
        logger.info("drained", extra=answer)
    return answer
