"""Rows of the log table as COPY takes them; as text they are packed lines with a prefix each."""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sluice.chunks.binary import binary_rows
from sluice.entries.columns import COLUMNS, Records, Table
from sluice.entries.packing import NULL, RECORD_COLUMNS
from sluice.streams.model import StreamEntry, UnreadableEntry
from sluice.templates.clusters import UNMASKED, Cluster

_ENTRY_COLUMNS = ("application_id", "batch_id", "received_at", "retention_class")
_COLUMNS = (*_ENTRY_COLUMNS, "template_key", "template_id", *RECORD_COLUMNS)
_MAX_ORDINAL = 2**15 - 1
# A line whose trace id is neither null nor 16 bytes as the W3C writes them; a uuid would be read from other texts, too.
_OTHER_TRACE_ID = re.compile(rb"\n" + RECORD_COLUMNS.index("trace_id") * rb"[^\t]*+\t" + rb"(?!\\N\t|[0-9a-f]{32}\t)")
_TRACE_ID_DIGITS, _TRACE_ID_LENGTH = b"0123456789abcdef", 32
_NULL_LINE = f"{NULL}\n".encode()
_MAX_DETAIL_CHARACTERS = 500
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Row:
    """One record of an entry."""

    entry: StreamEntry
    line: bytes  # packed, with its line feed
    number: int  # 0-based, within the entry

    @property
    def text(self) -> bytes:
        """The row as COPY text."""
        return b"%b%b\t%b" % (_prefix(self.entry), self.cluster.columns, self.line)

    @property
    def cluster(self) -> Cluster:
        """What the row says of its template."""
        clusters = self.entry.clusters
        return clusters[self.number] if self.number < len(clusters) else UNMASKED

    @property
    def metadata(self) -> str | None:
        """The metadata's text; None if the line is not UTF-8 or holds U+0000, which no text parameter can carry."""
        field = self.line.rstrip(b"\n").rpartition(b"\t")[2].replace(b"\\\\", b"\\")
        try:
            return None if b"\x00" in field else field.decode()
        except UnicodeDecodeError:
            return None

    @property
    def position(self) -> int:
        """The record's position in the client's request; a negative number of its own where the line does not tell."""
        text = self.line.partition(b"\t")[0]
        return int(text) if text.isdigit() and len(text) < 10 else -1 - self.number


@dataclass(frozen=True, slots=True)
class DeadRow:
    """A record, or a whole unreadable entry, on its way to the dead letters."""

    source: Row | UnreadableEntry
    reason: str
    detail: str

    @property
    def batch_id(self) -> str | None:
        """32 hex digits; None for an entry that does not tell."""
        entry = self.source.header if isinstance(self.source, UnreadableEntry) else self.source.entry
        return entry.batch_id.hex if entry else None

    def values(self) -> tuple[Any, ...]:
        """Shard, stream id, position, application id, retention class, batch id, part, received at, reason, detail and
        the queued bytes."""
        detail = _UNSTORABLE.sub("\ufffd", self.detail)[:_MAX_DETAIL_CHARACTERS]
        if isinstance(self.source, UnreadableEntry):
            source = self.source
            return source.shard, source.entry_id, *[None] * 6, self.reason, detail, source.raw
        entry = self.source.entry
        return (
            *(entry.shard, entry.entry_id, self.source.position, entry.application_id, entry.retention_class),
            *(entry.batch_id.hex, entry.part, entry.received_at, self.reason, detail, self.source.line),
        )


def unreadable_row(entry: UnreadableEntry) -> DeadRow:
    """The dead row of an entry that cannot be read."""
    return DeadRow(entry, "unreadable_entry", entry.detail)


class CopyForm(NamedTuple):
    """How COPY takes the rows of an entry: rows of the same form may go with one."""

    columns: tuple[str, ...]  # the shorter ones that take all of a field's values
    is_binary: bool


def copied(entry: StreamEntry) -> tuple[CopyForm, bytes]:
    """All rows of an entry, and their form: binary if its records are by column, else text."""
    names, templates, records = _columns(entry), _templates(entry), entry.records
    rows = binary_rows(entry, records, names, templates) if isinstance(records, Table) else None
    if rows is not None:
        return CopyForm(names, is_binary=True), rows
    return CopyForm(names, is_binary=False), _text(_prefix(entry), templates, entry.lines)


def _columns(entry: StreamEntry) -> tuple[str, ...]:
    _, last = position_range(entry)
    shorter = {"position": "ordinal"} if last is not None and 0 <= last <= _MAX_ORDINAL else {}
    if not _has_other_trace_id(entry.records):
        shorter["trace_id"] = "trace"
    return tuple(shorter.get(name, name) for name in _COLUMNS)


def _has_other_trace_id(records: Records) -> bool:
    if isinstance(records, bytes):
        return bool(_OTHER_TRACE_ID.search(b"\n" + records))
    column = records.columns[COLUMNS.index("trace_id")]
    lines = [column + b"\n"] if isinstance(column, bytes) else column
    text = b"".join(lines)
    if b"\\" in text:
        text = b"".join([line for line in lines if line != _NULL_LINE])
    ends = text[_TRACE_ID_LENGTH :: _TRACE_ID_LENGTH + 1]
    return text.translate(None, _TRACE_ID_DIGITS) != ends or ends.count(b"\n") * (_TRACE_ID_LENGTH + 1) != len(text)


def _templates(entry: StreamEntry) -> bytes | Sequence[bytes]:
    if len(entry.clusters) != entry.record_count:
        return UNMASKED.columns
    return [cluster.columns for cluster in entry.clusters]


def _text(prefix: bytes, templates: bytes | Sequence[bytes], lines: bytes) -> bytes:
    """Inside a packed line no bare line feed exists."""
    if isinstance(templates, bytes):
        prefix += templates + b"\t"
        return prefix + lines[:-1].replace(b"\n", b"\n" + prefix) + b"\n"
    parts = [b"%b\t%b" % item for item in zip(templates, io.BytesIO(lines), strict=True)]
    return prefix + prefix.join(parts)


def entry_rows(entry: StreamEntry) -> Iterator[Row]:
    """The rows of an entry one by one."""
    return (Row(entry, line, number) for number, line in enumerate(io.BytesIO(entry.lines)))


def position_range(entry: StreamEntry) -> tuple[int | None, int | None]:
    """The first and the last position of an entry's records; None, None for one without readable records."""
    records = entry.records
    if isinstance(records, Table):
        return records.first_position, records.first_position + records.record_count - 1
    if not records:
        return None, None
    last = records[records.rfind(b"\n", 0, -1) + 1 :]
    return Row(entry, records, 0).position, Row(entry, last, entry.record_count - 1).position


def _prefix(entry: StreamEntry) -> bytes:
    received_at = entry.received_at.isoformat(" ")  # a T would be looked up among the names that times may have
    return f"{entry.application_id}\t{entry.batch_id}\t{received_at}\t{entry.retention_class}\t".encode()
