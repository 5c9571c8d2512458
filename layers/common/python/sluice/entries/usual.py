"""Bodies of the usual form, read and packed field by field: JSON logs with fields of our own names and types.

What this reads it reads as ``parse`` and ``packing`` would, to the byte; every other body it leaves to them. A record
with a special level, time or metadata costs only itself: the careful parser reads that one. What is the same for all
records is done for all at once, one field after the other, so that little of it runs in Python.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import repeat
from operator import add
from typing import Annotated, Any

import msgspec
from msgspec.structs import asdict, astuple

from sluice.entries.levels import LEVEL_NAMES
from sluice.entries.model import (
    MAX_FIELD_CHARACTERS,
    MAX_MESSAGE_CHARACTERS,
    MAX_METADATA_CHARACTERS,
    MAX_METADATA_DEPTH,
    MAX_METADATA_KEYS,
    Flag,
)
from sluice.entries.normalise import MAX_INTEGER_DIGITS
from sluice.entries.packing import NULL, PackedBatch, escape, pack_batch, packed_time, record_line
from sluice.entries.parse import TEXT, check_size, parse_batch
from sluice.entries.record import MAX_SKEW, RecordParser, read_level
from sluice.entries.timestamps import MAX_CHARACTERS, in_utc, timestamp_from_number

_INTEGERS = 2**63
_SMALLEST, _LARGEST = 1e-4, 1e16  # floats that Python writes without an exponent
_Column = Annotated[str, msgspec.Meta(max_length=MAX_FIELD_CHARACTERS)] | None
_Time = Annotated[str, msgspec.Meta(max_length=MAX_CHARACTERS)] | int | float | None
_Integer = Annotated[int, msgspec.Meta(ge=-_INTEGERS, le=_INTEGERS - 1)]
_Float = Annotated[float, msgspec.Meta(gt=-_LARGEST, lt=_LARGEST)]


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


class _FlatLog(_Log, forbid_unknown_fields=True, gc=False):
    metadata: dict[str, str | _Integer | _Float | bool | None] | None = None


class _Decoders:
    """Of the forms that a body of logs of this ``kind`` may have."""

    def __init__(self, kind: type[_Log]) -> None:
        self._one = msgspec.json.Decoder(kind)
        self._array = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
        self._envelope = msgspec.json.Decoder(
            msgspec.defstruct("_Envelope", [("logs", list[kind])], forbid_unknown_fields=True)  # type: ignore[valid-type]
        )

    def logs(self, body: bytes) -> Sequence[_Log]:
        begin = body[:32].lstrip()
        if begin.startswith(b"["):
            return self._array.decode(body)
        if begin.startswith(b'{"logs"'):
            return self._envelope.decode(body).logs  # type: ignore[attr-defined,no-any-return]
        try:
            return [self._one.decode(body)]
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:  # perhaps one of several
            return self._one.decode_lines(body)


_FLAT, _ANY = _Decoders(_FlatLog), _Decoders(_Log)
_encode, _encode_lines = msgspec.json.Encoder().encode, msgspec.json.Encoder().encode_lines
_AT_ONCE_BYTES = 2**21  # of a body whose metadata are encoded at once, for which each is in memory twice
_MISSING, _SKEWED = f"{Flag.TIMESTAMP_MISSING:d}", f"{Flag.CLOCK_SKEWED:d}"
_STEP = 16  # between the characters that are looked at for a long number
_LONG = b"0" * (MAX_INTEGER_DIGITS // _STEP)
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
# In numbers below _SMALLEST, as msgspec writes them, and with their digits as zeros; and in some others, and words.
_TINY, _EXPONENT, _TINY_EXPONENT = b"0.0000", b"e-", b"0e-0"
# Times in UTC that differ from the packed form in their end alone: how much of them is kept, and what follows.
_TIME_FORMS = {
    f"0000-00-00T00:00:00{fraction}{zone}".encode(): (19 + len(fraction), f"{rest}+00:00")
    for fraction, rest in (("", ".000000"), (".000", "000"), (".000000", ""))
    for zone in ("Z", "+00:00")
}


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
    is_plain = b"\\" not in body
    if (not is_plain and b"\\u0000" in body) or _LONG in body[::_STEP].translate(_DIGITS_AS_ZEROS):
        return None
    is_flat = True
    try:
        try:
            logs = _FLAT.logs(body)
        except msgspec.ValidationError:
            is_flat = False
            logs = _ANY.logs(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not 0 < len(logs) <= max_records:
        return None
    fields = list(zip(*map(astuple, logs), strict=True))
    metadata = _flat_texts(fields[-1]) if is_flat and len(body) <= _AT_ONCE_BYTES else None
    return _packed(logs, fields, metadata or list(map(_metadata_text, fields[-1])), received_at, is_plain=is_plain)


def pack_body(body: bytes, received_at: datetime, *, max_records: int, media_type: str = "") -> PackedBatch:
    """Reads and packs an inflated ``body``; see ``parse_batch`` for what it may be and what is raised."""
    check_size(body)
    if media_type != TEXT:
        packed = pack_usual(body, received_at, max_records=max_records)
        if packed is not None:
            return packed
    return pack_batch(parse_batch(body, received_at, max_records=max_records, media_type=media_type))


def _packed(
    logs: Sequence[_Log],
    fields: Sequence[tuple[Any, ...]],
    metadata: list[str],
    received_at: datetime,
    *,
    is_plain: bool,
) -> PackedBatch:
    """``is_plain``: no text needs an escape. ``metadata`` are JSON text; an empty one is for the careful parser."""
    messages, *columns, sent_times, sent_levels, numbers, severity_texts, _ = fields
    times, event_times, flags = _times(sent_times, received_at)
    levels = list(map(_LEVELS.get, sent_levels, repeat("")))
    characters = list(map(add, map(len, messages), map(len, metadata)))
    is_timed = None not in sent_times
    nulls = repeat(NULL)
    texts = [
        *[nulls if column.count(None) == len(column) else _texts(column, is_plain=is_plain) for column in columns],
        messages if is_plain else map(escape, messages),
        metadata if is_plain else [text.replace("\\", "\\\\") for text in metadata],
    ]
    positions = map(str, range(len(logs)))
    lines = list(map("\t".join, zip(positions, times, levels, flags, nulls, *texts, strict=False)))
    has_severities = numbers.count(None) + severity_texts.count(None) < 2 * len(logs)
    if has_severities or "" in times or "" in levels or "" in metadata:
        careful = RecordParser(received_at, clean=False)
        for position, is_usual in enumerate(zip(times, levels, metadata, strict=True)):
            if all(is_usual) and numbers[position] is None and severity_texts[position] is None:
                continue
            record = careful.record(position, _fields(logs[position]))
            is_timed = is_timed and record.is_timed
            lines[position], event_times[position] = record_line(record), record.event_at
            characters[position] = len(record.message) + len(record.metadata)
    return PackedBatch(lines, event_times, characters, (), is_timed)


def _texts(column: Sequence[str | None], *, is_plain: bool) -> Iterable[str]:
    if is_plain:
        return [NULL if text is None else text for text in column]
    return [NULL if text is None else escape(text) for text in column]


def _times(sent: Sequence[Any], received_at: datetime) -> tuple[list[str], list[datetime], Iterable[str]]:
    """Event times as they are packed and as such, and the flags. An empty text is for the careful parser."""
    alike = _times_alike(sent)
    if alike is None:
        times = [_event_at(time, received_at) for time in sent]
        event_times = [received_at if moment is None else moment for moment in times]
        texts = ["" if moment is None else packed_time(moment) for moment in times]
    else:
        texts, event_times = alike
        if max(event_times) - received_at <= MAX_SKEW and received_at - min(event_times) <= MAX_SKEW:
            return texts, event_times, repeat("0")
    flags = [
        _MISSING if time is None else _SKEWED if abs(event_at - received_at) > MAX_SKEW else "0"
        for time, event_at in zip(sent, event_times, strict=True)
    ]
    return texts, event_times, flags


def _times_alike(sent: Sequence[Any]) -> tuple[list[str], list[datetime]] | None:
    """The times as they are packed and as such, if all have the same of _TIME_FORMS."""
    try:
        digits = "\n".join(sent).encode("ascii").translate(_DIGITS_AS_ZEROS)
        form = digits.partition(b"\n")[0]
        if form not in _TIME_FORMS or digits != b"\n".join([form] * len(sent)):
            return None
        event_times = list(map(datetime.fromisoformat, sent))
    except (TypeError, ValueError):
        return None
    if {moment.tzinfo for moment in event_times} != {UTC}:
        return None
    kept, end = _TIME_FORMS[form]
    return [f"{time[:kept]}{end}" for time in sent], event_times


def _event_at(sent: str | float | None, received_at: datetime) -> datetime | None:
    """None if it is for the careful parser to read."""
    if sent is None:
        return received_at
    try:
        if not isinstance(sent, str):
            return timestamp_from_number(sent)
        moment = datetime.fromisoformat(sent)
        if moment.tzinfo is not UTC:
            return None if sent.isdigit() else in_utc(moment)
    except (ValueError, OverflowError):
        return None
    return moment


def _flat_texts(metadata: Sequence[dict[str, Any] | None]) -> list[str] | None:
    """``_metadata_text`` of each; None if one may need a closer look."""
    encoded = _encode_lines([{} if item is None else item for item in metadata])
    if _TINY in encoded or (_EXPONENT in encoded and _TINY_EXPONENT in encoded.translate(_DIGITS_AS_ZEROS)):
        return None
    texts = encoded.decode().split("\n")[:-1]
    if len(encoded) > MAX_METADATA_CHARACTERS and max(map(len, texts)) > MAX_METADATA_CHARACTERS:
        return None
    return texts if max(map(len, filter(None, metadata)), default=0) <= MAX_METADATA_KEYS else None


def _metadata_text(metadata: dict[str, Any] | None) -> str:
    """JSON text; empty if metadata have values with stand-ins, or such that the two writers of JSON write
    differently."""
    if metadata is None:
        return "{}"
    if not _is_written_alike(metadata, 1):
        return ""
    text = _encode(metadata).decode()
    return text if len(text) <= MAX_METADATA_CHARACTERS else ""


def _is_written_alike(value: Any, depth: int) -> bool:
    """Whether a value, with all that is in an object or array at that ``depth``, needs no stand-in and is the same text
    by either writer of JSON."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return bool(-_INTEGERS <= value < _INTEGERS)
    if kind is float:
        return bool(value == 0 or _SMALLEST <= abs(value) < _LARGEST)
    if depth > MAX_METADATA_DEPTH or (kind is dict and len(value) > MAX_METADATA_KEYS):
        return False
    return all(_is_written_alike(item, depth + 1) for item in (value.values() if kind is dict else value))


def _fields(log: _Log) -> dict[str, Any]:
    return {name: value for name, value in asdict(log).items() if value is not None}
