"""Taking logs in: the ingest handler beside the baseline's view, each in a process of its own."""

from collections.abc import Callable

from benchmarks.bench import RAW_REDIS, Bench
from benchmarks.figures import Measured
from benchmarks.limits import raw_xadd_rate
from benchmarks.logs import BATCH
from benchmarks.rounds import interleave, ratio

ROUNDS, QUICK_ROUNDS = 11, 5
SINGLES, BATCHES, VIEWS = 1_500, 60, 800
QUICK_SINGLES, QUICK_BATCHES, QUICK_VIEWS = 800, 40, 400


def measure(bench: Bench) -> dict[str, Measured]:
    """Logs per second of both, and of raw XADD for comparison."""
    single_count, batch_count, view_count = (
        (QUICK_SINGLES, QUICK_BATCHES, QUICK_VIEWS) if bench.is_quick else (SINGLES, BATCHES, VIEWS)
    )

    def singles(number: int) -> float:
        bench.plain.empty_queue()
        return single_count / float(bench.plain.ask("ingest_single", count=single_count, seed=number))

    def batches(_: int) -> float:
        bench.plain.empty_queue()
        return batch_count * BATCH / float(bench.plain.ask("ingest_batches", count=batch_count, seed=0))

    def view(number: int) -> float:
        return view_count / float(bench.baseline.ask("view", count=view_count, seed=number))

    contenders: dict[str, Callable[[int], float]] = {"view": view}
    if bench.wants("ingest_single_vs_baseline"):
        contenders["singles"] = singles
    if bench.wants("ingest_batch_vs_baseline"):
        contenders["batches"] = batches
    interleave(1, contenders)  # imports, connections and caches
    rates = interleave(QUICK_ROUNDS if bench.is_quick else ROUNDS, contenders)
    bench.plain.empty_queue()
    xadd = raw_xadd_rate(bench.redis(RAW_REDIS), 1)
    bench.note(f"raw pipelined XADD of single logs: {xadd:,.0f}/s")
    measured = {}
    if "singles" in rates:
        measured["ingest_single_vs_baseline"] = ratio(rates, "singles", "view")
    if "batches" in rates:
        measured["ingest_batch_vs_baseline"] = ratio(rates, "batches", "view")
    return measured
