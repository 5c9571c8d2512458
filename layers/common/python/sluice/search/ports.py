"""Contracts of reading stored logs: of the applications that whoever asks may see. Every method raises Unavailable when
the database is down or gives nothing within the budget."""

from typing import Protocol
from uuid import UUID

from sluice.search.counts import Counts, FacetCounts, FacetQuery, HistogramQuery, SeriesCounts
from sluice.search.model import Filters, LogQuery, Neighbourhood, Page


class LogReader(Protocol):
    """Logs themselves."""

    def search(self, query: LogQuery) -> Page:
        """One page, in the order of event times; logs of one instant by batch and position. A page that the budget
        ends early is partial, and its cursor goes on there."""

    def find(self, batch_id: UUID, position: int, *, before: int, after: int) -> Neighbourhood | None:
        """One log and its neighbours in its application's order of event times; None if there is no such log."""


class LogCounter(Protocol):
    """Counts of logs; of what is too much for the budget the newest is counted."""

    def histogram(self, query: HistogramQuery) -> Counts:
        """Rows of (the interval's start, value, count)."""

    def series(
        self, filters: Filters, fields: tuple[str, ...], interval_seconds: int, *, max_groups: int
    ) -> SeriesCounts:
        """Counts in intervals for each combination of the values of ``fields`` (of FACETS but ``application``, or
        METADATA and a key), "" where a log has none, of the ``max_groups`` most frequent ones."""

    def stats(self, filters: Filters) -> Counts:
        """Rows of (level, application, count, first and last event time, bytes of messages)."""

    def facet(self, query: FacetQuery) -> FacetCounts:
        """How often each value of a field occurs, or each key of the metadata."""
