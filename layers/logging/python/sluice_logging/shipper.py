"""The queue and the thread that empties it, through forks and to the end of the process."""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from sluice_logging.batches import Batch
from sluice_logging.buffer import Buffer
from sluice_logging.delivery import Delivery
from sluice_logging.records import Encoder, Entry, loss_entry
from sluice_logging.report import Counters, Reporter
from sluice_logging.retry import Answer
from sluice_logging.transport import Transport

_SHORTEST_TIMEOUT_SECONDS = 0.05


class _Thread(threading.local):
    is_sending = False


_thread = _Thread()


def is_sending() -> bool:
    """Whether this thread is at work for a handler: whatever it logs then must not come back to one."""
    return _thread.is_sending


@contextmanager
def sending() -> Iterator[None]:
    """Marks this thread as one at work for a handler."""
    before, _thread.is_sending = _thread.is_sending, True
    try:
        yield
    finally:
        _thread.is_sending = before


class Shipper:
    """Takes entries from any thread and sends them from one of its own, which starts with the first entry.

    The thread is a daemon: the process does not wait for it, but `close` does, and without a thread (none can be
    started while the interpreter shuts down) `close` sends what there is itself.
    """

    def __init__(self, buffer: Buffer, encoder: Encoder, transport: Transport, timeout_seconds: float) -> None:
        self.buffer = buffer
        self._encoder, self._transport, self._timeout_seconds = encoder, transport, timeout_seconds
        self.reporter = Reporter()
        self._begin()
        _shippers.add(self)
        _close_with_child_process(self)

    def _begin(self) -> None:
        self.counters = Counters()
        self._delivery = Delivery(self._post, self.buffer.pause, self.buffer.settle, self.counters, self.reporter)
        self._worker: threading.Thread | None = None
        self._start_lock = threading.RLock()
        self._told = 0  # losses that a log tells of

    def put(self, entry: Entry) -> None:
        """Queues an entry."""
        self.buffer.put(entry)
        if self._worker is None:
            self._start()

    def flush(self, timeout_seconds: float) -> bool:
        """Waits until all that is queued now is delivered, or lost for good; False if that takes too long."""
        if not self.buffer.pending:
            return True
        if is_sending() or not self._start():
            return False
        return self.buffer.flush(timeout_seconds)

    def close(self, timeout_seconds: float) -> None:
        """Delivers what is queued, for so many seconds at most, and takes no more."""
        if self.buffer.deadline is not None:
            return
        self.buffer.close(time.monotonic() + timeout_seconds)
        worker = self._worker
        if worker is None or not worker.is_alive():
            self._run()
        elif worker is not threading.current_thread():
            worker.join(timeout_seconds)
        self._report_rest()

    def abandon(self, timeout_seconds: float) -> None:
        """Like `close`, for a handler that nobody holds any more: waits for nothing."""
        self.buffer.close(time.monotonic() + timeout_seconds)

    def begin_as_child(self) -> None:
        """After a fork: what is queued is the parent's to send, and so is the connection; the thread stayed there."""
        self.buffer.reset()
        self._transport.forget()
        self._begin()
        _close_with_child_process(self)

    def _start(self) -> bool:
        """Starts the thread if there is none; False if that is not possible."""
        with self._start_lock:
            if self._worker is None:
                worker = threading.Thread(target=self._run, name="sluice-logging", daemon=True)
                self._worker = worker
                try:
                    worker.start()
                except RuntimeError:  # the interpreter shuts down
                    self._worker = None
            return self._worker is not None

    def _run(self) -> None:
        with sending():
            while entries := self.buffer.take():
                if not self._ship(entries):
                    break
            self._transport.close()

    def _ship(self, entries: list[Entry]) -> bool:
        """False if time is up."""
        try:
            if not self._delivery.deliver(Batch.of([self._encoder.encode(entry) for entry in entries])):
                return False
            self._tell_losses()
        except Exception as error:  # noqa: BLE001  # a defect of ours loses a batch, not all that follow
            lost = self.buffer.sending
            self.counters.refused += lost
            self.buffer.settle(lost)
            self.reporter.say("defect", f"{lost} logs could not be sent: {type(error).__name__}: {error}")
        return True

    def _tell_losses(self) -> None:
        """Once something is delivered again, a log of our own says what was not."""
        dropped, refused = self.buffer.dropped, self.counters.refused
        lost = dropped + refused - self._told
        if lost and self.counters.delivered:
            self._told += lost
            self.buffer.put(loss_entry(lost, {"dropped": dropped, "refused": refused}), even_if_full=True)

    def _post(self, batch: Batch) -> Answer:
        timeout_seconds = self._timeout_seconds
        if self.buffer.deadline is not None:
            left = max(self.buffer.deadline - time.monotonic(), _SHORTEST_TIMEOUT_SECONDS)
            timeout_seconds = min(timeout_seconds, left)
        return self._transport.post(batch.body, batch.key, timeout_seconds)

    def _report_rest(self) -> None:
        lost = self.counters.undelivered = self.buffer.pending
        if lost:
            with sending():
                self.reporter.say("end", f"{lost} logs were not delivered before time was up (close_seconds)")


_shippers: weakref.WeakSet[Shipper] = weakref.WeakSet()


def _begin_as_child() -> None:
    for shipper in list(_shippers):
        shipper.begin_as_child()


def _close_with_child_process(shipper: Shipper) -> None:
    """Children of multiprocessing end without atexit, but call its own finalisers. A child forgets those made before
    it began to run, and then calls what is registered for after a fork."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None:
        util.register_after_fork(shipper, _close_at_exit)
        if process.parent_process() is not None:
            _close_at_exit(shipper)


def _close_at_exit(shipper: Shipper) -> None:
    seconds = CHILD_CLOSE_SECONDS
    sys.modules["multiprocessing.util"].Finalize(None, shipper.close, (seconds,), exitpriority=-100)


CHILD_CLOSE_SECONDS = 5.0

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_as_child)
