"""Drains the queue: claims entries, hands them out in chunks to process_chunk, and goes on until nothing is left.

Trigger: a schedule of one minute, which may tick inside it; ingest, which wakes a drain that lingers; or an operator.
Promise: nothing is lost by a crash here, since entries leave the queue only when process_chunk acknowledges them. What
a dead run held is claimed again after three times process_chunk's time-out; what failed for certain, at the next tick.
Overlapping drains claim disjoint entries. Applications take turns: one with little to store does not wait for the
backlog of another.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cache
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from sluice.chunks.aws import LambdaChunkRunner, connect_lambda
from sluice.errors import RejectedInput, Unavailable
from sluice.metrics.model import Sample
from sluice.metrics.redis import metric_store
from sluice.runtime.observability import Logger, Metrics, count, keep
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import DrainSettings
from sluice.streams.ports import DrainQueue
from sluice.streams.redis import RedisQueue

if TYPE_CHECKING:  # to the type checker there is more than one app.py
    from functions.drain.passes import Drain, Report
else:
    from passes import Drain, Report

logger = Logger()
metrics = Metrics(namespace="Sluice")
metric_counts = metric_store(lambda: DrainSettings.from_env().redis_url)

HANDOVER_SHARE = 0.4  # of a tick: how long a drain goes on looking for, while the next one starts
GRACE_SECONDS = 10  # between the end of the slowest chunk and the end of this function


def run(drain: Drain, event: Mapping[str, Any], remaining_seconds: Callable[[], float]) -> Report:
    """What the event asks for: passes at a fixed beat, or, if it ``lingers``, until nothing comes any more.

    A pass that the queue's outage ends is over; the next one tries again. Raises Unavailable if the last one failed,
    and RejectedInput ``invalid_event``.
    """
    ticks, tick_seconds = _ticks(event)
    is_woken = event.get("lingers") is True
    drain.queue.note_start(is_woken=is_woken)
    reserve = drain.settings.process_chunk_timeout_seconds + GRACE_SECONDS  # for the chunks in flight

    def has_time() -> bool:
        return remaining_seconds() > reserve

    if is_woken:
        pass_seconds = (1 + HANDOVER_SHARE) * tick_seconds
        return _linger(drain, tick_seconds, has_time, lambda: remaining_seconds() - pass_seconds > reserve)
    report, start, failure = Report(), time.monotonic(), None
    for tick in range(ticks):
        pause = max(start + tick * tick_seconds - time.monotonic(), 0)
        if tick > 0 and remaining_seconds() - pause < reserve:
            break
        time.sleep(pause)
        failure = _try(drain, report, has_time)
    if failure is not None:
        raise failure
    return report


def _ticks(event: Mapping[str, Any]) -> tuple[int, float]:
    """How many passes, and seconds from one's start to the next's. Raises RejectedInput ``invalid_event``."""
    ticks, tick_seconds = event.get("ticks", 1), event.get("tick_seconds", 10)
    if type(ticks) is not int or not isinstance(tick_seconds, int | float) or ticks < 1 or tick_seconds <= 0:
        raise RejectedInput(
            "invalid_event", "expected {} or {ticks: whole number from 1, tick_seconds: number above 0}"
        )
    return ticks, tick_seconds


def _try(
    drain: Drain, report: Report, has_time: Callable[[], bool], *, linger_seconds: float = 0
) -> Unavailable | None:
    """One pass; logs and returns the error of a queue that is down."""
    try:
        drain.drain(report, has_time, linger_seconds=linger_seconds)
    except Unavailable as error:
        logger.error("queue unavailable", extra={"code": error.code, "detail": error.detail})
        return error
    return None


def _linger(
    drain: Drain, tick_seconds: float, has_time: Callable[[], bool], has_time_to_linger: Callable[[], bool]
) -> Report:
    """Passes of ``tick_seconds`` each that look for entries all the time, until one finds none or time is used up.

    Ingest wakes nobody meanwhile, and at most one drain in ``tick_seconds``: a drain that has found nothing for so long
    leaves when ingest may wake the next. One that leaves while entries come goes on looking until the next has started.
    """
    report, has_found = Report(), True
    with _attending(drain.queue, tick_seconds):
        while has_found and has_time_to_linger():
            end, before = time.monotonic() + tick_seconds, report.claimed_entries
            failure = _try(drain, report, has_time, linger_seconds=tick_seconds)
            has_found = failure is not None or report.claimed_entries > before
            time.sleep(max(end - time.monotonic(), 0))  # an outage ended the pass early: the next tick tries again
    if has_found:
        _try(drain, report, has_time, linger_seconds=HANDOVER_SHARE * tick_seconds)
    # What came after the last look was taken for attended to, and has woken nobody.
    failure = _try(drain, report, has_time)
    if failure is not None:
        raise failure
    return report


@contextmanager
def _attending(queue: DrainQueue, seconds: float) -> Iterator[None]:
    """Keeps the mark that a drain is at work, from a thread of its own: it must neither lapse while a chunk is slow,
    nor outlive a drain that was killed by more than ``seconds``."""
    is_over = Event()

    def attend() -> None:
        queue.attend(seconds)
        while not is_over.wait(seconds / 3):
            queue.attend(seconds)

    thread = Thread(target=attend, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        queue.leave()


@cache
def _dependencies() -> Drain:
    settings = DrainSettings.from_env()
    queue = RedisQueue(connect_redis(settings.redis_url), shard_count=settings.shard_count)
    client = connect_lambda(
        timeout_seconds=settings.process_chunk_timeout_seconds, concurrency=settings.chunk_concurrency
    )
    runner = LambdaChunkRunner(client, settings.process_chunk_function)
    return Drain(queue, runner, settings)


def _samples(report: Report) -> list[Sample]:
    return [
        Sample("deliveries", report.claimed_entries),
        Sample("vanished_entries", report.vanished_entries),
        Sample("chunks_failed", report.chunks_failed),
    ]


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Schedule and Invoke entry point."""
    count(metrics, "drains", 1)
    started = time.monotonic()
    drain = replace(_dependencies(), is_forced=event.get("is_forced") is True, drain_id=context.aws_request_id)
    report = run(drain, event, lambda: context.get_remaining_time_in_millis() / 1000)
    if report.vanished_entries:
        logger.error("pending entries vanished from the queue", extra={"entries": report.vanished_entries})
    keep(metrics, metric_counts, logger, _samples(report))
    answer = asdict(report)
    answer |= answer.pop("result") | {"duration_ms": round((time.monotonic() - started) * 1000)}
    if report.claimed_entries:
        logger.info("drained", extra=answer)
    return answer
