"""Small builders of realistic values."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from fakes import NOON
from sluice.applications.model import KeyRecord, Limits, Scope
from sluice.entries.columns import TableWriter, records_of
from sluice.entries.model import Batch, Flag, Level, Record
from sluice.entries.packing import pack_batch, pack_record
from sluice.streams.model import Part, StreamEntry, Submission
from sluice.streams.parts import compress, compressed_parts

PEPPER = bytes(range(32))
NOBODY = 1_000_000  # an application id that no test creates


def key_record(application_id: int = 1, limits: Limits | None = None) -> KeyRecord:
    """A key that may send logs."""
    return KeyRecord("id", b"h" * 32, application_id, "shop", 1, frozenset([Scope.INGEST]), None, limits or Limits())


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


def poison(position: int = 0) -> bytes:
    """A packed record that the database refuses and a redrive repairs: jsonb has no U+0000."""
    return pack_record(record(position, metadata='{"a":"\\u0000"}'))


def submission_of(lines: Sequence[bytes], *, application_id: int) -> Submission:
    """Packed lines, such as ingest would never let through; line n is the record at position n."""
    text = b"".join(lines)
    part = Part(len(lines), NOON, NOON, line_bytes=len(text), packed=compress(text))
    return submission(application_id=application_id)._replace(parts=(part,))


def stream_entry(lines: Iterable[bytes], **changes: Any) -> StreamEntry:
    """A readable queue entry of packed ``lines``, of a batch of its own and of no application that exists."""
    packed = list(lines)
    made = StreamEntry(
        entry_id=f"{uuid4().int >> 80}-0",
        shard=0,
        application_id=NOBODY,
        retention_class=1,
        batch_id=uuid4(),
        part=0,
        received_at=datetime.now(UTC),
        event_from=NOON,
        event_to=NOON,
        body_hash=b"h" * 16,
        record_count=len(packed),
        first_sequence=1,
        records=b"".join(packed),
        size_bytes=sum(map(len, packed)),
    )
    return replace(made, **changes)


def by_column(entry: StreamEntry) -> StreamEntry:
    """The same with its records by column."""
    fields = [line.split("\t") for line in entry.lines.decode().split("\n")[:-1]]
    rows = [(event_at, "\t".join(others[:3]), *others[3:]) for _, event_at, *others in fields]
    writer = TableWriter(int(fields[0][0]))
    writer.add(len(rows), list(zip(*rows, strict=True)))
    return replace(entry, records=records_of(writer.table()[0], len(rows)))


def submission(
    records: Iterable[Record] = (),
    *,
    application_id: int = 1,
    batch_id: UUID | None = None,
    received_at: datetime | None = None,
    body_hash: bytes = b"h" * 16,
    is_idempotent: bool = False,
    traceparent: str | None = None,
) -> Submission:
    """A batch ready to be queued."""
    return Submission(
        application_id=application_id,
        retention_class=1,
        batch_id=batch_id or uuid4(),
        received_at=received_at or datetime.now(UTC),
        body_hash=body_hash,
        parts=compressed_parts(pack_batch(Batch(tuple(records) or (record(),), ()))),
        is_idempotent=is_idempotent,
        traceparent=traceparent,
    )
