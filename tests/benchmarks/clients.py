"""Eight clients that send finished bodies over connections that stay open, as fast as they are answered."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, cycle, islice, repeat
from urllib.parse import urlsplit

from benchmarks.figures import BenchError

CLIENTS = 8
PATIENCE_SECONDS = 30
PAUSE_SECONDS = 0.1  # after a refusal that passes
STORING_SECONDS, POLL_SECONDS = 60, 0.05


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sends again and again: any of the bodies, which hold ``logs`` logs each."""

    url: str
    headers: dict[str, str]
    bodies: Sequence[bytes]
    logs: int


def flood(requests: Sequence[Request], seconds: float) -> int:
    """Sends for so long, a client for each of ``requests``; returns how many logs were accepted.

    Raises BenchError for an answer that is neither 202 nor 429 nor 503: those two mean that the queue is full.
    """
    stop = threading.Event()
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    try:
        with ThreadPoolExecutor(len(requests)) as pool:
            return sum(pool.map(_send, count(), requests, repeat(stop)))
    finally:
        timer.cancel()
        stop.set()


def _send(number: int, request: Request, stop: threading.Event) -> int:
    address = urlsplit(request.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE_SECONDS)
    accepted = 0
    for body in islice(cycle(request.bodies), number, None):
        if stop.is_set():
            break
        connection.request("POST", address.path, body, request.headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status == 202:
            accepted += request.logs
        elif response.status in (429, 503):
            time.sleep(PAUSE_SECONDS)
        else:
            raise BenchError(f"{request.url} answers {response.status}: {answer[:200]!r}")
    connection.close()
    return accepted


@contextmanager
def repeating(action: Callable[[], object], pause_seconds: float) -> Iterator[None]:
    """Runs ``action`` again and again beside the block, with a pause after each; its failure becomes the block's."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(pause_seconds):
            action()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run)
        try:
            yield
        finally:
            stop.set()
        future.result()


def wait_until_stored(accepted: int, stored: Callable[[], int]) -> None:
    """Returns when as many logs are stored. Raises BenchError if that takes too long, or if there are more."""
    deadline = time.monotonic() + STORING_SECONDS
    while (count := stored()) < accepted:
        if time.monotonic() > deadline:
            raise BenchError(f"{count} of {accepted} accepted logs are stored")
        time.sleep(POLL_SECONDS)
    if count != accepted:
        raise BenchError(f"{accepted} logs were accepted, {count} are stored")
