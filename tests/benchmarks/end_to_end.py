"""From the clients' first byte to the last row, through HTTP: Sluice's API beside the baseline's."""

import time
from collections.abc import Callable

from benchmarks.bench import CHUNKS_AT_ONCE, Bench
from benchmarks.clients import CLIENTS, Request, flood, repeating, wait_until_stored
from benchmarks.figures import Measured
from benchmarks.rounds import interleave, ratio

WARM_UP_SECONDS = 1  # for imports, connections and caches
SECONDS, ROUNDS = 4, 5
# The baseline's worker starts every second: one that ended just after a start would wait most of a second for nothing.
QUICK_SECONDS, QUICK_ROUNDS = 0.9, 3


def measure(bench: Bench) -> dict[str, Measured]:
    """Logs per second, accepted and stored, over the time from the first request until the last log is stored; without
    templates, whose cost has a figure of its own."""
    seconds = QUICK_SECONDS if bench.is_quick else SECONDS
    contenders = {"copy": bench.copy.rate, "product": lambda _: product_rate(bench, seconds)}
    if bench.wants("end_to_end_vs_baseline"):
        contenders["baseline"] = lambda _: baseline_rate(bench, seconds)
        baseline_rate(bench, WARM_UP_SECONDS)
    rates = interleave(QUICK_ROUNDS if bench.is_quick else ROUNDS, contenders)
    measured = {"end_to_end_vs_copy": ratio(rates, "product", "copy")}
    if not bench.is_quick:
        bench.deployment.set_templates("on")
        bench.deployment.warm_up(bench.batches, CHUNKS_AT_ONCE)
        bench.note(f"end to end with templates: {product_rate(bench, seconds):,.0f}/s")
    bench.note(f"end_to_end_vs_copy, round by round: {', '.join(f'{rate:,.0f}/s' for rate in rates['product'])}")
    if "baseline" in rates:
        measured["end_to_end_vs_baseline"] = ratio(rates, "product", "baseline")
    return measured


def product_rate(bench: Bench, seconds: float) -> float:
    """Through the API URL, gzip batches of a thousand, each client with an application of its own."""
    deployment = bench.deployment
    deployment.empty()
    with deployment.draining():
        return _rate(deployment.requests(bench.batches), seconds, deployment.stored)


def baseline_rate(bench: Bench, seconds: float) -> float:
    """Through gunicorn, one log a request, stored by the worker."""
    url = bench.server
    bench.baseline.ask("empty")
    headers = {"Content-Type": "application/json", "X-API-Key": bench.baseline_environ["BASELINE_KEY"]}
    requests = [Request(f"{url}/logs", headers, bench.singles, 1) for _ in range(CLIENTS)]
    # Every second, as Celery's beat would; the worker goes on by itself while much is left.
    with repeating(lambda: bench.baseline.ask("start_draining"), 1):
        return _rate(requests, seconds, lambda: int(bench.baseline.ask("count")))


def _rate(requests: list[Request], seconds: float, stored: Callable[[], int]) -> float:
    started = time.perf_counter()
    accepted = flood(requests, seconds)
    wait_until_stored(accepted, stored)
    return accepted / (time.perf_counter() - started)
