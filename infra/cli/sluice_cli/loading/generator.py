"""Sends the requests of a schedule from a pool of threads, each with a connection of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread
from typing import Protocol

from sluice_cli.loading.schedule import Schedule
from sluice_cli.loading.tally import Reply, Tally

# What was due by the end is still sent for so long; the rest counts as not sent.
GRACE_SECONDS = 10.0
_LEAD_SECONDS = 0.05  # for the threads to start
_END_SECONDS = 2.0  # for requests in flight, once interrupted


class Poster(Protocol):
    """One connection."""

    def post(self, body: bytes) -> Reply:
        """Sends one request and says what became of it."""

    def close(self) -> None:
        """Closes the connection."""


class Generator:
    """One run. The latency of a request begins when it was due, not when a connection was free for it: while a server
    stalls, all requests that should have been sent meanwhile count their wait."""

    def __init__(
        self, schedule: Schedule, bodies: Sequence[bytes], concurrency: int, connect: Callable[[], Poster]
    ) -> None:
        self.tally = Tally()
        self._schedule = schedule
        self._bodies = bodies
        self._connect = connect
        self._next = 0
        self._lock = Lock()
        self._stop = Event()
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(concurrency)]
        self._start = 0.0
        self._processor_start = 0.0

    def start(self) -> None:
        """Begins; returns at once."""
        self._start = time.monotonic() + _LEAD_SECONDS
        self._processor_start = time.process_time()
        for thread in self._threads:
            thread.start()

    def wait(self, timeout_seconds: float) -> bool:
        """Waits for the end of the run, at most so long; whether it is over."""
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self._threads)

    def finish(self, *, is_interrupted: bool = False) -> None:
        """Ends the run and counts what was due and never sent."""
        self._stop.set()
        self.wait(_END_SECONDS if is_interrupted else 60)
        now = self.elapsed_seconds()
        due_count = self._schedule.due_count(now) if is_interrupted else self._schedule.request_count
        for number in range(self._next, due_count):
            self.tally.leave_out(max(now - self._schedule.due_seconds(number), 0))

    def elapsed_seconds(self) -> float:
        """Since the first request was due."""
        return max(time.monotonic() - self._start, 0)

    def processor_share(self) -> float:
        """How much of one core this process took so far."""
        return (time.process_time() - self._processor_start) / max(self.elapsed_seconds(), 0.001)

    def _work(self) -> None:
        connection = self._connect()
        last_seconds = self._schedule.duration_seconds + GRACE_SECONDS
        try:
            while (number := self._take(last_seconds)) is not None:
                self._send(connection, number)
        finally:
            connection.close()

    def _take(self, last_seconds: float) -> int | None:
        with self._lock:
            is_over = self._stop.is_set() or self.elapsed_seconds() > last_seconds
            if is_over or self._next >= self._schedule.request_count:
                return None
            self._next += 1
            return self._next - 1

    def _send(self, connection: Poster, number: int) -> None:
        due = self._schedule.due_seconds(number)
        pause = self._start + due - time.monotonic()
        if pause > 0 and self._stop.wait(pause):
            return  # interrupted before it was due
        sent = time.monotonic() - self._start
        self.tally.start(lag_seconds=sent - due, has_waited=pause < 0)
        reply = connection.post(self._bodies[number % len(self._bodies)])
        self.tally.finish(reply, due=due, sent=sent, ended=time.monotonic() - self._start)
