"""Rows on their way to COPY, read as Postgres would: the values in them by column, of either format."""

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sluice.entries.packing import unescape

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_INTEGERS = {
    **dict.fromkeys(("retention_class", "ordinal", "level", "severity_number", "flags"), ">h"),
    **dict.fromkeys(("application_id", "template_id", "position", "original_length"), ">i"),
    "template_key": ">q",
}
_TIMES, _UUIDS = ("received_at", "event_at"), ("batch_id", "trace")


def read_rows(binary: bytes, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Of binary rows without header and trailer. Raises struct.error for any that are cut."""
    found, start = [], 0
    while start < len(binary):
        (count,) = struct.unpack_from(">h", binary, start)
        assert count == len(columns)
        start += 2
        row: dict[str, Any] = {}
        for name in columns:
            (size,) = struct.unpack_from(">i", binary, start)
            start += 4
            row[name] = None if size == -1 else _from_bytes(name, binary[start : start + size])
            start += max(0, size)
        found.append(row)
    assert start == len(binary)
    return found


def read_lines(text: bytes, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Of rows as text."""
    return [dict(zip(columns, _fields(line, columns), strict=True)) for line in text.decode().split("\n")[:-1]]


def _fields(line: str, columns: Sequence[str]) -> Iterator[Any]:
    for name, field in zip(columns, line.split("\t"), strict=True):
        yield None if field == "\\N" else _from_text(name, field)


def _from_bytes(name: str, value: bytes) -> Any:
    if name in _INTEGERS:
        return struct.unpack(_INTEGERS[name], value)[0]
    if name in _TIMES:
        return _EPOCH + timedelta(microseconds=struct.unpack(">q", value)[0])
    return UUID(bytes=value) if name in _UUIDS else value.decode()


def _from_text(name: str, value: str) -> Any:
    if name in _INTEGERS:
        return int(value)
    if name in _TIMES:
        return datetime.fromisoformat(value)
    return UUID(value) if name in _UUIDS else unescape(value)
