"""What a request takes: time of ingest, memory of the queue and bytes of the function's log, by logs in a request."""

from statistics import median

from benchmarks.bench import Bench
from benchmarks.figures import BATCHES, Measured

LOGS = 20_000  # of a round, but
MOST_REQUESTS, QUICK_MOST_REQUESTS = 500, 200


def measure(bench: Bench) -> dict[str, Measured]:
    """Warm, in a process of its own, one request after the other; bodies of one log as they are, all others in gzip."""
    installation = bench.small
    most = QUICK_MOST_REQUESTS if bench.is_quick else MOST_REQUESTS
    measured: dict[str, Measured] = {}
    for batch in BATCHES:
        count = min(LOGS // batch, most)
        milliseconds, queued = [], 0.0
        for _ in range(3):
            installation.empty_queue()
            milliseconds.append(1_000 * installation.ask("ingest", size=batch, count=count, seed=0) / count)
            queued = installation.queued_bytes() / (count * batch)
        measured[f"ingest_ms_{batch}"] = Measured(median(milliseconds))
        measured[f"queue_bytes_per_log_{batch}"] = Measured(queued)
    measured["log_bytes_per_request"] = Measured(installation.ask("log_bytes", size=BATCHES[-1]))
    installation.empty_queue()
    return measured
