"""What travels through the queue. A request is a batch; a batch is queued as one entry per part."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from sluice.entries.columns import Records, lines_of
from sluice.errors import ContractError

if TYPE_CHECKING:  # templates are no business of ingest, which pays for what it imports at each cold start
    from sluice.templates.clusters import Cluster

# Of entries, by what their records are packed as: lines in zstd, or perhaps a table. Version 1 was lines in zlib.
LINES_VERSION, TABLE_VERSION = 2, 3


class Part(NamedTuple):
    """Some records of a batch as they are queued; ``packed`` are their lines (``packing``) or their table
    (``columns``) in zstd."""

    record_count: int
    event_from: datetime  # the earliest and the latest event time in it
    event_to: datetime
    line_bytes: int  # of the lines before compression
    packed: bytes
    version: int = LINES_VERSION


class Submission(NamedTuple):
    """One batch, ready to be queued."""

    application_id: int
    retention_class: int
    batch_id: UUID
    received_at: datetime
    body_hash: bytes  # 16 bytes, of the inflated body; the batch id, where no repetition is to be recognised
    parts: tuple[Part, ...]
    is_idempotent: bool  # the client sent an Idempotency-Key, so a repetition is to be recognised
    traceparent: str | None = None  # the request's, see traceparent.py


class Submitted(IntEnum):
    """What became of a submission. False: it was there already."""

    REPLAYED = 0
    QUEUED = 1
    UNATTENDED = 2  # queued, and no drain is at work: it is for the submitter to wake one


@dataclass(frozen=True, slots=True)
class ClaimedEntry:
    """The header of an entry that a drain holds; its records stay in the queue."""

    entry_id: str
    application_id: int | None  # None: the entry cannot be read
    record_count: int
    line_bytes: int  # of the records' lines: what working on the entry takes in memory
    deliveries: int = 1  # runs that were started with it and the next one; runs that failed for a known reason forgiven
    batch_id: str | None = None  # 32 hex digits; None: the entry does not tell


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim brought: first entries left by earlier runs, then new ones."""

    entries: tuple[ClaimedEntry, ...]
    reclaimed_count: int
    vanished_count: int  # pending entries that no longer exist: somebody trimmed unstored data


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One queued part, read back."""

    entry_id: str
    shard: int
    application_id: int
    retention_class: int
    batch_id: UUID
    part: int
    received_at: datetime
    event_from: datetime
    event_to: datetime
    body_hash: bytes
    record_count: int
    first_sequence: int  # the entry holds the accepted sequence numbers first_sequence + 0 … record_count - 1
    records: Records  # inflated
    size_bytes: int  # of the packed records, as counted in the backlog
    traceparent: str | None = None  # of the request
    clusters: "Sequence[Cluster]" = ()  # of the records, once these were clustered

    @property
    def lines(self) -> bytes:
        """The records' lines (``packing``), each with its line feed; made anew each time of records by column."""
        return lines_of(self.records)


@dataclass(frozen=True, slots=True)
class UnreadableEntry:
    """An entry that nobody of ours wrote, or that is damaged; ``raw`` is kept for the dead letters.

    ``header`` is the entry without lines if only its records are damaged: then its sequence can be accounted for.
    """

    entry_id: str
    shard: int
    raw: bytes
    detail: str
    header: StreamEntry | None = None


class NewerEntriesError(ContractError):
    """Some entries have versions that only newer functions know, and wait for these; ``readable`` are the others."""

    def __init__(self, detail: str, readable: Sequence[StreamEntry | UnreadableEntry]) -> None:
        super().__init__("wire_version", detail)
        self.readable = readable


@dataclass(frozen=True, slots=True)
class QueuedRange:
    """The accepted sequence numbers that one queued entry holds."""

    application_id: int
    shard: int
    first_sequence: int
    record_count: int
    batch_id: UUID | None = field(default=None, compare=False)  # None: the entry does not tell
