"""Contracts of the queue, by who needs them. Every method raises Unavailable when the queue cannot be reached."""

from collections.abc import Sequence
from typing import Protocol

from sluice.streams.inspection import DrainState, ShardState
from sluice.streams.model import Claim, ClaimedEntry, QueuedRange, StreamEntry, Submission, Submitted, UnreadableEntry


class SubmissionQueue(Protocol):
    """The side that ingest writes to."""

    def submit(self, submission: Submission) -> Submitted:
        """Queues all parts at once, in order, numbered by the application's accepted sequence; or nothing.

        Returns REPLAYED if an idempotent submission with this batch id and body was queued before (within 15 minutes).
        Returns UNATTENDED, at most once in the time that a wake is for, if no drain marks the queue as attended to.
        Raises RejectedInput ``idempotency_key_reused`` (422) for another body under the same batch id, and
        ``batch_too_large`` (413) for a batch larger than an application's share; Throttled ``backlog_share_exceeded``
        when the application's backlog is too large; Unavailable ``backlog_full`` when the whole backlog is, and when
        the queue is full or down. After a time-out the outcome is unknown.
        """


class Waker(Protocol):
    """How ingest has the queue drained."""

    def wake(self) -> None:
        """Has a drain start soon that lingers, on all shards. Raises Unavailable ``wake_failed``."""


class DrainQueue(Protocol):
    """The side that drain takes work from."""

    def claim(self, shard: int, *, min_idle_seconds: float, max_records: int, max_bytes: int) -> Claim:
        """Hands out entries nobody works on: those that an earlier claimer left for ``min_idle_seconds``, up to half of
        a limit, then new ones, until a limit is reached (the last entries may exceed it). Concurrent claims are
        disjoint. Claiming is no delivery: what an entry counts is runs, by ``start``."""

    def start(self, shard: int, entries: Sequence[ClaimedEntry]) -> None:
        """Counts the delivery of claimed entries to a run that is about to begin, and lets their idle time begin anew.
        Until then the death of a claimer is not held against them."""

    def release(self, shard: int, entries: Sequence[ClaimedEntry], *, is_forgiven: bool) -> None:
        """Makes claimed entries claimable again at once: whoever worked on them is known to have ended. If
        ``is_forgiven``, the deliveries so far are not held against them."""

    def note_start(self, *, is_woken: bool) -> None:
        """Notes that a drain begins, for whoever looks at the queue. Never raises."""

    def attend(self, seconds: float) -> None:
        """Marks all shards as attended to for so long: who submits wakes nobody. Nothing depends on it but how many
        drains run, so it never raises."""

    def leave(self) -> None:
        """Takes the mark away. Never raises: without this call the mark lapses."""

    def trim(self, shard: int) -> None:
        """Gives back the memory of acknowledged entries; never touches an entry that is not acknowledged."""

    def count_entries(self, shard: int) -> int:
        """Entries queued, claimed ones included."""

    def shards(self) -> list[int]:
        """All shards that may hold entries: those in use, and those that were when there were more."""


class ChunkQueue(Protocol):
    """The side that process_chunk stores from."""

    def read(self, shard: int, entry_ids: Sequence[str]) -> list[StreamEntry | UnreadableEntry]:
        """The entries that still exist, in the order asked for; an acknowledged one is left out. Raises
        NewerEntriesError."""

    def acknowledge(self, shard: int, entries: Sequence[StreamEntry | UnreadableEntry]) -> int:
        """Removes entries for good and returns how many were still there. Works on a full queue, too."""


class QueueLedger(Protocol):
    """What the queue knows of the accepted sequences, on all shards that were ever in use."""

    def accepted(self) -> dict[tuple[int, int], int]:
        """The last accepted sequence number by (application id, shard)."""

    def queued_ranges(self) -> list[QueuedRange]:
        """The ranges of all entries now queued, counted from the stream itself. Not one snapshot: an entry that is
        queued or acknowledged meanwhile may or may not be in it."""


class QueueInspection(Protocol):
    """The side that an operator looks at."""

    def shards(self) -> list[int]:
        """See DrainQueue.shards."""

    def inspect(self, shard: int, *, max_entries: int, max_pending: int) -> ShardState:
        """What the shard is like now; changes nothing. At most ``max_entries`` entries, the oldest, are read for their
        headers, and at most ``max_pending`` pending ones, the oldest, are listed, so its cost has a bound however long
        the queue is. Entries that nobody of ours wrote are counted, too. Not one snapshot: counters and entries may
        differ by what came or went meanwhile."""

    def drain_state(self) -> DrainState:
        """What is known of drains."""
