"""Rows of the log table as COPY text, built from packed entries by prefixing each line."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sluice.entries.columns import Records, Table
from sluice.entries.packing import NULL, RECORD_COLUMNS
from sluice.streams.model import StreamEntry, UnreadableEntry
from sluice.templates.clusters import UNMASKED, Cluster

_ENTRY_COLUMNS = ("application_id", "batch_id", "received_at", "retention_class")
_COLUMNS = (*_ENTRY_COLUMNS, "template_key", "template_id", *RECORD_COLUMNS)
_MAX_ORDINAL = 2**15 - 1
# A line whose trace id is neither null nor 16 bytes as the W3C writes them; a uuid would be read from other texts, too.
_OTHER_TRACE_ID = re.compile(rb"\n" + RECORD_COLUMNS.index("trace_id") * rb"[^\t]*+\t" + rb"(?!\\N\t|[0-9a-f]{32}\t)")
_TRACE_ID_DIGITS, _TRACE_ID_LENGTH = b"0123456789abcdef", 32
_NULL = NULL.encode()
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


def columns(entry: StreamEntry) -> tuple[str, ...]:
    """The columns of the table that the fields of an entry's rows go to: the shorter ones that take all of theirs."""
    _, last = position_range(entry)
    shorter = {"position": "ordinal"} if last is not None and 0 <= last <= _MAX_ORDINAL else {}
    if not _has_other_trace_id(entry.records):
        shorter["trace_id"] = "trace"
    return tuple(shorter.get(name, name) for name in _COLUMNS)


def _has_other_trace_id(records: Records) -> bool:
    if isinstance(records, bytes):
        return bool(_OTHER_TRACE_ID.search(b"\n" + records))
    sent = [trace_id for trace_id in records.column("trace_id") if trace_id != _NULL]
    return bool({*map(len, sent)} - {_TRACE_ID_LENGTH} or b"".join(sent).translate(None, _TRACE_ID_DIGITS))


def entry_text(entry: StreamEntry) -> bytes:
    """All rows of an entry as COPY text: inside a packed line no bare line feed exists."""
    prefix, records = _prefix(entry), entry.records
    is_clustered = len(entry.clusters) == entry.record_count
    if isinstance(records, Table):
        clusters = [cluster.columns for cluster in entry.clusters] if is_clustered else UNMASKED.columns
        return records.lines(prefix.removesuffix(b"\t"), clusters)
    if not is_clustered:
        prefix += UNMASKED.columns + b"\t"
        return prefix + records[:-1].replace(b"\n", b"\n" + prefix) + b"\n"
    lines = io.BytesIO(records)
    parts = [b"%b\t%b" % (cluster.columns, line) for cluster, line in zip(entry.clusters, lines, strict=True)]
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
