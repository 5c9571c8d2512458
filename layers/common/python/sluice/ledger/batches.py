"""What became of one request: its batch, part by part. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sluice.errors import RejectedInput
from sluice.streams.model import QueuedRange

MAX_BATCHES = 100  # of one trace
MAX_DEAD = 1_000  # dead letters of one answer


@dataclass(frozen=True, slots=True)
class Settled:
    """An entry of the ledger. Records that a client's repetition brought again are ``duplicate``."""

    part: int
    shard: int
    entry_id: str
    record_count: int
    stored: int
    duplicate: int
    dead_lettered: int
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be stored."""

    id: int
    position: int | None
    reason: str
    status: str
    dead_lettered_at: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """One request's records. ``queued`` counts those that wait in the queue, or are acknowledged in a moment."""

    application_id: int
    batch_id: UUID
    received_at: datetime | None = None  # None while all of it is queued
    traceparent: str | None = None
    settled: tuple[Settled, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    queued: int = 0


def parse_batch_id(text: str) -> UUID:
    """The id of a batch, a log (``<batch>-<position>``), or a trace. Raises RejectedInput ``unknown_batch``."""
    digits, _, position = text.partition("-")
    if len(digits) != 32 or not (position == "" or position.isdigit()):
        digits = text.replace("-", "")  # as Postgres and others write it
    try:
        if len(digits) == 32:
            return UUID(digits)
    except ValueError:
        pass
    raise unknown_batch(text)


def unknown_batch(text: str) -> RejectedInput:
    """For an id of which there is nothing that the reader may see."""
    detail = (
        f"this API key sees nothing of {text!r}: neither a batch, a log nor a trace. A refused request has no batch"
    )
    return RejectedInput("unknown_batch", detail, status=404)


def with_queued(wanted: UUID, batches: Sequence[Batch], queued: Iterable[QueuedRange]) -> list[Batch]:
    """The batches with what the queue holds of them, and ``wanted`` if only the queue has it."""
    known = {(batch.application_id, batch.batch_id): batch for batch in batches}
    for item in queued:
        if item.batch_id is None:
            continue
        key = (item.application_id, item.batch_id)
        if key not in known and item.batch_id != wanted:
            continue
        batch = known.get(key, Batch(*key))
        known[key] = replace(batch, queued=batch.queued + item.record_count)
    return list(known.values())
