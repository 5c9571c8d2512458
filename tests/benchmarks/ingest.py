"""Taking logs in: the ingest handler beside the baseline's view, each in a process of its own."""

from benchmarks.bench import RAW_REDIS, Bench
from benchmarks.figures import Measured
from benchmarks.limits import raw_xadd_rate
from benchmarks.logs import BATCH
from benchmarks.rounds import interleave, ratio

SINGLES, BATCHES, VIEWS = 1_500, 60, 800


def measure(bench: Bench) -> dict[str, Measured]:
    """Logs per second of both, and of raw XADD for comparison."""

    def singles(number: int) -> float:
        bench.product.empty()
        return SINGLES / float(bench.product.ask("ingest_single", count=SINGLES, seed=number))

    def batches(number: int) -> float:
        bench.product.empty()
        return BATCHES * BATCH / float(bench.product.ask("ingest_batches", count=BATCHES, seed=number))

    def view(number: int) -> float:
        return VIEWS / float(bench.baseline.ask("view", count=VIEWS, seed=number))

    contenders = {"view": view}
    if bench.wants("ingest_single_vs_baseline"):
        contenders["singles"] = singles
    if bench.wants("ingest_batch_vs_baseline"):
        contenders["batches"] = batches
    interleave(1, contenders)  # imports, connections and caches
    rates = interleave(bench.rounds, contenders)
    bench.product.empty()
    xadd = raw_xadd_rate(bench.redis(RAW_REDIS), 1)
    bench.note(f"raw pipelined XADD of single logs: {xadd:,.0f}/s")
    measured = {}
    if "singles" in rates:
        measured["ingest_single_vs_baseline"] = ratio(rates, "singles", "view")
    if "batches" in rates:
        measured["ingest_batch_vs_baseline"] = ratio(rates, "batches", "view")
    return measured
