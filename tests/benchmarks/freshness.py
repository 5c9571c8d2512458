"""How long it takes until a log that was accepted can be read."""

import json
import queue
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPConnection
from itertools import count
from urllib.parse import urlsplit

from benchmarks.bench import Bench
from benchmarks.deployment import Deployment
from benchmarks.figures import BenchError, Measured
from benchmarks.logs import batch, make_logs

REQUESTS_PER_SECOND, LOGS = 20, 50
WARM_UP_SECONDS = 1
TICK_SECONDS = 10  # as in template.yaml
LEAD_SECONDS = 0.3  # after the first tick, and before the last: what comes after that would wait for nobody
OBSERVED = 4  # every fourth request
POLL_SECONDS, PATIENCE_SECONDS = 0.03, 60


def measure(bench: Bench) -> dict[str, Measured]:
    """First as a ticking drain stores, then as ingest wakes the drain."""
    measured = {}
    bench.deployment.set_templates("on")
    bench.deployment.warm_up(bench.batches[:1], 2)  # of 10,000 logs, which come between two ticks; few to learn
    if bench.wants("freshness_p95_seconds_tick"):
        measured["freshness_p95_seconds_tick"] = _ticking(bench.deployment, 1 if bench.is_quick else 3)
    if bench.wants("freshness_p95_seconds_wake"):
        bench.deployment.have_ingest_wake()
        _delays(bench.deployment, WARM_UP_SECONDS)
        measured["freshness_p95_seconds_wake"] = _delays(bench.deployment, 3 if bench.is_quick else 8)
    return measured


def _ticking(deployment: Deployment, ticks: int) -> Measured:
    """Over whole ticks, so that the delays are those of all moments between two of them."""
    deployment.invoke("drain", {})
    with ThreadPoolExecutor(1) as pool:
        draining = pool.submit(deployment.invoke, "drain", {"ticks": 1 + ticks, "tick_seconds": TICK_SECONDS})
        time.sleep(LEAD_SECONDS)
        delays = _delays(deployment, ticks * TICK_SECONDS - 2 * LEAD_SECONDS)
        draining.result()
    return delays


def _delays(deployment: Deployment, seconds: float) -> Measured:
    accepted: queue.SimpleQueue[tuple[str, float] | None] = queue.SimpleQueue()
    with ThreadPoolExecutor(2) as pool:
        observed = pool.submit(_observe, deployment, accepted)
        try:
            pool.submit(send, deployment, accepted, seconds).result()
        finally:
            accepted.put(None)
        delays = sorted(observed.result())
    middle, late = delays[len(delays) // 2], delays[int(len(delays) * 0.95)]
    return Measured(late, f"median {middle:.2f} s, {len(delays)} requests")


def _connect(url: str) -> HTTPConnection:
    address = urlsplit(url)
    return HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE_SECONDS)


def send(deployment: Deployment, accepted: "queue.SimpleQueue[tuple[str, float] | None]", seconds: float) -> None:
    """Sends at a fixed beat; every fourth request, and when it was accepted, goes to the observer."""
    connection, path = _connect(deployment.url), urlsplit(deployment.url).path + "/api/ingest"
    headers = {"X-API-Key": deployment.keys[0], "Content-Type": "application/json"}
    block = batch(make_logs(LOGS), datetime.now(UTC))
    for number in _beat(seconds):
        connection.request("POST", path, block.vary(number), headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 202:
            raise BenchError(f"ingest answers {response.status}: {answer[:200]!r}")
        if number % OBSERVED == 0:
            accepted.put((json.loads(answer)["batch_id"], time.monotonic()))


def _beat(seconds: float) -> Iterator[int]:
    """Numbers, REQUESTS_PER_SECOND a second."""
    started = time.monotonic()
    for number in count():
        due = started + number / REQUESTS_PER_SECOND
        if due > started + seconds:
            return
        time.sleep(max(0, due - time.monotonic()))
        yield number


def _observe(deployment: Deployment, accepted: "queue.SimpleQueue[tuple[str, float] | None]") -> Sequence[float]:
    """Asks for each request in turn until its logs are there; the seconds since it was accepted."""
    connection, path = _connect(deployment.url), urlsplit(deployment.url).path
    delays = []
    while observed := accepted.get():
        batch_id, accepted_at = observed
        while not _is_visible(connection, f"{path}/api/logs?batch_id={batch_id}&limit=1", deployment.keys[0]):
            if time.monotonic() > accepted_at + PATIENCE_SECONDS:
                raise BenchError(f"batch {batch_id} is not visible after {PATIENCE_SECONDS} s")
            time.sleep(POLL_SECONDS)
        delays.append(time.monotonic() - accepted_at)
    return delays


def _is_visible(connection: HTTPConnection, path: str, key: str) -> bool:
    connection.request("GET", path, headers={"X-API-Key": key})
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise BenchError(f"query answers {response.status}: {answer[:200]!r}")
    return bool(json.loads(answer)["logs"])
