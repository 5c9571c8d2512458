"""functions/drain with fakes: a large backlog of one application does not hold up another on the same shard."""

from itertools import count
from threading import Barrier, Lock

from apps import load_app
from fakes import MemoryChunkStore, MemoryQueue, ScriptedRunner
from samples import record, submission
from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.runtime.settings import DrainSettings

app = load_app("drain")
process_chunk = load_app("process_chunk")

NOISY, QUIET = 1, 2
CHUNK_RECORDS, CONCURRENCY = 10, 2
IN_FLIGHT = CHUNK_RECORDS * CONCURRENCY
BACKLOG = 8 * IN_FLIGHT  # records; the lookahead is 10


class Line:
    """A queue, a store and a drain; notes the applications of each chunk in the order in which they started. The first
    ones run in pairs: otherwise one thread might run many while another is about to begin."""

    def __init__(self) -> None:
        self.queue, self.store = MemoryQueue(), MemoryChunkStore()
        self.settings = DrainSettings("redis://r", 1, "process-chunk", CHUNK_RECORDS, 10**6, CONCURRENCY, 30)
        self.chunks: list[list[int]] = []
        self.process = process_chunk.ProcessChunk(self.queue, self.store)
        self.numbers, self.pair = count(), Barrier(CONCURRENCY)

    def run(self, task: ChunkTask) -> ChunkResult:
        if next(self.numbers) < 4 * CONCURRENCY:
            self.pair.wait(10)
        entries = self.queue.read(task.shard, task.entry_ids)
        self.chunks.append([getattr(entry, "application_id", 0) for entry in entries])
        result: ChunkResult = self.process.run(task)
        return result

    def drain(self, chunks: int = 10**6) -> object:
        """One pass, with time for so many chunks (and the question whether there is any)."""
        left = iter([100.0] * (1 + chunks))
        return app.run(app.Drain(self.queue, ScriptedRunner(self.run), self.settings), {}, lambda: next(left, 0.0))

    def fill(self, application_id: int, records: int) -> None:
        for _ in range(records // 2):
            self.queue.submit(submission([record(0), record(1)], application_id=application_id))

    def first_chunk_of(self, application_id: int) -> int:
        return next(number for number, chunk in enumerate(self.chunks) if application_id in chunk)


def test_who_comes_last_with_little_is_in_the_first_chunks_in_flight() -> None:
    line = Line()
    line.fill(NOISY, BACKLOG)
    line.fill(QUIET, 2)
    line.drain()
    assert line.first_chunk_of(QUIET) < CONCURRENCY
    assert len(line.store.rows) == BACKLOG + 2, "and the backlog is stored, too"


def test_the_chunks_in_flight_are_shared_while_both_have_a_backlog() -> None:
    line = Line()
    line.fill(NOISY, BACKLOG)
    line.fill(QUIET, IN_FLIGHT)
    line.drain()
    in_flight = [application for chunk in line.chunks[:CONCURRENCY] for application in chunk]
    assert in_flight.count(QUIET) == len(in_flight) / 2


def test_what_arrives_during_a_pass_does_not_wait_for_its_end() -> None:
    line = Line()
    line.fill(NOISY, BACKLOG)
    first = Lock()

    def run(task: ChunkTask) -> ChunkResult:
        if first.acquire(blocking=False):
            line.fill(QUIET, 2)
        return line.run(task)

    app.run(app.Drain(line.queue, ScriptedRunner(run), line.settings), {}, lambda: 100.0)
    assert line.first_chunk_of(QUIET) <= 2 * CONCURRENCY


def test_what_a_pass_had_no_time_for_is_nobodys_fault_and_next_at_once() -> None:
    line = Line()
    line.fill(NOISY, BACKLOG)
    line.drain(chunks=CONCURRENCY)
    stored = len(line.store.rows)
    assert 0 < stored < BACKLOG
    claim = line.queue.claim(0, min_idle_seconds=90, max_records=10**6, max_bytes=10**9)
    assert claim.reclaimed_count * 2 == BACKLOG - stored
    assert {entry.deliveries for entry in claim.entries} == {1}
    line.queue.release(0, claim.entries, is_forgiven=True)
    line.drain()
    assert len(line.store.rows) == BACKLOG
