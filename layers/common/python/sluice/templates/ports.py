"""Contracts of clustering."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sluice.errors import SluiceError
from sluice.streams.model import StreamEntry, UnreadableEntry


@dataclass(frozen=True, slots=True)
class Clustering:
    """Entries whose records have clusters. ``learnt_count`` distinct lines of all ``line_count`` taught the miner
    something. The templates of ``unmined_count`` distinct lines are not known: there are too many to learn at once,
    or, ``failure``, the miner could not be asked."""

    entries: tuple[StreamEntry | UnreadableEntry, ...]
    line_count: int
    learnt_count: int
    failure: SluiceError | None = None
    unmined_count: int = 0


class Clusterer(Protocol):
    """Knows the templates of all applications."""

    def cluster(self, entries: Sequence[StreamEntry | UnreadableEntry]) -> Clustering:
        """The entries in their order, with a cluster for each record of those that can be read.

        Equal masked lines of one application get one template, whoever asks and however often, until a person or the
        miner merges it; applications share nothing. Returns also when templates cannot be had, within a bounded time.
        """


class CountHistory(Protocol):
    """Keeps the counts of times long ago, by longer spans."""

    def roll_up(self, now: datetime, max_rows: int) -> int | None:
        """Moves about ``max_rows`` counts at most, of one application; returns how many: 0 when it is done with one,
        None when nothing is due until tomorrow. Sums stay what they are. Raises Unavailable."""


class Repairer(Protocol):
    """Finds the templates of lines that were stored without."""

    def repair(self) -> int:
        """Finds those of some lines; returns how many lines these were: 0 when none is left. Raises Unavailable."""
