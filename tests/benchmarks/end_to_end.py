"""From the clients' first byte to the last row, through HTTP: Sluice's API beside the baseline's."""

import time
from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.clients import CLIENTS, Request, flood, repeating
from benchmarks.figures import BenchError, Measured
from benchmarks.logs import BATCH
from benchmarks.rounds import interleave, ratio

WARM_UP_SECONDS = 1  # for imports, connections and caches
PATIENCE_SECONDS, POLL_SECONDS = 60, 0.05


def measure(bench: Bench) -> dict[str, Measured]:
    """Logs per second, accepted and stored, over the time from the first request until the last log is stored; without
    templates, whose cost has a figure of its own."""
    bench.deployment.set_templates("off")
    seconds = 1.5 if bench.is_quick else 4
    contenders = {"copy": bench.copy.rate, "product": lambda _: product_rate(bench, seconds)}
    product_rate(bench, WARM_UP_SECONDS)
    if bench.wants("end_to_end_vs_baseline"):
        contenders["baseline"] = lambda _: baseline_rate(bench, seconds)
        baseline_rate(bench, WARM_UP_SECONDS)
    rates = interleave(2 if bench.is_quick else 3, contenders)
    measured = {"end_to_end_vs_copy": ratio(rates, "product", "copy")}
    bench.deployment.set_templates("on")
    if not bench.is_quick:
        product_rate(bench, WARM_UP_SECONDS)
        bench.note(f"end to end with templates: {product_rate(bench, seconds):,.0f}/s")
    bench.note(f"end_to_end_vs_copy, round by round: {', '.join(f'{rate:,.0f}/s' for rate in rates['product'])}")
    if "baseline" in rates:
        measured["end_to_end_vs_baseline"] = ratio(rates, "product", "baseline")
    return measured


def product_rate(bench: Bench, seconds: float) -> float:
    """Through the API URL, gzip batches of a thousand, each client with an application of its own."""
    deployment = bench.deployment
    deployment.empty()
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    requests = [
        Request(f"{deployment.url}/api/ingest", headers | {"X-API-Key": key}, bench.batches, BATCH)
        for key in deployment.keys
    ]
    # All the time: the schedule's ten seconds say nothing about the rate.
    with repeating(lambda: deployment.invoke("drain", {}), 0.05):
        return _rate(requests, seconds, deployment.stored)


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
    while stored() < accepted:
        if time.perf_counter() - started > seconds + PATIENCE_SECONDS:
            raise BenchError(f"{stored()} of {accepted} accepted logs are stored")
        time.sleep(POLL_SECONDS)
    elapsed = time.perf_counter() - started
    if stored() != accepted:
        raise BenchError(f"{accepted} logs were accepted, {stored()} are stored")
    return accepted / elapsed
