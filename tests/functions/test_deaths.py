"""What a drain holds against an entry: deaths of the runs that worked on it, and nothing else."""

from collections.abc import Callable
from itertools import repeat
from typing import Any

from apps import load_app
from fakes import MemoryChunkStore, MemoryQueue, ScriptedRunner
from samples import record, submission
from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.chunks.split import CONDEMNED_FROM
from sluice.errors import ChunkCrashed, ChunkFailed
from sluice.runtime.settings import DrainSettings

app = load_app("drain")
process_chunk = load_app("process_chunk")


class Line:
    """One entry in trouble, and in each pass a new one that nothing happens to."""

    def __init__(self) -> None:
        self.queue, self.store = MemoryQueue(), MemoryChunkStore()
        self.good = process_chunk.ProcessChunk(self.queue, self.store).run
        self.queue.submit(submission([record(0)]))
        ((self.troubled,),) = [tuple(self.queue._shard(0))]

    def drain(self, trouble: Callable[[], Exception]) -> Any:
        """A pass in which every run with the troubled entry fails, while all others go well."""

        def run(task: ChunkTask) -> ChunkResult:
            if self.troubled in task.entry_ids and not task.is_condemned:
                raise trouble()
            result: ChunkResult = self.good(task)
            return result

        self.queue.submit(submission([record(0)]))
        report = app.Report()
        settings = DrainSettings("redis://r", 1, "process-chunk", 1, 10**6, 2, 30)
        app.Drain(self.queue, ScriptedRunner(run), settings).drain(report, lambda: True)
        return report


def fail() -> Exception:
    return ChunkFailed("database_unavailable", "too many connections")


def die() -> Exception:
    return ChunkCrashed("chunk_crashed", "out of memory")


def test_deaths_condemn_in_the_end() -> None:
    line = Line()
    results = [line.drain(die).result.dead_lettered for _ in range(CONDEMNED_FROM)]
    assert results == [*repeat(0, CONDEMNED_FROM - 1), 1]


def test_failures_of_any_number_do_not() -> None:
    line = Line()
    assert sum(line.drain(fail).result.dead_lettered for _ in range(3 * CONDEMNED_FROM)) == 0
    assert line.queue.count_entries(0) == 1


def test_one_death_after_a_long_outage_is_the_first() -> None:
    line = Line()
    for _ in range(3 * CONDEMNED_FROM):
        line.drain(fail)
    assert sum(line.drain(die).result.dead_lettered for _ in range(CONDEMNED_FROM - 1)) == 0
    assert line.drain(die).result.dead_lettered == 1


def test_what_a_dead_drain_never_ran_is_not_suspected() -> None:
    """However many drains died with it, it runs in full chunks."""
    queue, store, sizes = MemoryQueue(), MemoryChunkStore(), []
    good = process_chunk.ProcessChunk(queue, store).run

    def run(task: ChunkTask) -> ChunkResult:
        sizes.append(len(task.entry_ids))
        result: ChunkResult = good(task)
        return result

    for _ in range(20):
        queue.submit(submission([record(0)]))
    settings = DrainSettings("redis://r", 1, "process-chunk", 10, 10**6, 2, 30)
    drain = app.Drain(queue, ScriptedRunner(run), settings)
    for _ in range(2 * CONDEMNED_FROM):
        assert len(drain.claim(0).entries) >= 10
        queue.clock.advance(91)
    drain.drain(app.Report(), lambda: True)
    assert sizes == [10, 10]
    assert len(store.rows) == 20
