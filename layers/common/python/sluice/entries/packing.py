r"""Records packed for the queue, in PostgreSQL's COPY text format: a record a line, its fields separated by tabs.

Field order is that of ``Record``. A tab, line feed, carriage return or backslash inside a field is escaped, ``\N`` is
null, so a bare line feed always ends a record: storing a packed entry needs no parsing, only a prefix per line.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sluice.entries.columns import lines_of, records_of
from sluice.entries.model import Batch, Flag, Level, Record
from sluice.errors import ContractError, Rejection

RECORD_COLUMNS = Record._fields
PART_MAX_RECORDS = 1_000
PART_MAX_CHARACTERS = 1_000_000  # of messages and metadata

_UNESCAPES = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}
NULL = "\\N"


class PackedPart(NamedTuple):
    """Records that are queued as one entry."""

    record_count: int
    event_from: datetime  # the earliest and the latest event time in it
    event_to: datetime
    content: bytes  # lines, each with its line feed, or a table (see ``columns``)
    line_bytes: int  # of the lines

    @property
    def lines(self) -> bytes:
        """Each with its line feed."""
        return lines_of(records_of(self.content, self.record_count))


class PackedBatch(NamedTuple):
    """A Batch on its way to the queue."""

    parts: tuple[PackedPart, ...]
    rejections: tuple[Rejection, ...]
    is_timed: bool  # each record carries a time of its own: an equal body can only be the same logs again

    @property
    def record_count(self) -> int:
        """Of all parts."""
        return sum(part.record_count for part in self.parts)


def pack_batch(batch: Batch) -> PackedBatch:
    """The batch with its records as lines."""
    characters = [len(record.message) + len(record.metadata) for record in batch.records]
    parts = packed_parts(list(map(record_line, batch.records)), characters)
    return PackedBatch(parts, batch.rejections, batch.is_timed)


def packed_parts(lines: Sequence[str], characters: Sequence[int]) -> tuple[PackedPart, ...]:
    """Lines (without line feeds), each with so many ``characters`` of message and metadata, in parts of at most
    PART_MAX_RECORDS records and PART_MAX_CHARACTERS; a single larger record is a part of its own.

    Where a part ends depends on the client's words alone, not on the time of receipt: a repeated request must fall into
    the same parts.
    """
    return tuple(_part(lines[span]) for span in part_spans(characters))


def _part(lines: Sequence[str]) -> PackedPart:
    text = f"{'\n'.join(lines)}\n".encode()
    return PackedPart(len(lines), *time_bounds([line.split("\t", 2)[1] for line in lines]), text, len(text))


def part_spans(characters: Sequence[int], record_count: int = 0, size: int = 0) -> Iterator[slice]:
    """Where records with so many ``characters`` are divided, the first of them for a part that has some already."""
    start = 0
    for position, count in enumerate(characters):
        if record_count and (record_count == PART_MAX_RECORDS or size + count > PART_MAX_CHARACTERS):
            yield slice(start, position)
            start, record_count, size = position, 0, 0
        record_count += 1
        size += count
    if characters:
        yield slice(start, len(characters))


def time_bounds(times: Sequence[str]) -> tuple[datetime, datetime]:
    """The earliest and the latest of packed times, whose order as texts is that of time."""
    return datetime.fromisoformat(min(times)), datetime.fromisoformat(max(times))


def pack_record(record: Record) -> bytes:
    """The record's line, with its line feed."""
    return f"{record_line(record)}\n".encode()


def record_line(record: Record) -> str:
    """The same as text, without its line feed."""
    position, event_at, level, number, severity_text, flags, original_length, *columns, message, metadata = record
    severity = f"{level:d}\t{NULL if number is None else number}\t{_optional(severity_text)}"
    length = NULL if original_length is None else original_length
    texts = "\t".join([NULL if column is None else escape(column) for column in columns])
    # JSON text holds no other special character than backslashes.
    escaped = metadata.replace("\\", "\\\\")
    time = packed_time(event_at)
    return f"{position}\t{time}\t{severity}\t{flags:d}\t{length}\t{texts}\t{escape(message)}\t{escaped}"


def packed_time(moment: datetime) -> str:
    """A time (aware, UTC) as a field's content, with all of its digits."""
    return moment.isoformat(timespec="microseconds")


def unpack_records(packed: bytes) -> Iterable[Record]:
    """The records of ``packed`` lines. Raises ContractError for a line that ``pack_record`` did not write."""
    try:
        for line in packed.decode().split("\n")[:-1]:
            yield _unpack(line.split("\t"))
    except (ValueError, KeyError, IndexError) as error:
        raise ContractError("unreadable_record", f"{type(error).__name__}: {error}") from error


def _unpack(fields: list[str]) -> Record:
    if len(fields) != len(RECORD_COLUMNS):
        raise ValueError(f"expected {len(RECORD_COLUMNS)} fields, got {len(fields)}")
    position, event_at, level, severity_number, severity_text, flags, original_length = fields[:7]
    return Record._make(
        (
            int(position),
            datetime.fromisoformat(event_at),
            Level(int(level)),
            _read_integer(severity_number),
            _read(severity_text),
            Flag(int(flags)),
            _read_integer(original_length),
            *map(_read, fields[7:14]),
            unescape(fields[14]),
            unescape(fields[15]),
        )
    )


def escape(text: str) -> str:
    """The text as a field's content."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if text.isprintable():
        return text
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _optional(text: str | None) -> str:
    return NULL if text is None else escape(text)


def _read(field: str) -> str | None:
    return None if field == NULL else unescape(field)


def _read_integer(field: str) -> int | None:
    return None if field == NULL else int(field)


def unescape(field: str) -> str:
    """A field's content as text. Raises KeyError or IndexError for escapes that ``escape`` does not make."""
    if "\\" not in field:
        return field
    first, *rest = field.split("\\\\")
    return "\\".join(_unescape_plain(part) for part in (first, *rest))


def _unescape_plain(text: str) -> str:
    head, *escapes = text.split("\\")
    return head + "".join(_UNESCAPES[escape[0]] + escape[1:] for escape in escapes)
