"""One logger and one metrics object per function, from Powertools, which reads its own variables (name, level)."""

import time
from collections.abc import Callable, Hashable
from datetime import UTC, datetime

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

__all__ = ["Logger", "Metrics", "Recurrences", "count", "utc_now"]

_MAX_KINDS = 10_000


def count(metrics: Metrics, name: str, value: int) -> None:
    """Adds a count; zeros are left out, they would only cost money."""
    if value:
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


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


def utc_now() -> datetime:
    """The clock of production: the current time, aware, UTC."""
    return datetime.now(UTC)
