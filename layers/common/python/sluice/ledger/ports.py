"""Contracts of the settled side of the ledger; the queued side is streams.ports.QueueLedger."""

from collections.abc import Mapping
from typing import Protocol

from sluice.ledger.model import SettledRanges
from sluice.ledger.throughput import Throughput

Sequences = Mapping[tuple[int, int], int]  # (application id, shard) -> last accepted sequence number


class LedgerReader(Protocol):
    """What is stored, duplicate or dead-lettered."""

    def settled(self, accepted: Sequences) -> dict[tuple[int, int], SettledRanges]:
        """By (application id, shard): everything committed so far of the sequence numbers 1 to ``accepted`` (0 where it
        has no entry). Raises Unavailable."""

    def application_names(self) -> dict[int, str]:
        """The names of the applications this reader may see, by id. Raises Unavailable."""


class SettledView(Protocol):
    """What an operator's page asks, over all applications; every answer reads a bounded number of rows."""

    def throughput(self) -> Throughput:
        """The last hour. Raises Unavailable."""

    def count_open_letters(self) -> tuple[int, bool]:
        """Open dead letters, and whether there may be more than were counted. Raises Unavailable."""


class LedgerSums(Protocol):
    """Sums over the settled entries, which spare readers the entries."""

    def roll_up(self, max_entries: int) -> int:
        """Adds about ``max_entries`` of the next entries that are complete in storing order. Returns how many; 0: there
        are none, or another run is at it. Raises Unavailable."""
