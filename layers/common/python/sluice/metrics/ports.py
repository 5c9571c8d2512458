"""Contract of the counts that outlive functions."""

from collections.abc import Iterable
from typing import Protocol

from sluice.metrics.model import Distribution, Sample


class MetricStore(Protocol):
    """Adds up what functions count. Starts anew when the queue's memory does."""

    def add(self, samples: Iterable[Sample]) -> None:
        """Adds counters' values, and notes histograms' values, all in one step. Raises ValueError for metrics that are
        not kept and for counts below 0, Unavailable."""

    def read(self) -> tuple[list[Sample], list[Distribution]]:
        """Counters by name and labels, and histograms, those of which anything was noted. Raises Unavailable."""
