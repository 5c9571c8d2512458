"""Storing what is queued: drain with process_chunk, raw COPY, and the baseline's worker."""

import itertools
import time

from benchmarks.bench import BASELINE_REDIS, Bench
from benchmarks.figures import BenchError, Measured
from benchmarks.installation import Installation
from benchmarks.logs import BATCH
from benchmarks.rounds import interleave, ratio

BATCHES, MINED_BATCHES, BASELINE_LOGS, QUICK_BASELINE_LOGS = 100, 50, 8_000, 5_000
ROUNDS, QUICK_ROUNDS = 9, 5
MINING_ROUNDS, QUICK_MINING_ROUNDS = 5, 3
FAIR_SHARE_OF_COPY = 0.035  # a baseline that stores less is not the classic architecture at its best
WARM_BATCHES, QUICK_WARM_BATCHES = 200, 50  # 25,000 and 6,250 logs for each application
NEWS = "SELECT count(*) + count(mined_into) FROM templates"  # what the miner has made, and what it has merged
PATIENCE_SECONDS, POLL_SECONDS = 60, 0.02
BASELINE_STREAM = "baseline:logs"


def measure(bench: Bench) -> dict[str, Measured]:
    """Rows per second from a full queue until everything is stored and acknowledged; with templates apart from the
    others, since it takes longest and swings least."""
    measured = _stored(bench) if bench.wants("store_vs_copy", "store_vs_baseline") else {}
    if bench.wants("mining_cost"):
        measured["mining_cost"] = _mined(bench)
    return measured


def _stored(bench: Bench) -> dict[str, Measured]:
    contenders = {
        "copy": bench.copy.rate,
        "product": lambda _: product_rate(bench.plain, environments=True),
    }
    if not bench.is_quick:
        contenders["one"] = lambda _: product_rate(bench.plain, environments=False)
    if bench.wants("store_vs_baseline"):
        _ = bench.worker
        count = QUICK_BASELINE_LOGS if bench.is_quick else BASELINE_LOGS
        contenders["baseline"] = lambda _: baseline_rate(bench, count)
    interleave(1, contenders)  # imports, connections and caches
    rates = interleave(QUICK_ROUNDS if bench.is_quick else ROUNDS, contenders)
    measured = {"store_vs_copy": ratio(rates, "product", "copy")}
    if "one" in rates:
        bench.note(f"store_vs_copy with one chunk at a time: {ratio(rates, 'one', 'copy')}")
    if "baseline" in rates:
        measured["store_vs_baseline"] = ratio(rates, "product", "baseline")
        require_fair(ratio(rates, "baseline", "copy"))
        bench.note(f"baseline, of raw COPY: {ratio(rates, 'baseline', 'copy')}")
    return measured


def _mined(bench: Bench) -> Measured:
    mining = Mining(bench)
    product_rate(bench.plain, environments=True)  # as above
    contenders = {
        "product": lambda _: product_rate(bench.plain, environments=True),
        "mining": lambda _: mining.rate(),
    }
    rates = interleave(QUICK_MINING_ROUNDS if bench.is_quick else MINING_ROUNDS, contenders)
    bench.note(mining.report())
    return ratio(rates, "mining", "product")


def product_rate(product: Installation, *, environments: bool) -> float:
    """Of one drain on a queue of BATCHES entries of a thousand."""
    product.empty()
    product.queue(BATCHES)
    product.settle()
    return BATCHES * BATCH / product.store(BATCHES * BATCH, environments=environments)


class Mining:
    """Storing with templates, logs that are new each time, by a miner that has seen as many of their kind."""

    def __init__(self, bench: Bench) -> None:
        self._product, self._seeds = bench.small, itertools.count(BATCH, BATCH)
        self._lines = 0
        self._first = self._store()
        for _ in range((QUICK_WARM_BATCHES if bench.is_quick else WARM_BATCHES) // MINED_BATCHES - 1):
            self._store()
        self._known, self._lines = self._made(), 0

    def rate(self) -> float:
        """Rows per second, see ``product_rate``."""
        return self._store()

    def report(self) -> str:
        """For people."""
        misses = (self._made() - self._known) / self._lines
        return f"mining: {self._first:,.0f}/s while it learns; later {misses:.2%} of new logs make or merge a template"

    def _store(self) -> float:
        self._product.empty()
        self._product.queue_new(MINED_BATCHES, next(self._seeds))
        self._product.settle()
        self._lines += MINED_BATCHES * BATCH
        return MINED_BATCHES * BATCH / self._product.store(MINED_BATCHES * BATCH)

    def _made(self) -> int:
        return int(self._product.value(NEWS))


def baseline_rate(bench: Bench, count: int) -> float:
    """Of the worker, flat out: from its first task until all rows are there and the stream is empty."""
    bench.baseline.ask("fill", count=count, seed=0)
    bench.plain.settle()
    started = time.perf_counter()
    bench.baseline.ask("start_draining")
    stream = bench.redis(BASELINE_REDIS)
    while stream.xlen(BASELINE_STREAM):
        if time.perf_counter() > started + PATIENCE_SECONDS:
            raise BenchError("the baseline's worker does not empty its queue")
        time.sleep(POLL_SECONDS)
    seconds = time.perf_counter() - started
    stored = bench.baseline.ask("empty")
    if stored != count:
        raise BenchError(f"the baseline stored {stored} of {count} logs")
    return count / seconds


def require_fair(share: Measured) -> None:
    """Raises BenchError if the baseline was so slow that being faster says nothing."""
    if share.value < FAIR_SHARE_OF_COPY:
        raise BenchError(f"the baseline stored {share}, less than {FAIR_SHARE_OF_COPY} of raw COPY: the run is invalid")
