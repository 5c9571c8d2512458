"""Bodies of the usual form, read and packed field by field: JSON logs with fields of our own names and types.

What this reads it reads as ``parse`` and ``packing`` would, to the byte; every other body it leaves to them. A record
with a special level, time or metadata costs only itself: the careful parser reads that one. What is the same for all
records is done for all at once, one field after the other, so that little of it runs in Python.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import repeat
from operator import add
from typing import Annotated, Any, NamedTuple

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
    Record,
)
from sluice.entries.normalise import MAX_INTEGER_DIGITS
from sluice.entries.packing import (
    NULL,
    PART_MAX_CHARACTERS,
    PART_MAX_RECORDS,
    PackedBatch,
    PackedPart,
    escape,
    pack_batch,
    packed_parts,
    packed_time,
    record_line,
)
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
        self.one = msgspec.json.Decoder(kind).decode
        self._lines = msgspec.json.Decoder(kind).decode_lines
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
            return [self.one(body)]
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:  # perhaps one of several
            return self._lines(body)


_FLAT, _ANY = _Decoders(_FlatLog), _Decoders(_Log)
_encode, _encode_lines = msgspec.json.Encoder().encode, msgspec.json.Encoder().encode_lines
_AT_ONCE_BYTES = 2**21  # of a body whose metadata are encoded at once, for which each is in memory twice
_MISSING, _SKEWED = f"{Flag.TIMESTAMP_MISSING:d}", f"{Flag.CLOCK_SKEWED:d}"
_POSITIONS = tuple(map(str, range(PART_MAX_RECORDS)))
_MINUTE = len("0000-00-00T00:00:")
_STEP = 16  # between the characters that are looked at for a long number
_LONG = b"0" * (MAX_INTEGER_DIGITS // _STEP)
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
# In numbers below _SMALLEST, as msgspec writes them, and with their digits as zeros; and in some others, and words.
_TINY, _EXPONENT, _TINY_EXPONENT = b"0.0000", b"e-", b"0e-0"
# Times in UTC that differ from the packed form in their end alone: what ends them, and what follows the rest of them.
_TIME_FORMS = {
    f"0000-00-00T00:00:00{fraction}{zone}".encode(): (zone, f"{rest}+00:00")
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
    is_plain = b"\\" not in body
    if _needs_care(body, is_plain=is_plain):
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


def pack_single(body: bytes, received_at: datetime) -> PackedPart | None:
    """The one record of an inflated ``body`` as ``pack_usual`` packs it; None for any other body, or one with a
    severity, metadata that are no flat object or a time that needs a careful look."""
    is_plain = b"\\" not in body
    if _needs_care(body, is_plain=is_plain):
        return None
    try:
        log = _FLAT.one(body)
        moment = _event_at(log.timestamp, received_at)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    level = _LEVELS.get(log.level)
    if moment is None or level is None or log.severity_number is not None or log.severity_text is not None:
        return None
    encoded = _encode(log.metadata or {})
    if (
        abs(moment - received_at) > MAX_SKEW
        or _may_have_tiny_number(encoded)
        or encoded.count(b'":') > MAX_METADATA_KEYS
    ):
        return None
    columns = (log.trace_id, log.span_id, log.session_id, log.logger, log.host, log.service, log.version)
    message, metadata = log.message, encoded.decode()
    if is_plain:
        texts = [NULL if column is None else column for column in columns]
    else:
        texts = [NULL if column is None else escape(column) for column in columns]
        message, metadata = escape(message), metadata.replace("\\", "\\\\")
    flags = _MISSING if log.timestamp is None else "0"
    fields = ("0", _packed_time(log.timestamp, moment), level, flags, NULL, *texts, message, metadata)
    return PackedPart(1, moment, moment, f"{'\t'.join(fields)}\n".encode())


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
    metadata: Sequence[str],
    received_at: datetime,
    *,
    is_plain: bool,
) -> PackedBatch:
    """``is_plain``: no text needs an escape. ``metadata`` are JSON text; an empty one is for the careful parser."""
    count = len(logs)
    messages, *columns, sent_times, sent_levels, numbers, severity_texts, _ = fields
    times, levels = _times(sent_times, received_at), list(map(_LEVELS.get, sent_levels, repeat("")))
    positions = _POSITIONS[:count] if count <= PART_MAX_RECORDS else list(map(str, range(count)))
    strands = [positions, "\t", times.texts, times.end, "\t", levels, "\t", times.flags, "\t", NULL, "\t"]
    for column in columns:
        strands += (_texts(column, is_plain=is_plain), "\t")
    strands += (messages if is_plain else list(map(escape, messages)), "\t")
    strands += (metadata if is_plain else [item.replace("\\", "\\\\") for item in metadata], "\n")
    text = _woven(count, strands)
    has_severities = numbers.count(None) + severity_texts.count(None) < 2 * count
    is_usual = all(times.texts) and all(levels) and all(metadata) and not has_severities
    is_timed = None not in sent_times
    if is_usual and count <= PART_MAX_RECORDS and len(text) <= PART_MAX_CHARACTERS:
        return PackedBatch((PackedPart(count, times.earliest, times.latest, text.encode()),), (), is_timed)
    lines, characters = text.split("\n")[:-1], list(map(add, map(len, messages), map(len, metadata)))
    if not is_usual:
        for record in _special(logs, zip(times.texts, levels, metadata, strict=True), received_at):
            is_timed = is_timed and record.is_timed
            lines[record.position] = record_line(record)
            characters[record.position] = len(record.message) + len(record.metadata)
    return PackedBatch(packed_parts(lines, characters), (), is_timed)


def _special(logs: Sequence[_Log], cells: Iterable[tuple[str, ...]], received_at: datetime) -> Iterator[Record]:
    """The logs that are for the careful parser: with an empty one among their ``cells``, or with severities."""
    careful = RecordParser(received_at, clean=False)
    for position, (log, known) in enumerate(zip(logs, cells, strict=True)):
        if not all(known) or log.severity_number is not None or log.severity_text is not None:
            yield careful.record(position, _fields(log))


def _woven(count: int, strands: Iterable[Sequence[str] | str]) -> str:
    """``count`` pieces of text, one after the other, made of an item of each strand; one that is a text is the same in
    all of them."""
    if count == 1:
        return "".join([strand if type(strand) is str else strand[0] for strand in strands])
    woven: list[Sequence[str]] = []
    same = ""
    for strand in strands:
        if isinstance(strand, str):
            same += strand
        else:
            woven += ([same] * count, strand)
            same = ""
    woven.append([same] * count)
    width = len(woven)
    cells = [""] * (count * width)
    for position, strand in enumerate(woven):
        cells[position::width] = strand
    return "".join(cells)


def _texts(column: Sequence[str | None], *, is_plain: bool) -> Sequence[str] | str:
    missing = column.count(None)
    if missing == len(column):
        return NULL
    if is_plain:
        return [NULL if text is None else text for text in column] if missing else column  # type: ignore[return-value]
    return [NULL if text is None else escape(text) for text in column]


class _Times(NamedTuple):
    """Event times as they are packed, without their common ``end``; an empty one is for the careful parser."""

    texts: Sequence[str]
    end: str
    flags: Sequence[str] | str
    earliest: datetime  # of those that were read
    latest: datetime


def _times(sent: Sequence[Any], received_at: datetime) -> _Times:
    alike = _times_alike(sent)
    if alike is not None:
        texts, end, earliest, latest = alike
        if latest - received_at <= MAX_SKEW and received_at - earliest <= MAX_SKEW:
            return _Times(texts, end, "0", earliest, latest)
    read = [_event_at(time, received_at) for time in sent]
    moments = [received_at if moment is None else moment for moment in read]
    flags = [
        _MISSING if time is None else _SKEWED if abs(moment - received_at) > MAX_SKEW else "0"
        for time, moment in zip(sent, moments, strict=True)
    ]
    texts = ["" if moment is None else packed_time(moment) for moment in read]
    return _Times(texts, "", flags, min(moments), max(moments))


def _times_alike(sent: Sequence[Any]) -> tuple[Sequence[str], str, datetime, datetime] | None:
    """The times as they are packed, without their common end, that end, and the earliest and the latest, if all have
    the same of _TIME_FORMS."""
    try:
        joined = "\n".join(sent)
        digits = f"{joined}\n".encode("ascii").translate(_DIGITS_AS_ZEROS)
        form = digits.partition(b"\n")[0]
        if form not in _TIME_FORMS or digits != (form + b"\n") * len(sent):
            return None
        zone, end = _TIME_FORMS[form]
        *texts, rest = f"{joined}\n".split(f"{zone}\n")
        if rest or len(texts) != len(sent):  # another zone, whose digits look alike
            return None
        first, last = min(texts), max(texts)
        earliest, latest = datetime.fromisoformat(f"{first}{end}"), datetime.fromisoformat(f"{last}{end}")
        if first[:_MINUTE] != last[:_MINUTE]:  # else what lies between two times of a minute is a time of it
            list(map(datetime.fromisoformat, sent))
    except (TypeError, ValueError):
        return None
    return texts, end, earliest, latest


def _packed_time(sent: str | float | None, moment: datetime) -> str:
    """``packed_time`` of the ``moment`` that was ``sent``: most is there already."""
    if isinstance(sent, str) and (form := _TIME_FORMS.get(sent.encode().translate(_DIGITS_AS_ZEROS))):
        zone, end = form
        if sent.endswith(zone):  # not another one, whose digits look alike
            return sent[: -len(zone)] + end
    return packed_time(moment)


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
    encoded = _encode_lines([{} if item is None else item for item in metadata] if None in metadata else metadata)
    if _may_have_tiny_number(encoded):
        return None
    texts = encoded.decode().split("\n")[:-1]
    longest = max(map(len, texts))
    if longest <= MAX_METADATA_KEYS:  # a key takes more than a character
        return texts
    is_wide = max(map(len, filter(None, metadata))) > MAX_METADATA_KEYS
    return None if is_wide or longest > MAX_METADATA_CHARACTERS else texts


def _needs_care(body: bytes, *, is_plain: bool) -> bool:
    """Whether there may be something that no reader of JSON rejects, and that is not to be stored as it is."""
    return (not is_plain and b"\\u0000" in body) or _may_have_long_number(body)


def _may_have_long_number(body: bytes) -> bool:
    """One that the two readers of JSON understand differently."""
    return _LONG in body[::_STEP].translate(_DIGITS_AS_ZEROS)


def _may_have_tiny_number(encoded: bytes) -> bool:
    """One that the two writers of JSON write differently."""
    if _TINY in encoded:
        return True
    if b"-" not in encoded:  # one byte is found in no time
        return False
    return _EXPONENT in encoded and _TINY_EXPONENT in encoded.translate(_DIGITS_AS_ZEROS)


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
