"""Contracts of storing a chunk and of having it stored."""

from collections.abc import Sequence
from typing import Protocol

from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.streams.model import StreamEntry, UnreadableEntry


class ChunkStore(Protocol):
    """Where records end up."""

    def store(self, entries: Sequence[StreamEntry | UnreadableEntry]) -> ChunkResult:
        """Stores each entry once, however often it is handed in, in one transaction.

        What can never be stored is dead-lettered in the same transaction. On return everything is committed. Raises
        Unavailable if nothing is known to be stored (after a lost COMMIT reply it may be), so the entries must not be
        acknowledged, and ContractError when the schema does not fit.
        """


class ChunkRunner(Protocol):
    """Runs process_chunk."""

    def run(self, task: ChunkTask) -> ChunkResult:
        """Runs one chunk and waits for its end. Thread-safe.

        Raises ChunkFailed if the run is over or never began, so that its entries may be handed out again at once, and
        Unavailable if it may still be going on.
        """
