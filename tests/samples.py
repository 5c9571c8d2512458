"""Small builders of realistic values."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID, uuid4

from fakes import NOON
from sluice.entries.model import Flag, Level, Record
from sluice.streams.model import Submission
from sluice.streams.parts import split_parts

PEPPER = bytes(range(32))


def record(
    position: int = 0, message: str = "checkout finished", *, event_at: datetime = NOON, **fields: object
) -> Record:
    """A record in normal form."""
    values = dict.fromkeys(Record._fields, None) | {
        "position": position,
        "event_at": event_at,
        "level": Level.INFO,
        "flags": Flag(0),
        "message": message,
        "metadata": "{}",
    }
    return Record(**(values | fields))  # type: ignore[arg-type]


def submission(
    records: Iterable[Record] = (),
    *,
    application_id: int = 1,
    batch_id: UUID | None = None,
    received_at: datetime | None = None,
    body_hash: bytes = b"h" * 16,
    is_idempotent: bool = False,
) -> Submission:
    """A batch ready to be queued."""
    return Submission(
        application_id=application_id,
        retention_class=1,
        batch_id=batch_id or uuid4(),
        received_at=received_at or datetime.now(UTC),
        body_hash=body_hash,
        parts=split_parts(tuple(records) or (record(),)),
        is_idempotent=is_idempotent,
    )
