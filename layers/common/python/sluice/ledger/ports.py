"""Contract of the settled side of the ledger; the queued side is streams.ports.QueueLedger."""

from collections.abc import Mapping
from typing import Protocol

from sluice.ledger.model import SettledRanges

Sequences = Mapping[tuple[int, int], int]  # (application id, shard) -> last accepted sequence number


class LedgerReader(Protocol):
    """What is stored, duplicate or dead-lettered."""

    def settled(self, accepted: Sequences) -> dict[tuple[int, int], SettledRanges]:
        """By (application id, shard): everything committed so far of the sequence numbers 1 to ``accepted`` (0 where it
        has no entry). Raises Unavailable."""

    def application_names(self) -> dict[int, str]:
        """The names of the applications this reader may see, by id. Raises Unavailable."""
