"""One pass over the queue: claims entries, has them stored chunk by chunk, and gives back what failed."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import batched
from threading import Lock

from sluice.chunks.fair import FairLine
from sluice.chunks.model import Chunk, ChunkResult
from sluice.chunks.ports import ChunkRunner
from sluice.chunks.split import is_condemnable, is_suspect, split_chunks
from sluice.errors import ChunkCrashed, ChunkFailed, ContractError, SluiceError, Unavailable
from sluice.runtime.crash_points import crash_point
from sluice.runtime.observability import Logger
from sluice.runtime.settings import DrainSettings
from sluice.streams.model import Claim, ClaimedEntry
from sluice.streams.ports import DrainQueue

logger = Logger()

OUTAGES = frozenset(
    ("chunk_crashed", "database_unavailable", "invoke_refused", "invoke_unanswered", "queue_unavailable")
)
# How many claims a pass looks ahead for applications with little behind those with much. Not more than it takes: what a
# drain holds waits for three time-outs if it dies.
LOOKAHEAD_CLAIMS = 10
RELEASED_AT_ONCE = 1_000
BATCHES_A_LINE = 1_000
# Between two looks at a queue that was found empty: short after some work, so that entries gather to chunks worth a run
# and are seen soon, then longer and longer.
SHORTEST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 0.8
_COUNTING = Lock()


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
    drain_id: str = ""  # of this invocation, for the log

    def drain(self, report: Report, has_time: Callable[[], bool], *, linger_seconds: float = 0) -> None:
        """One pass: empties the queue, round by round over all shards, while ``has_time``; adds to ``report``.

        Once it is empty, goes on looking for more until ``linger_seconds`` from the start. Stops early when something
        that all need seems to be down; failures of a chunk's own do not count for that.
        """
        shards = self.queue.shards()
        current = _Pass(self, shards, report, has_time)
        try:
            current.run_rounds(linger_seconds)
            current.run_suspects()
        finally:
            # Only now: given back at once, a failing chunk would come back in the next round of this very pass.
            current.release()
        if __debug__:
            crash_point("drain.before_trim")
        for shard in shards:
            self.queue.trim(shard)
        report.backlog_entries = sum(map(self.queue.count_entries, shards))

    def claim(self, shard: int) -> Claim:
        """As much as fills the chunks in flight once."""
        settings = self.settings
        return self.queue.claim(
            shard,
            min_idle_seconds=3 * settings.process_chunk_timeout_seconds,
            max_records=settings.chunk_max_records * settings.chunk_concurrency,
            max_bytes=settings.chunk_max_bytes * settings.chunk_concurrency,
        )


@dataclass(slots=True)
class _Pass:
    """What is going on in one pass."""

    drain: Drain
    shards: list[int]
    report: Report
    has_time: Callable[[], bool]
    suspects: list[Chunk] = field(default_factory=list)  # their last run died: they wait for everybody else
    failed: list[Chunk] = field(default_factory=list)  # for a reason of their own: their deliveries are forgiven
    died: list[Chunk] = field(default_factory=list)
    has_stored: bool = False
    is_down: bool = False  # a whole round failed for want of something that every chunk needs
    lines: dict[int, FairLine] = field(default_factory=lambda: defaultdict(FairLine))  # by shard

    def run_rounds(self, linger_seconds: float) -> None:
        """Round after round, until nothing is left and the time to linger is over."""
        end, pause = time.monotonic() + linger_seconds, SHORTEST_PAUSE_SECONDS
        while self.has_time():
            has_run = self.run_round()
            if self.is_down:
                break
            if any(line.record_count for line in self.lines.values()):
                continue
            left = end - time.monotonic()
            if left > 0:
                pause = SHORTEST_PAUSE_SECONDS if has_run else min(2 * pause, LONGEST_PAUSE_SECONDS)
                time.sleep(min(pause, left))
            elif linger_seconds or not has_run:
                break

    def run_round(self) -> bool:
        """As many chunks of each shard as are in flight at once; False if there was none."""
        settings = self.drain.settings
        chunks: list[Chunk] = []
        for shard in self.shards:
            suspects = self._fill_line(shard)
            taken = self.lines[shard].take(
                settings.chunk_max_records * settings.chunk_concurrency,
                settings.chunk_max_bytes * settings.chunk_concurrency,
            )
            chunks += self._split(shard, suspects + taken)
        if __debug__:
            crash_point("drain.after_claim")
        self.suspects += filter(is_suspect, chunks)
        self._run([chunk for chunk in chunks if not is_suspect(chunk)])
        return bool(chunks)

    def _fill_line(self, shard: int) -> list[ClaimedEntry]:
        """Claims until enough is waiting, or nothing is left; returns the entries that died before."""
        settings, line = self.drain.settings, self.lines[shard]
        suspects: list[ClaimedEntry] = []
        for _ in range(LOOKAHEAD_CLAIMS):
            if line.record_count >= LOOKAHEAD_CLAIMS * settings.chunk_max_records * settings.chunk_concurrency:
                break
            claim = self.drain.claim(shard)
            self.report.claimed_entries += len(claim.entries)
            self.report.reclaimed_entries += claim.reclaimed_count
            self.report.vanished_entries += claim.vanished_count
            suspects += [entry for entry in claim.entries if entry.deliveries > 1]
            line.add(entry for entry in claim.entries if entry.deliveries <= 1)
            if not claim.entries:
                break
        return suspects

    def _split(self, shard: int, entries: Iterable[ClaimedEntry]) -> Iterator[Chunk]:
        settings = self.drain.settings
        return split_chunks(shard, entries, max_records=settings.chunk_max_records, max_bytes=settings.chunk_max_bytes)

    def run_suspects(self) -> None:
        """What died before. An entry that dies alone once too often although others could be stored in this pass is to
        blame itself and is dead-lettered; without that proof it may be an outage."""
        while self.suspects and self.has_time():
            width = self.drain.settings.chunk_concurrency
            wave, self.suspects = self.suspects[:width], self.suspects[width:]
            self._run(wave)
        condemned = [chunk for chunk in self.died if is_condemnable(chunk)] if self.has_stored else []
        self.died = [chunk for chunk in self.died if chunk not in condemned]
        self._run(condemned, is_condemned=True)

    def release(self) -> None:
        """Makes what was not settled claimable by the next pass."""
        if __debug__ and (self.failed or self.died):
            crash_point("drain.before_release")
        # Suspects without a turn stay suspects: forgiven, a killer would start anew with a full chunk each time.
        for chunks, is_forgiven in ((self.failed, True), (self.died + self.suspects, False)):
            for chunk in chunks:
                self.drain.queue.release(chunk.shard, chunk.entries, is_forgiven=is_forgiven)
        for shard, line in self.lines.items():  # claimed, and not run for want of time
            for page in batched(line.empty(), RELEASED_AT_ONCE, strict=False):
                self.drain.queue.release(shard, page, is_forgiven=True)

    def _run(self, chunks: list[Chunk], *, is_condemned: bool = False) -> None:
        """Runs all chunks, as many at once as may be."""
        with ThreadPoolExecutor(self.drain.settings.chunk_concurrency) as pool:
            errors = list(pool.map(lambda chunk: self._run_chunk(chunk, is_condemned=is_condemned), chunks))
        if __debug__:
            crash_point("drain.after_invoke")
        for chunk, error in zip(chunks, errors, strict=True):
            if isinstance(error, ChunkFailed):
                (self.died if isinstance(error, ChunkCrashed) else self.failed).append(chunk)
        self.report.chunks += len(chunks)
        self.report.chunks_failed += sum(error is not None for error in errors)
        self.is_down = bool(chunks) and all(error is not None and error.code in OUTAGES for error in errors)

    def _run_chunk(self, chunk: Chunk, *, is_condemned: bool) -> SluiceError | None:
        """Runs one chunk and counts what it did; logs and returns the error of one that failed."""
        drain = self.drain
        task = chunk.to_task(is_condemned=is_condemned, is_forced=drain.is_forced, drain_id=drain.drain_id)
        try:
            drain.queue.start(chunk.shard, chunk.entries)
            result = drain.runner.run(task)
        except (ChunkFailed, Unavailable, ContractError) as error:
            ids = {"application_ids": chunk.application_ids, "batch_ids": chunk.batch_ids[:BATCHES_A_LINE]}
            about = {"code": error.code, "detail": error.detail, "shard": chunk.shard}
            logger.error("chunk failed", extra=about | ids)
            return error
        with _COUNTING:
            self.report.result += result
            self.has_stored = self.has_stored or result != ChunkResult()
        return None
