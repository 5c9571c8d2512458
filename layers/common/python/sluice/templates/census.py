"""Counting stored records by template. Whoever adds the counts up again gets the ledger's number of stored records."""

import io
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sluice.entries.columns import Table
from sluice.entries.model import MAX_FIELD_CHARACTERS
from sluice.entries.packing import NULL, RECORD_COLUMNS, unescape
from sluice.streams.model import StreamEntry

_LEVEL, _SERVICE = RECORD_COLUMNS.index("level"), RECORD_COLUMNS.index("service")
_SERVICE_FROM_END = len(RECORD_COLUMNS) - _SERVICE
_NULL = NULL.encode()
_MINUTE = len("2026-01-01T00:00")
_UTC = b"+00:00"


class Cell(NamedTuple):
    """What records have in common that are counted together. ``template_key`` is 0 where the template is known, and the
    template 0 where it is not. Cells sort in the order in which they have to be locked."""

    application_id: int
    event_minute: datetime
    template_id: int
    template_key: int
    level: int
    received_minute: datetime


class Release(NamedTuple):
    """A version of a service."""

    application_id: int
    service: str  # empty for none
    version: str


class ReleaseCell(NamedTuple):
    """The same for records that have a version."""

    release: Release
    event_hour: datetime
    template_id: int
    template_key: int


@dataclass(frozen=True, slots=True)
class Census:
    """How many records there are of each kind."""

    templates: Counter[Cell] = field(default_factory=Counter)
    releases: Counter[ReleaseCell] = field(default_factory=Counter)


# As text, but for template and key: minute of the event (where it is written as we write it), level, service (of those
# that have a version), version.
type _Rough = tuple[bytes, bytes, int, int, bytes, bytes]


def census(entries: Iterable[StreamEntry], dead: Collection[tuple[int, int]]) -> Census:
    """Counts of the records of clustered entries. ``dead`` are (``id`` of the entry, number in it) of those that do not
    count; the others are in the form that Postgres has accepted."""
    counts = Census()
    for entry in entries:
        received_minute = _minute(entry.received_at)
        application_id = entry.application_id
        for (event_at, level, template_id, key, service, version), count in _rough(entry, dead).items():
            event_minute = _event_minute(event_at) or received_minute
            cell = Cell(application_id, event_minute, template_id, key, _level(level), received_minute)
            counts.templates[cell] += count
            if version != _NULL:
                hour = event_minute.replace(minute=0)
                release = Release(application_id, _name(service), _name(version))
                counts.releases[ReleaseCell(release, hour, template_id, key)] += count
    return counts


def _rough(entry: StreamEntry, dead: Collection[tuple[int, int]]) -> Counter[_Rough]:
    rough: list[_Rough] = []
    records = entry.records
    rows: Iterable[Any] = io.BytesIO(records) if isinstance(records, bytes) else _rows(records)
    read: Callable[[Any], Sequence[bytes]] = _read_line if isinstance(records, bytes) else _read_row
    for number, (row, cluster) in enumerate(zip(rows, entry.clusters, strict=False)):
        if dead and (id(entry), number) in dead:
            continue
        event_at, level, service, version = read(row)
        minute = event_at[:_MINUTE] if event_at.endswith(_UTC) else event_at
        template_id = cluster.template_id
        key = 0 if template_id else cluster.key
        rough.append((minute, level, template_id, key, b"" if version == _NULL else service, version))
    return Counter(rough)


def _rows(table: Table) -> Iterable[tuple[bytes, ...]]:
    return zip(*map(table.column, ("event_at", "severity", "service", "version")), strict=True)


def _read_row(row: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Time, level, service and version; the severity begins with the level."""
    event_at, severity, service, version = row
    return event_at, severity.partition(b"\t")[0], service, version


def _read_line(line: bytes) -> tuple[bytes, ...]:
    """The same. Fields are taken from both ends: message and metadata are not divided, nor what stands between."""
    head, service, version, *_ = line.rsplit(b"\t", _SERVICE_FROM_END)
    _, event_at, level, _ = head.split(b"\t", _LEVEL + 1)
    return event_at, level, service, version


def _level(text: bytes) -> int:
    """0 for a number that Postgres can read and Python cannot."""
    try:
        return int(text)
    except ValueError:
        return 0


def _name(packed: bytes) -> str:
    text = packed.decode()
    if text == NULL:
        return ""
    try:
        return unescape(text)[:MAX_FIELD_CHARACTERS]
    except (KeyError, IndexError):  # nothing that we wrote
        return text[:MAX_FIELD_CHARACTERS]


def _event_minute(text: bytes) -> datetime | None:
    """None for a time that Postgres can read and Python cannot."""
    try:
        moment = datetime.fromisoformat(text.decode())
        return _minute(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
