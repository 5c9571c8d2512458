"""Contracts of storing a chunk and of having it stored."""

from collections.abc import Sequence
from typing import Protocol

from sluice.chunks.model import ChunkResult, ChunkTask, Settlement
from sluice.streams.model import StreamEntry, UnreadableEntry


class ChunkStore(Protocol):
    """Where records end up."""

    def store(
        self,
        entries: Sequence[StreamEntry | UnreadableEntry],
        *,
        attempts: int = 1,
        is_condemned: bool = False,
        is_forced: bool = False,
    ) -> Settlement:
        """Stores each entry once, however often it is handed in, in one transaction.

        What can never be stored is dead-lettered in the same transaction, with the number of ``attempts``; if
        ``is_condemned``, all of it is. When the circuit breaker opens (see ``breaker``) and not ``is_forced``, entries
        with failing records are held: nothing of them is stored or dead-lettered. On return all else is committed.
        Raises Unavailable if nothing is known to be stored (after a lost COMMIT reply it may be), so the entries must
        not be acknowledged, and ContractError when the schema does not fit.
        """


class ChunkRunner(Protocol):
    """Runs process_chunk."""

    def run(self, task: ChunkTask) -> ChunkResult:
        """Runs one chunk and waits for its end. Thread-safe.

        Raises ChunkFailed if the run never began or ended with an error of its own, ChunkCrashed if it died (either way
        its entries may be handed out again at once), and Unavailable if it may still be going on.
        """
