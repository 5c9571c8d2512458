"""The logging handler."""

from __future__ import annotations

import logging
import os
import platform
import socket
import time
import weakref
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from sluice_logging.buffer import Buffer
from sluice_logging.records import Encoder, snapshot
from sluice_logging.report import Reporter
from sluice_logging.shipper import Shipper, is_sending, sending
from sluice_logging.transport import Transport

VERSION = "0.1.0"
_OWN_LOGGER = "sluice_logging"
_SHUTDOWN_SECONDS = 1.0  # between a flush and a close that belong together
_Function = TypeVar("_Function", bound=Callable[..., Any])


class SluiceHandler(logging.Handler):
    """Sends log records to Sluice in batches, from a thread of its own.

    Logging never waits for the network and never raises: a record is queued, or dropped and counted (`stats`). A batch
    is tried until Sluice has it; Sluice recognises a retry and stores each record once. A formatter has no effect:
    the parts of a record are stored one by one.

    Without a URL or a key the handler drops everything, and says so on standard error.

    At the end of the program, and of processes of multiprocessing, it delivers what is queued. A process that is killed
    loses what is queued, and SIGTERM kills unless the program or its server handles it: have it raise SystemExit.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        level: int | str = logging.NOTSET,
        *,
        service: str | None = None,
        version: str | None = None,
        host: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        batch_records: int = 1_000,
        batch_bytes: int = 1024 * 1024,
        interval_seconds: float = 1.0,
        queue_records: int = 50_000,
        queue_bytes: int = 32 * 1024 * 1024,
        drop: str = "newest",
        timeout_seconds: float = 10.0,
        close_seconds: float = 5.0,
    ) -> None:
        """
        url, api_key: of Sluice's API; else SLUICE_URL and SLUICE_API_KEY.
        service, version: of the program; else SLUICE_SERVICE (or Lambda's function name) and SLUICE_VERSION.
        host: this machine's name by default. metadata: goes with every record.
        batch_records, batch_bytes, interval_seconds: a batch is sent when one of them is reached.
        queue_records, queue_bytes: bounds of what waits in memory. drop: what to drop then, "newest" or "oldest".
        timeout_seconds: for one try. close_seconds: for the deliveries at the end of the program.

        Raises ValueError for values that cannot be right.
        """
        super().__init__(level)
        if drop not in ("newest", "oldest"):
            raise ValueError(f'drop must be "newest" or "oldest", not {drop!r}')
        numbers = (batch_records, batch_bytes, interval_seconds, queue_records, queue_bytes, timeout_seconds)
        if min(numbers) <= 0 or close_seconds < 0:
            raise ValueError("sizes and times must be above 0")
        self.close_seconds = close_seconds
        self._flush_failed_at = 0.0
        self._shipper: Shipper | None = None
        url = url or os.environ.get("SLUICE_URL")
        api_key = (api_key or os.environ.get("SLUICE_API_KEY") or "").strip()
        if not url or not api_key:
            missing = "SLUICE_API_KEY" if url else "SLUICE_URL"
            Reporter().say("off", f"{missing} is not set: logs are not sent")
            return
        transport = Transport(url, api_key, f"sluice-logging/{VERSION} Python/{platform.python_version()}")
        buffer = Buffer(
            max_records=queue_records,
            max_bytes=queue_bytes,
            batch_records=batch_records,
            batch_bytes=batch_bytes,
            interval_seconds=interval_seconds,
            drop_oldest=drop == "oldest",
        )
        encoder = Encoder(_columns(service, version, host), metadata or {})
        self._shipper = Shipper(buffer, encoder, transport, timeout_seconds)
        weakref.finalize(self, self._shipper.abandon, close_seconds).atexit = False
        _handlers.add(self)

    def handle(self, record: logging.LogRecord) -> Any:
        """Queues the record if the filters let it pass.

        Without the lock that other handlers hold meanwhile: none is needed, and making text of values is the
        application's code, which may log itself or wait for another thread that does.
        """
        passed: Any = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Queues the record."""
        if self._shipper is None or is_sending() or record.name == _OWN_LOGGER:
            return
        try:
            self._shipper.put(snapshot(record))
        except Exception:  # noqa: BLE001  # nothing may reach the application
            with sending():
                self.handleError(record)

    def flush(self, timeout_seconds: float | None = None) -> bool:  # type: ignore[override]  # None becomes bool
        """Waits until what was logged before is delivered, or lost for good and counted; at most `timeout_seconds`
        (`close_seconds` by default). False if that takes longer."""
        if self._shipper is None:
            return True
        is_done = self._shipper.flush(self.close_seconds if timeout_seconds is None else timeout_seconds)
        if not is_done:
            self._flush_failed_at = time.monotonic()
        return is_done

    def close(self) -> None:
        """Delivers what is queued, in `close_seconds` at most, and takes no more. Called at the end of the program."""
        if self._shipper is not None:
            # logging.shutdown flushes and then closes: the second shall not wait as long again.
            has_waited = time.monotonic() - self._flush_failed_at < _SHUTDOWN_SECONDS
            self._shipper.close(0.0 if has_waited else self.close_seconds)
        super().close()

    def stats(self) -> dict[str, int]:
        """Counts since the start of this process: received = queued + delivered + dropped + rejected + refused.

        dropped: the queue was full, or closed. rejected: by Sluice, one by one. refused: by Sluice, a whole batch, for
        a wrong key for example. undelivered: what `close` left in the queue. retries: requests, not records.
        """
        if self._shipper is None:
            names = ("received", "queued", "queued_bytes", "dropped", "delivered", "rejected", "refused", "undelivered")
            return dict.fromkeys((*names, "retries"), 0)
        buffer = self._shipper.buffer
        return {
            "received": buffer.received,
            "queued": buffer.pending,
            "queued_bytes": buffer.bytes,
            "dropped": buffer.dropped,
            **vars(self._shipper.counters),
        }


_handlers: weakref.WeakSet[SluiceHandler] = weakref.WeakSet()


def flush(timeout_seconds: float = 5.0) -> bool:
    """Flushes all handlers, `timeout_seconds` at most in total. False if that takes longer."""
    until = time.monotonic() + timeout_seconds
    # Each is flushed, even if one before took too long.
    are_done = [handler.flush(max(until - time.monotonic(), 0.0)) for handler in list(_handlers)]
    return all(are_done)


def flush_after(function: _Function) -> _Function:
    """Decorates an AWS Lambda handler: flushes before it returns, and Lambda freezes the process, threads and all."""

    @wraps(function)
    def flushing(event: Any, context: Any, *rest: Any) -> Any:
        try:
            return function(event, context, *rest)
        finally:
            flush(min(_seconds_left(context), 5.0))

    return flushing  # type: ignore[return-value]  # wraps keeps the type


def _seconds_left(context: Any) -> float:
    """What the invocation has left, but for a moment to return."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return max(remaining() / 1000 - 0.2, 0.0) if callable(remaining) else 5.0


class SluiceProcessor:
    """For structlog without standard logging: a processor that hands each event to `handler` and passes it on.

    It goes behind the processors that add to the event, and before the one that renders it as text.
    """

    def __init__(self, handler: SluiceHandler) -> None:
        self._handler = handler

    def __call__(self, logger: Any, method_name: str, event_dict: Any) -> Any:
        """Queues a copy of the event."""
        level_name = str(event_dict.get("level", method_name)).upper()
        level = logging.getLevelName({"EXCEPTION": "ERROR", "WARN": "WARNING"}.get(level_name, level_name))
        name = str(event_dict.get("logger") or getattr(logger, "name", None) or "structlog")
        values = {"msg": event_dict, "name": name, "levelno": level if isinstance(level, int) else logging.INFO}
        values["levelname"] = logging.getLevelName(values["levelno"])
        record = logging.makeLogRecord(values)
        if record.levelno >= self._handler.level:
            self._handler.handle(record)
        return event_dict


def _columns(service: str | None, version: str | None, host: str | None) -> dict[str, str]:
    environ = os.environ
    columns = {
        "service": service or environ.get("SLUICE_SERVICE") or environ.get("AWS_LAMBDA_FUNCTION_NAME"),
        "version": version or environ.get("SLUICE_VERSION") or environ.get("AWS_LAMBDA_FUNCTION_VERSION"),
        "host": host or socket.gethostname(),
    }
    return {name: value for name, value in columns.items() if value}
