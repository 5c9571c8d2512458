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
from sluice.chunks.split import is_condemnable, is_suspect, split_chunks
from sluice.errors import ChunkCrashed, ChunkFailed, ContractError, RejectedInput, SluiceError, Unavailable
from sluice.runtime.crash_points import crash_point
from sluice.runtime.observability import Logger, Metrics, count
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import DrainSettings
from sluice.streams.model import Claim
from sluice.streams.ports import DrainQueue
from sluice.streams.redis import RedisQueue

logger = Logger()
metrics = Metrics(namespace="Sluice")

OUTAGES = frozenset(
    ("chunk_crashed", "database_unavailable", "invoke_refused", "invoke_unanswered", "queue_unavailable")
)
GRACE_SECONDS = 10  # between the end of the slowest chunk and the end of this function


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

        Stops early when something that all need seems to be down; failures of a chunk's own do not count for that.
        """
        over: list[Chunk] = []  # failed for a reason of their own: their deliveries are forgiven
        died: list[Chunk] = []
        suspects: list[Chunk] = []
        stored_before = report.result
        try:
            while has_time() and self._drain_round(report, over, died, suspects):
                pass
            self._run_suspects(suspects, report, over, died, stored_before)
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

    def _drain_round(self, report: Report, over: list[Chunk], died: list[Chunk], suspects: list[Chunk]) -> bool:
        """One claim per shard; whether it is worth going on."""
        claims = [self._claim(shard, report) for shard in range(self.settings.shard_count)]
        chunks = [chunk for shard, claim in enumerate(claims) for chunk in self._split(shard, claim)]
        suspects += filter(is_suspect, chunks)
        tasks = [(chunk, chunk.to_task(is_forced=self.is_forced)) for chunk in chunks if not is_suspect(chunk)]
        is_alive = self._run(tasks, report, over, died)
        return bool(chunks) and is_alive

    def _run_suspects(
        self, suspects: list[Chunk], report: Report, over: list[Chunk], died: list[Chunk], stored_before: ChunkResult
    ) -> None:
        """What died before, after everything else. An entry that dies alone once too often although others could be
        stored in this pass is to blame itself and is dead-lettered; without that proof it may be an outage."""
        deaths: list[Chunk] = []
        self._run([(chunk, chunk.to_task(is_forced=self.is_forced)) for chunk in suspects], report, over, deaths)
        condemned = [chunk for chunk in deaths if is_condemnable(chunk) and report.result != stored_before]
        self._run([(chunk, chunk.to_task(is_condemned=True)) for chunk in condemned], report, over, died)
        died += [chunk for chunk in deaths if chunk not in condemned]

    def _claim(self, shard: int, report: Report) -> Claim:
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
        return claim

    def _split(self, shard: int, claim: Claim) -> Iterator[Chunk]:
        settings = self.settings
        return split_chunks(
            shard, claim.entries, max_records=settings.chunk_max_records, max_bytes=settings.chunk_max_bytes
        )

    def _run(self, tasks: list[tuple[Chunk, ChunkTask]], report: Report, over: list[Chunk], died: list[Chunk]) -> bool:
        """Runs all tasks; False if all of them failed for want of something that every chunk needs."""
        with ThreadPoolExecutor(self.settings.chunk_concurrency) as pool:
            runs = [(chunk, pool.submit(self.runner.run, task)) for chunk, task in tasks]
        if __debug__:
            crash_point("drain.after_invoke")
        failed = [(chunk, error) for chunk, run in runs if (error := _settle(run, report))]
        died += [chunk for chunk, error in failed if isinstance(error, ChunkCrashed)]
        over += [chunk for chunk, error in failed if type(error) is ChunkFailed]
        report.chunks += len(runs)
        report.chunks_failed += len(failed)
        return not runs or sum(error.code in OUTAGES for _, error in failed) < len(runs)

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
    """Passes at a fixed beat, as many as the event asks for and the remaining time allows.

    A pass that the queue's outage ends is over; the next one tries again. Raises Unavailable if the last one failed.
    """
    ticks, tick_seconds = _ticks(event)
    reserve = drain.settings.process_chunk_timeout_seconds + GRACE_SECONDS  # for the chunks in flight
    report, start, failure = Report(), time.monotonic(), None
    for tick in range(ticks):
        pause = max(start + tick * tick_seconds - time.monotonic(), 0)
        if tick > 0 and remaining_seconds() - pause < reserve:
            break
        time.sleep(pause)
        try:
            drain.drain(report, lambda: remaining_seconds() > reserve)
            failure = None
        except Unavailable as error:
            logger.error("queue unavailable", extra={"code": error.code, "detail": error.detail})
            failure = error
    if failure is not None:
        raise failure
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
