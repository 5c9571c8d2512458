"""Clients that keep sending, and the schedule that keeps draining, each in a thread of its own."""

import json
import random
import secrets
import string
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from faults.harness.lambdas import FunctionDied, FunctionFailed
from faults.harness.platform import TICK_SECONDS, Application, Platform, Response

RETRY_SECONDS = 0.1


def log_body(count: int, text: str = "checkout finished") -> bytes:
    """A request of ``count`` logs, unlike any other but to the miner, who sees one template for each ``text``."""
    nonce = secrets.token_hex(4)
    logs = [
        {"level": "INFO", "message": f"{text} {nonce} {n}", "version": f"1.{n % 2}", "metadata": {"n": n}}
        for n in range(count)
    ]
    return json.dumps({"logs": logs}).encode()


def new_text() -> str:
    """A text that no miner knows: none of its words is taken for a value."""
    return "checkout " + "".join(random.choices(string.ascii_lowercase, k=10))


def deliver(
    platform: Platform,
    application: Application,
    count: int,
    *,
    text: str = "checkout finished",
    patience_seconds: float = 60,
) -> Response:
    """Sends one batch as a careful client does: repeats it, with its Idempotency-Key, until it is told 202."""
    body, token = log_body(count, text), secrets.token_hex(8)
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            response = platform.post(application.key, body, token)
        except FunctionDied:
            response = Response(502, {}, {})
        if response.status == 202:
            return response
        assert response.status in (429, 502, 503), response
        assert response.status == 502 or int(response.headers["Retry-After"]) > 0, response
        assert time.monotonic() < deadline, f"no 202 within {patience_seconds} s: {response}"
        time.sleep(RETRY_SECONDS)


class Background(threading.Thread):
    """Repeats an action at a beat (seconds from start to start) while the block runs; its failure fails the block."""

    def __init__(self, action: Callable[[], object], beat_seconds: float) -> None:
        super().__init__(daemon=True)
        self._action, self._beat_seconds = action, beat_seconds
        self._stop_repeating = threading.Event()
        self._failure: BaseException | None = None
        self.count = 0

    def run(self) -> None:
        due = time.monotonic()
        while not self._stop_repeating.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._beat_seconds, time.monotonic())
            try:
                self._action()
                self.count += 1
            except BaseException as failure:  # noqa: BLE001  # raised again in the test's own thread
                self._failure = failure
                return

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_repeating.set()
        self.join()
        if error is None and self._failure is not None:
            raise self._failure


@dataclass
class Sender:
    """Delivers batches and remembers when each was acknowledged (monotonic seconds)."""

    platform: Platform
    application: Application
    batch_size: int = 20
    acknowledged_at: dict[str, float] = field(default_factory=dict)

    def __call__(self) -> None:
        response = deliver(self.platform, self.application, self.batch_size)
        self.acknowledged_at[response.body["batch_id"]] = time.monotonic()

    def wait_for(self, count: int, patience_seconds: float = 30) -> float:
        """Returns when so many more batches have been acknowledged; the seconds until the first of them."""
        started, before = time.monotonic(), len(self.acknowledged_at)
        while len(self.acknowledged_at) < before + count:
            assert time.monotonic() - started < patience_seconds, f"no 202 within {patience_seconds} s"
            time.sleep(0.01)
        return list(self.acknowledged_at.values())[before] - started


def sending(sender: Sender, *, requests_per_second: float = 40) -> Background:
    """Load."""
    return Background(sender, 1 / requests_per_second)


def ticking(platform: Platform, *, tick_seconds: float = TICK_SECONDS) -> Background:
    """The schedule. A drain that fails is what the next one is for."""

    def tick() -> None:
        try:
            platform.drain()
        except (FunctionDied, FunctionFailed):
            return

    return Background(tick, tick_seconds)
