"""Counting stored records by template. Whoever adds the counts up again gets the ledger's number of stored records."""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from sluice.entries.packing import RECORD_COLUMNS
from sluice.streams.model import StreamEntry

_EVENT_AT, _LEVEL = RECORD_COLUMNS.index("event_at"), RECORD_COLUMNS.index("level")
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


def census(entries: Iterable[StreamEntry], dead: Collection[tuple[int, int]]) -> Counter[Cell]:
    """Counts of the records of clustered entries. ``dead`` are (``id`` of the entry, number in it) of those that do not
    count; the others are in the form that Postgres has accepted."""
    counts: Counter[Cell] = Counter()
    for entry in entries:
        received_minute = _minute(entry.received_at)
        for (event_at, level, template_id, key), count in _rough(entry, dead).items():
            cell = Cell(
                entry.application_id,
                _event_minute(event_at) or received_minute,
                template_id,
                key,
                level,
                received_minute,
            )
            counts[cell] += count
    return counts


def _rough(entry: StreamEntry, dead: Collection[tuple[int, int]]) -> Counter[tuple[bytes, int, int, int]]:
    """By (minute of the event as text, level, template, key)."""
    counts: Counter[tuple[bytes, int, int, int]] = Counter()
    for number, (line, cluster) in enumerate(zip(entry.lines.split(b"\n"), entry.clusters, strict=False)):
        if dead and (id(entry), number) in dead:
            continue
        fields = line.split(b"\t", _LEVEL + 1)
        event_at = fields[_EVENT_AT]
        minute = event_at[:_MINUTE] if event_at.endswith(_UTC) else event_at
        key = 0 if cluster.template_id else cluster.key
        counts[minute, _level(fields[_LEVEL]), cluster.template_id, key] += 1
    return counts


def _level(text: bytes) -> int:
    """0 for a number that Postgres can read and Python cannot."""
    try:
        return int(text)
    except ValueError:
        return 0


def _event_minute(text: bytes) -> datetime | None:
    """None for a time that Postgres can read and Python cannot."""
    try:
        moment = datetime.fromisoformat(text.decode())
        return _minute(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
