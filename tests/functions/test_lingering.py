"""functions/drain, woken: it goes on looking for entries until none come any more."""

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from apps import load_app
from fakes import MemoryChunkStore, MemoryQueue, ScriptedRunner
from samples import record, submission
from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.errors import ChunkFailed
from sluice.runtime.settings import DrainSettings
from sluice.streams.model import Submitted

app = load_app("drain")
process_chunk = load_app("process_chunk")
TICK_SECONDS = 0.3
EVENT = {"lingers": True, "tick_seconds": TICK_SECONDS}


class Line:
    """A queue whose submitters are asked to wake, a store, and a drain between them."""

    def __init__(self) -> None:
        self.queue = MemoryQueue(wake_seconds=TICK_SECONDS)
        self.store = MemoryChunkStore()
        self.settings = DrainSettings("redis://r", 1, "process-chunk", 10, 10**6, 2, 30)
        self.runner = ScriptedRunner(process_chunk.ProcessChunk(self.queue, self.store).run)

    def linger(self, remaining: Callable[[], float] = lambda: 60.0) -> Any:
        return app.run(app.Drain(self.queue, self.runner, self.settings), EVENT, remaining)

    def submit(self) -> Submitted:
        return self.queue.submit(submission([record(0), record(1)]))


@pytest.fixture
def line() -> Line:
    return Line()


def test_stores_what_comes_while_it_lingers(line: Line) -> None:
    line.submit()
    answers: list[Submitted] = []

    def send() -> None:
        for _ in range(4):
            time.sleep(TICK_SECONDS / 2)
            answers.append(line.submit())

    sender = threading.Thread(target=send)
    sender.start()
    report = line.linger()
    sender.join()
    assert report.result.stored == 10
    assert answers == [Submitted.QUEUED] * 4, "nobody is asked to wake another one meanwhile"


def test_leaves_when_nothing_comes_any_more(line: Line) -> None:
    assert line.submit() is Submitted.UNATTENDED
    assert line.linger().backlog_entries == 0
    line.queue.clock.advance(TICK_SECONDS)
    assert line.submit() is Submitted.UNATTENDED


def test_what_comes_between_the_last_look_and_the_end_of_the_mark_is_stored(line: Line) -> None:
    leave = line.queue.leave

    def submit_and_leave() -> None:
        assert line.submit() is Submitted.QUEUED
        leave()

    line.queue.leave = submit_and_leave  # type: ignore[method-assign]
    assert line.linger().result.stored == 2


def test_ends_in_time_for_one_more_look(line: Line) -> None:
    """Entries come until half a tick before time is up, and the last ones are stored all the same. Only chunks take
    time, an eighth of a tick each."""
    left = 3 * TICK_SECONDS
    reserve = line.settings.process_chunk_timeout_seconds + app.GRACE_SECONDS
    good = line.runner.action

    def run(task: ChunkTask) -> ChunkResult:
        nonlocal left
        left -= TICK_SECONDS / 8
        if left > TICK_SECONDS / 2:
            line.submit()
        return good(task)

    line.runner.action = run
    line.submit()
    report = line.linger(lambda: reserve + left)
    assert report.result.stored == 2 * len(line.runner.tasks) > 0
    assert report.backlog_entries == 0


def test_it_goes_on_looking_while_its_successor_starts(line: Line) -> None:
    """When time is up while entries come, ingest may wake the next drain before this one ends."""
    reserve = line.settings.process_chunk_timeout_seconds + app.GRACE_SECONDS
    end = time.monotonic() + 5 * TICK_SECONDS
    left_at: list[float] = []
    good = line.runner.action

    def run(task: ChunkTask) -> ChunkResult:
        if not left_at:
            line.submit()
        return good(task)

    def leave_and_submit() -> None:
        left_at.append(time.monotonic())
        line.queue.attended_until = line.queue.clock()
        line.queue.clock.advance(TICK_SECONDS)
        threading.Timer(TICK_SECONDS / 4, lambda: answers.append(line.submit())).start()

    answers: list[Submitted] = []
    line.runner.action, line.queue.leave = run, leave_and_submit  # type: ignore[method-assign]
    line.submit()
    report = line.linger(lambda: reserve + end - time.monotonic())
    assert answers == [Submitted.UNATTENDED]
    assert report.result.stored == 2 * len(line.runner.tasks)
    assert report.backlog_entries == 0


def test_what_failed_is_tried_again_once_in_a_tick(line: Line) -> None:
    line.submit()
    good, tried = line.runner.action, []

    def fail_twice(task: ChunkTask) -> ChunkResult:
        tried.append(time.monotonic())
        if len(tried) < 3:
            raise ChunkFailed("database_unavailable", "down")
        return good(task)

    line.runner.action = fail_twice
    report = line.linger()
    assert (report.chunks_failed, report.result.stored) == (2, 2)
    assert min(later - earlier for earlier, later in pairwise(tried)) > TICK_SECONDS / 2


def test_a_slow_chunk_does_not_end_the_mark(line: Line) -> None:
    line.submit()
    good, marked = line.runner.action, []

    def run_long(task: ChunkTask) -> ChunkResult:
        for _ in range(4):
            time.sleep(TICK_SECONDS / 2)
            line.queue.clock.advance(TICK_SECONDS / 2)
            marked.append(line.queue.attended_until > line.queue.clock())
        return good(task)

    line.runner.action = run_long
    line.linger()
    assert all(marked)
