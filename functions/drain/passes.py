"""One pass over the queue: claims entries, has them stored chunk by chunk, and gives back what failed."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import batched, islice
from threading import Lock

from sluice.chunks.fair import FairLine
from sluice.chunks.model import Chunk, ChunkResult
from sluice.chunks.ports import ChunkRunner
from sluice.chunks.split import is_condemnable, split_chunks
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
    is_down: bool = False  # all that ran last failed for want of something that every chunk needs
    lines: dict[int, FairLine] = field(default_factory=lambda: defaultdict(FairLine))  # by shard

    def run_rounds(self, linger_seconds: float) -> None:
        """Round after round, until nothing is left and the time to linger is over."""
        end, pause = time.monotonic() + linger_seconds, SHORTEST_PAUSE_SECONDS
        while self.has_time():
            before = self.report.chunks
            self._run(self._fresh_chunks())
            has_run = self.report.chunks > before
            if self.is_down:
                break
            left = end - time.monotonic()
            if left > 0:
                pause = SHORTEST_PAUSE_SECONDS if has_run else min(2 * pause, LONGEST_PAUSE_SECONDS)
                time.sleep(min(pause, left))
            elif linger_seconds or not has_run:
                break

    def _fresh_chunks(self) -> Iterator[Chunk]:
        """Of entries that did not die before, a chunk of each shard in turn, while there is time. Whose last one was
        taken is asked again in the next round, so that entries gather to chunks worth a run."""
        settings, shards = self.drain.settings, self.shards
        while shards and self.has_time():
            for shard in shards:
                self._fill_line(shard)
                if __debug__:
                    crash_point("drain.after_claim")
                if entries := self.lines[shard].take(settings.chunk_max_records, settings.chunk_max_bytes):
                    yield Chunk(shard, tuple(entries))
            shards = [shard for shard in shards if self.lines[shard].record_count]

    def _fill_line(self, shard: int) -> None:
        """Claims until enough is waiting, or nothing is left; entries that died before become suspects."""
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
        self.suspects += split_chunks(
            shard, suspects, max_records=settings.chunk_max_records, max_bytes=settings.chunk_max_bytes
        )

    def run_suspects(self) -> None:
        """What died before. An entry that dies alone once too often although others could be stored in this pass is to
        blame itself and is dead-lettered; without that proof it may be an outage."""
        while self.suspects and self.has_time():
            width = self.drain.settings.chunk_concurrency
            wave, self.suspects = self.suspects[:width], self.suspects[width:]
            self._run(iter(wave))
        condemned = [chunk for chunk in self.died if is_condemnable(chunk)] if self.has_stored else []
        self.died = [chunk for chunk in self.died if chunk not in condemned]
        waiting = iter(condemned)
        self._run(waiting, is_condemned=True)
        self.died += waiting

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

    def _run(self, chunks: Iterator[Chunk], *, is_condemned: bool = False) -> None:
        """Runs chunks as they come, as many at once as may be, unless what all need is down: then the rest of
        ``chunks`` is left alone."""
        running: dict[Future[SluiceError | None], Chunk] = {}
        try:
            with ThreadPoolExecutor(self.drain.settings.chunk_concurrency) as pool:
                self._keep_running(
                    running, lambda chunk: pool.submit(self._run_chunk, chunk, is_condemned=is_condemned), chunks
                )
        finally:
            for future, chunk in running.items():  # the queue went down while they ran
                self._note(chunk, future.result())
        if __debug__:
            crash_point("drain.after_invoke")

    def _keep_running(
        self,
        running: dict[Future[SluiceError | None], Chunk],
        start: Callable[[Chunk], Future[SluiceError | None]],
        chunks: Iterator[Chunk],
    ) -> None:
        """After a chunk that failed for want of something that every chunk needs, none starts until another one shows
        that it is there; if all in flight fail so, it is down."""
        width, started, outages = self.drain.settings.chunk_concurrency, 0, 0
        self.is_down = False
        while True:
            if not self.is_down and not (outages and running):
                for chunk in islice(chunks, width - len(running)):
                    running[start(chunk)] = chunk
                    started += 1
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                error = future.result()
                self._note(running.pop(future), error)
                outages = outages + 1 if error is not None and error.code in OUTAGES else 0
            self.is_down = outages >= min(width, started)

    def _note(self, chunk: Chunk, error: SluiceError | None) -> None:
        """Counts a chunk that has run, and keeps one that failed for its release."""
        if isinstance(error, ChunkFailed):
            (self.died if isinstance(error, ChunkCrashed) else self.failed).append(chunk)
        self.report.chunks += 1
        self.report.chunks_failed += error is not None

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
