"""One logger and one metrics object per function. The logger is Powertools', which reads its own variables.

Nothing that customers sent may be in what they write.
"""

import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import msgspec
from aws_lambda_powertools.logging import Logger as PowertoolsLogger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from sluice.errors import Poison, SluiceError
from sluice.metrics.model import Sample
from sluice.metrics.ports import MetricStore
from sluice.metrics.registry import METRICS, MetricName
from sluice.runtime.settings import metric_dimensions

__all__ = ["Logger", "Metrics", "Recurrences", "count", "keep", "told", "utc_now", "with_context"]

type Handler = Callable[[Any, Any], Any]
_MAX_KINDS = 10_000
_encode = msgspec.json.Encoder().encode


class _Formatter(LambdaPowertoolsFormatter):
    """Of an exception, its kind and where it happened: its message may quote what somebody sent."""

    def _extract_log_exception(self, log_record: Any) -> tuple[Any, Any, None]:
        if not log_record.exc_info:
            return None, None, None
        kind, _, where = log_record.exc_info
        return "".join(traceback.format_tb(where)), kind.__name__, None


class Logger(PowertoolsLogger):
    """Powertools', with exceptions that tell no more than they should."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"logger_formatter": _Formatter(serialize_stacktrace=False), **options})


def told(error: SluiceError) -> dict[str, Any]:
    """What a line says of an error. The database's words about a record that it refuses quote the record."""
    return {"code": error.code} | ({} if isinstance(error, Poison) else {"detail": error.detail})


class Metrics:
    """Counts in CloudWatch's Embedded Metric Format, with stage and service as dimensions: the line that Powertools'
    would print, for a tenth of its time."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._values: dict[MetricName, list[float]] = {}
        self._notes: dict[str, Any] = {}
        self._frames: dict[tuple[MetricName, ...], tuple[bytes, bytes]] = {}

    def add(self, name: MetricName, value: float) -> None:
        """Counts ``value`` of a registered metric for the invocation. Raises KeyError for any other."""
        self._values.setdefault(name, []).append(float(value))

    def note(self, name: str, value: Any) -> None:
        """Writes something beside the values that is no metric."""
        self._notes[name] = value

    def log_metrics(self, handler: Handler) -> Handler:
        """Prints what was added when ``handler`` is over, one way or the other."""

        @wraps(handler)
        def run(event: Any, context: Any) -> Any:
            try:
                return handler(event, context)
            finally:
                self._flush()

        return run

    def _flush(self) -> None:
        values, self._values = self._values, {}
        notes, self._notes = self._notes, {}
        if values:
            names = tuple(values)
            before, after = self._frames.get(names) or self._frames.setdefault(names, self._frame(names))
            now = time.time_ns() // 1_000_000
            sys.stdout.write(b"".join((before, b"%d" % now, after, _encode({**values, **notes})[1:], b"\n")).decode())

    def _frame(self, names: tuple[MetricName, ...]) -> tuple[bytes, bytes]:
        """What stands before and after the time in a line with the metrics ``names``."""
        dimensions = metric_dimensions()
        description = {
            "Namespace": self._namespace,
            "Dimensions": [list(dimensions)],
            "Metrics": [{"Name": name, "Unit": METRICS[name].unit} for name in names],
        }
        line = _encode({"_aws": {"Timestamp": None, "CloudWatchMetrics": [description]}, **dimensions})
        before, _, after = line.partition(b"null")
        return before, after[:-1] + b","


def count(metrics: Metrics, name: MetricName, value: float) -> None:
    """Adds a count; zeros are left out, they would only cost money."""
    if value:
        metrics.add(name, value)


def keep(metrics: Metrics, store: Callable[[], MetricStore] | None, logger: Logger, samples: Iterable[Sample]) -> None:
    """Counts samples of kept metrics: for CloudWatch, with the labels as metadata, since each combination of dimensions
    costs as much as a metric; and in the store, if the function has one. That they cannot be stored is no reason to
    fail: it is logged."""
    taken = tuple(samples)
    labelled: dict[str, dict[str, float]] = defaultdict(dict)
    for sample in taken:
        count(metrics, sample.name, sample.value)
        if sample.labels:
            labelled[sample.name]["/".join(sample.label_values)] = sample.value
    for name, values in labelled.items():
        metrics.note(f"{name}_by", values)
    if store is None:
        return
    try:
        store().add(taken)
    except SluiceError as error:
        if times := _UNKEPT.add(error.code):
            extra = {"code": error.code, "detail": error.detail, "times": times}
            logger.warning("metrics could not be kept", extra=extra)


def with_context(logger: Logger) -> Callable[[Handler], Handler]:
    """As ``logger.inject_lambda_context``, for a function that seldom has anything to say: what the context tells is
    only asked for when there is a line to write."""
    inject: Handler = logger.inject_lambda_context(lambda _event, _context: None)
    latest: list[Any] = []

    def note(_record: Any) -> bool:
        if latest:
            inject({}, latest.pop())
        return True

    logger.addFilter(note)

    def decorate(handler: Handler) -> Handler:
        is_cold = True

        @wraps(handler)
        def run(event: Any, context: Any) -> Any:
            nonlocal is_cold
            latest[:] = (context,)
            if is_cold:  # the logger takes the first that it sees for the environment's first
                is_cold = False
                note(None)
            return handler(event, context)

        return run

    return decorate


class Recurrences:
    """Spares the log what happens again and again: the first of a kind is due at once, then one per ``seconds``."""

    def __init__(self, seconds: float = 10, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._seen: dict[Hashable, tuple[float, int]] = {}  # when it is due, and how often it happened since the last

    def add(self, kind: Hashable) -> int:
        """How often it happened since the last line, this time included, if a line is due; else 0."""
        now = self._clock()
        due_at, times = self._seen.get(kind, (now, 0))
        if now < due_at:
            self._seen[kind] = (due_at, times + 1)
            return 0
        if len(self._seen) >= _MAX_KINDS:
            self._seen.clear()
        self._seen[kind] = (now + self._seconds, 0)
        return times + 1


_UNKEPT = Recurrences()


def utc_now() -> datetime:
    """The clock of production: the current time, aware, UTC."""
    return datetime.now(UTC)
