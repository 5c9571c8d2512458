"""Bodies of the usual form, read and packed in one pass: JSON logs with fields of our own names and types.

What this reads it reads as ``parse`` and ``packing`` would, to the byte; every other body it leaves to them. A record
with a special level, time or metadata costs only itself: the careful parser reads that one.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec.structs import asdict, astuple

from sluice.entries.levels import LEVEL_NAMES
from sluice.entries.model import (
    MAX_FIELD_CHARACTERS,
    MAX_MESSAGE_CHARACTERS,
    MAX_METADATA_CHARACTERS,
    MAX_METADATA_KEYS,
    Flag,
)
from sluice.entries.normalise import MAX_INTEGER_DIGITS
from sluice.entries.packing import NULL, PackedBatch, escape, pack_batch, record_line
from sluice.entries.parse import TEXT, check_size, parse_batch
from sluice.entries.record import MAX_SKEW, RecordParser, read_level
from sluice.entries.timestamps import MAX_CHARACTERS, in_utc, timestamp_from_number

_Column = Annotated[str, msgspec.Meta(max_length=MAX_FIELD_CHARACTERS)] | None
_Time = Annotated[str, msgspec.Meta(max_length=MAX_CHARACTERS)] | int | float | None


class _Log(msgspec.Struct, forbid_unknown_fields=True, gc=False):
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


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    logs: list[_Log]


_ONE = msgspec.json.Decoder(_Log)
_ARRAY = msgspec.json.Decoder(list[_Log])
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_encode = msgspec.json.encode
_MISSING, _SKEWED = f"{Flag.TIMESTAMP_MISSING:d}", f"{Flag.CLOCK_SKEWED:d}"
_INTEGERS = 2**63
_SMALLEST, _LARGEST = 1e-4, 1e16  # floats that Python writes without an exponent
_STEP = 16  # between the characters that are looked at for a long number
_LONG = b"0" * (MAX_INTEGER_DIGITS // _STEP)
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)


def _packed_level(sent: str | int | None) -> str:
    """Level, severity number and severity text as they are packed."""
    level, word, _ = read_level(sent)
    return f"{level:d}\t{NULL}\t{NULL if word is None else word}"


_LEVELS: dict[str | int | None, str] = {
    sent: _packed_level(sent)
    for sent in (None, *range(51), *LEVEL_NAMES, *map(str.upper, LEVEL_NAMES), *map(str.capitalize, LEVEL_NAMES))
}


def pack_usual(body: bytes, received_at: datetime, *, max_records: int) -> PackedBatch | None:
    """The records of an inflated ``body``, all of them good; None for a body that needs a careful look."""
    # JSON numbers and texts that the two readers of JSON understand differently, and texts with stand-ins.
    if b"\\u0000" in body or _LONG in body[::_STEP].translate(_DIGITS_AS_ZEROS):
        return None
    try:
        logs = _decoded(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not 0 < len(logs) <= max_records:
        return None
    return _packed(logs, received_at, is_plain=b"\\" not in body)


def pack_body(body: bytes, received_at: datetime, *, max_records: int, media_type: str = "") -> PackedBatch:
    """Reads and packs an inflated ``body``; see ``parse_batch`` for what it may be and what is raised."""
    check_size(body)
    if media_type != TEXT:
        packed = pack_usual(body, received_at, max_records=max_records)
        if packed is not None:
            return packed
    return pack_batch(parse_batch(body, received_at, max_records=max_records, media_type=media_type))


def _decoded(body: bytes) -> Sequence[_Log]:
    begin = body[:32].lstrip()
    if begin.startswith(b"["):
        return _ARRAY.decode(body)
    if begin.startswith(b'{"logs"'):
        return _ENVELOPE.decode(body).logs
    try:
        return [_ONE.decode(body)]
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # perhaps one of several
        return _ONE.decode_lines(body)


def _packed(logs: Sequence[_Log], received_at: datetime, *, is_plain: bool) -> PackedBatch:
    """``is_plain``: no text needs an escape."""
    lines: list[str] = []
    event_times: list[datetime] = []
    characters: list[int] = []
    is_timed = True
    careful = RecordParser(received_at, clean=False)
    for position, log in enumerate(logs):
        message, *columns, time, sent_level, number, severity_text, metadata = astuple(log)
        event_at = received_at if time is None else _event_at(time)
        level = _LEVELS.get(sent_level)
        text = "{}" if metadata is None else _metadata_text(metadata)
        if event_at is None or level is None or text is None or number is not None or severity_text is not None:
            record = careful.record(position, _fields(log))
            is_timed = is_timed and record.is_timed
            lines.append(record_line(record))
            event_times.append(record.event_at)
            characters.append(len(record.message) + len(record.metadata))
            continue
        flags = _MISSING if time is None else _SKEWED if abs(event_at - received_at) > MAX_SKEW else "0"
        is_timed = is_timed and time is not None
        characters.append(len(message) + len(text))
        event_times.append(event_at)
        if is_plain:
            texts = "\t".join([NULL if column is None else column for column in columns])
        else:
            texts = "\t".join([NULL if column is None else escape(column) for column in columns])
            message, text = escape(message), text.replace("\\", "\\\\")
        lines.append(f"{position}\t{event_at.isoformat()}\t{level}\t{flags}\t{NULL}\t{texts}\t{message}\t{text}\n")
    return PackedBatch(lines, event_times, characters, (), is_timed)


def _event_at(sent: str | float) -> datetime | None:
    """None if it is for the careful parser to read."""
    try:
        if not isinstance(sent, str):
            return timestamp_from_number(sent)
        moment = datetime.fromisoformat(sent)
        if moment.tzinfo is not UTC:
            return None if sent.isdigit() else in_utc(moment)
    except (ValueError, OverflowError):
        return None
    return moment


def _metadata_text(metadata: dict[str, Any]) -> str | None:
    """JSON text; None if it has nested values, or such that have stand-ins or that the two writers of JSON write
    differently."""
    if len(metadata) > MAX_METADATA_KEYS:
        return None
    for value in metadata.values():
        kind = type(value)
        if kind is str or kind is bool or value is None:
            continue
        if kind is int:
            if not -_INTEGERS <= value < _INTEGERS:
                return None
        elif kind is not float or not (value == 0 or _SMALLEST <= abs(value) < _LARGEST):
            return None
    text = _encode(metadata).decode()
    return text if len(text) <= MAX_METADATA_CHARACTERS else None


def _fields(log: _Log) -> dict[str, Any]:
    return {name: value for name, value in asdict(log).items() if value is not None}
