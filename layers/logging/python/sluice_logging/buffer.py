"""The bounded queue between the threads that log and the one that sends."""

from __future__ import annotations

import threading
import time
from collections import deque

from sluice_logging.records import Entry


class Buffer:
    """Holds at most ``max_records`` entries of ``max_bytes``, those being sent included.

    Locks are reentrant: a signal handler or a finaliser may log while the same thread is inside.
    """

    def __init__(
        self,
        *,
        max_records: int,
        max_bytes: int,
        batch_records: int,
        batch_bytes: int,
        interval_seconds: float,
        drop_oldest: bool,
    ) -> None:
        self.max_records, self.max_bytes = max_records, max_bytes
        self.batch_records, self.batch_bytes = batch_records, batch_bytes
        self.interval_seconds, self.drop_oldest = interval_seconds, drop_oldest
        self.deadline: float | None = None  # monotonic; set when closing
        self.reset()

    def reset(self) -> None:
        """Empties it and forgets who held its lock: what is in it after a fork belongs to the parent."""
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[Entry] = deque()
        self._next = 0  # sequence number of the next entry
        self._sending = 0  # entries that are taken and not settled
        self._sending_from = 0  # sequence number of the first of them
        self._waiting_bytes = self._sending_bytes = 0
        self._flushes = 0  # how often somebody asked for haste
        self._flushing = 0  # how many wait for it now
        self.received = self.dropped = 0

    @property
    def pending(self) -> int:
        """Entries in it, those being sent included."""
        with self._lock:  # a batch that is being taken is in neither
            return len(self._waiting) + self._sending

    @property
    def sending(self) -> int:
        """Entries that were taken and are not settled."""
        return self._sending

    @property
    def bytes(self) -> int:
        """About what its entries take in memory."""
        return self._waiting_bytes + self._sending_bytes

    def put(self, entry: Entry, *, even_if_full: bool = False) -> None:
        """Adds an entry, or drops one. Never waits for anything but the lock, which is held for moments."""
        size = entry.size_bytes
        with self._lock:
            self.received += 1
            if not even_if_full and not self._has_room(size):
                self.dropped += 1
                return
            before = self._waiting_bytes
            self._waiting.append(entry)
            self._waiting_bytes = before + size
            self._next += 1
            count = len(self._waiting)
            # The sender wakes for the first entry, and when a batch is full; in between it sleeps.
            if count == 1 or count == self.batch_records or before < self.batch_bytes <= before + size:
                self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        """Whether another entry fits, after dropping older ones if that is the rule."""
        if self.deadline is not None or size > self.max_bytes:
            return False
        while len(self._waiting) + self._sending >= self.max_records or self.bytes + size > self.max_bytes:
            if not self.drop_oldest or not self._waiting:
                return False
            self._waiting_bytes -= self._waiting.popleft().size_bytes
            self.dropped += 1
        return True

    def take(self) -> list[Entry]:
        """The next batch, as soon as it is full, old enough or asked for. Empty when all is done and closed."""
        with self._lock:
            while not self._waiting:
                if self.deadline is not None:
                    return []
                self._changed.wait()
            due = time.monotonic() + self.interval_seconds
            while not self._is_due() and (left := due - time.monotonic()) > 0:
                self._changed.wait(left)
            return self._take_batch()

    def _is_due(self) -> bool:
        is_full = len(self._waiting) >= self.batch_records or self._waiting_bytes >= self.batch_bytes
        return is_full or self._flushing > 0 or self.deadline is not None

    def _take_batch(self) -> list[Entry]:
        batch: list[Entry] = []
        size = 0
        self._sending_from = self._next - len(self._waiting)
        while self._waiting and len(batch) < self.batch_records:
            following = self._waiting[0].size_bytes
            if batch and size + following > self.batch_bytes:
                break
            batch.append(self._waiting.popleft())
            size += following
        self._sending, self._sending_bytes = len(batch), size
        self._waiting_bytes = self._waiting_bytes - size if self._waiting else 0
        return batch

    def settle(self, count: int) -> None:
        """Forgets ``count`` of the entries that were taken: they are stored, or lost for good and counted."""
        with self._lock:
            self._sending -= count
            if self._sending == 0:
                self._sending_bytes = 0
            self._changed.notify_all()

    def pause(self, backoff_seconds: float, server_seconds: float) -> bool:
        """Waits before another try: `server_seconds` whatever happens, `backoff_seconds` unless a flush asks for haste.

        False if the deadline of `close` leaves no time for that try.
        """
        start = time.monotonic()
        with self._lock:
            flushes = self._flushes
            while True:
                now = time.monotonic()
                is_hasty = self._flushes != flushes
                until = start + (server_seconds if is_hasty else max(server_seconds, backoff_seconds))
                if self.deadline is not None and max(until, now) >= self.deadline:
                    return False
                if now >= until:
                    return True
                self._changed.wait(until - now)

    def flush(self, timeout_seconds: float) -> bool:
        """Waits until everything that was put before is settled; False if that takes too long."""
        until = time.monotonic() + timeout_seconds
        with self._lock:
            end = self._next
            self._flushes += 1
            self._flushing += 1
            self._changed.notify_all()
            try:
                while self._oldest() < end and (left := until - time.monotonic()) > 0:
                    self._changed.wait(left)
            finally:
                self._flushing -= 1
            return self._oldest() >= end

    def _oldest(self) -> int:
        """Sequence number of the oldest entry that is not settled; those being sent are older than those waiting."""
        return self._sending_from if self._sending else self._next - len(self._waiting)

    def close(self, deadline: float) -> None:
        """Takes no more entries; `take` hands out what is left, and tries end at the monotonic time `deadline`."""
        with self._lock:
            self.deadline = deadline
            self._flushes += 1
            self._changed.notify_all()
