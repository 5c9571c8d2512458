"""Bodies of the usual form, decoded: JSON logs with fields of our own names and types."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec.structs import astuple, fields

from sluice.entries.model import MAX_FIELD_CHARACTERS, MAX_MESSAGE_CHARACTERS, MAX_METADATA_KEYS
from sluice.entries.timestamps import MAX_CHARACTERS

INTEGERS = 2**63
SMALLEST, LARGEST = 1e-4, 1e16  # floats that Python writes without an exponent
BLOCK_BYTES = 2**16
_BETWEEN_RECORDS = re.compile(rb"(?<=})[ \t\r\n]*,[ \t\r\n]*(?={)")  # of an array
_BETWEEN_LINES = re.compile(rb"\n")
_AROUND_RECORDS = ((b"[", b"]"), (b'{"logs":[', b"]}"))
_WHITESPACE = b" \t\r\n"

_Column = Annotated[str, msgspec.Meta(max_length=MAX_FIELD_CHARACTERS)] | None
_Time = Annotated[str, msgspec.Meta(max_length=MAX_CHARACTERS)] | int | float | None
_Integer = Annotated[int, msgspec.Meta(ge=-INTEGERS, le=INTEGERS - 1)]
_Float = Annotated[float, msgspec.Meta(gt=-LARGEST, lt=LARGEST)]
_FlatMetadata = Annotated[dict[str, str | _Integer | _Float | bool | None], msgspec.Meta(max_length=MAX_METADATA_KEYS)]


class Log(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One log as it was sent."""

    message: Annotated[str, msgspec.Meta(max_length=MAX_MESSAGE_CHARACTERS)]
    trace_id: _Column = None
    span_id: _Column = None
    session_id: _Column = None
    logger: _Column = None
    host: _Column = None
    service: _Column = None
    version: _Column = None
    timestamp: _Time = None
    level: str | int | None = None
    severity_number: Any = None
    severity_text: Any = None
    metadata: dict[str, Any] | None = None


class _FlatLog(Log, forbid_unknown_fields=True, gc=False):
    metadata: _FlatMetadata | None = None


class Decoded(NamedTuple):
    """Logs that lie together in a body."""

    logs: Sequence[msgspec.Struct]
    columns: Mapping[str, Sequence[Any]]  # by name of the field; those that no log has may be missing
    are_flat: bool  # all metadata
    size: int  # bytes of JSON

    @property
    def names(self) -> tuple[str, ...]:
        """Of the fields that any log has."""
        return tuple(name for name, column in self.columns.items() if not is_missing(column))


def is_missing(column: Sequence[Any]) -> bool:
    """Whether no log has this field."""
    return column[0] is None and column.count(None) == len(column)  # to compare a text with None takes its time


class _Decoders:
    """Of the forms that logs of this ``kind`` may have."""

    def __init__(self, kind: Any) -> None:
        self.fields: tuple[str, ...] = kind.__struct_fields__
        self.lines = msgspec.json.Decoder(kind).decode_lines
        self.array = msgspec.json.Decoder(list[kind]).decode


_FLAT, _ANY = _Decoders(_FlatLog), _Decoders(Log)
decode_flat = msgspec.json.Decoder(_FlatLog).decode  # a log on its own, whose metadata are flat


@lru_cache(maxsize=64)
def _flat_with(names: tuple[str, ...]) -> _Decoders:
    """For logs that have these fields alone, which takes less time."""
    wanted = [field for field in fields(_FlatLog) if field.name in names]
    made = [(field.name, field.type) if field.required else (field.name, field.type, None) for field in wanted]
    return _Decoders(msgspec.defstruct("_FewLog", made, forbid_unknown_fields=True, gc=False))


def decode(body: bytes, block_bytes: int = BLOCK_BYTES) -> Iterator[Decoded]:
    """All logs of a body, block by block: what is made of so many bytes stays in the processor's cache. Raises
    DecodeError, UnicodeDecodeError or RecursionError for a body of another form, perhaps after some blocks."""
    if not body[:32].lstrip().startswith((b"[", b'{"logs"')):
        return _blocks(body, 0, len(body), block_bytes, is_array=False)
    first, last = body.find(b"[") + 1, body.rfind(b"]")
    around = body[:first].translate(None, _WHITESPACE), body[last:].translate(None, _WHITESPACE)
    if around not in _AROUND_RECORDS:
        raise msgspec.DecodeError("there is something beside the records")
    return _blocks(body, first, last, block_bytes, is_array=True)


def _blocks(body: bytes, start: int, last: int, block_bytes: int, *, is_array: bool) -> Iterator[Decoded]:
    """Of the records from ``start`` to ``last``. Where something else looks like what is between two, what is before it
    is no JSON: then a block of twice the size is tried."""
    usual, between = _FLAT, _BETWEEN_RECORDS if is_array else _BETWEEN_LINES
    size = block_bytes
    while start < last:
        found = between.search(body, start + size, last)
        end, following = found.span() if found else (last, last)
        try:
            block = _decoded(memoryview(body)[start:end], usual, is_array=is_array)
        except msgspec.DecodeError:
            if end == last:
                raise
            size *= 2
            continue
        start, size = following, block_bytes
        if block.logs:
            if start < last:
                usual = _flat_with(block.names)
            yield block


def _decoded(records: memoryview, usual: _Decoders, *, is_array: bool) -> Decoded:
    """As it is ``usual``, if that can be."""
    text = b"".join((b"[", records, b"]")) if is_array else records
    for decoders in (usual, _FLAT, _ANY):
        try:
            logs = decoders.array(text) if is_array else decoders.lines(text)
        except msgspec.ValidationError:
            if decoders is _ANY:
                raise
        else:
            break
    columns = dict(zip(decoders.fields, zip(*map(astuple, logs), strict=True), strict=False))
    return Decoded(logs, columns, decoders is not _ANY, len(text))
