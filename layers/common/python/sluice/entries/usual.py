"""Bodies of the usual form, read and packed field by field: JSON logs with fields of our own names and types.

What this reads it reads as ``parse`` and ``packing`` would, to the byte; every other body it leaves to them. A record
with a special level, time or metadata costs only itself: the careful parser reads that one. What is the same for all
records is done for all at once, one field after the other, so that little of it runs in Python.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import repeat
from operator import add
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import asdict

from sluice.entries.blocks import Block, Parts
from sluice.entries.columns import TABLE_RECORDS, Column, each, joined
from sluice.entries.decoded import BLOCK_BYTES, INTEGERS, LARGEST, SMALLEST, Decoded, decode, decode_flat, is_missing
from sluice.entries.levels import LEVEL_NAMES
from sluice.entries.model import (
    MAX_METADATA_CHARACTERS,
    MAX_METADATA_DEPTH,
    MAX_METADATA_KEYS,
    OPTIONAL_FIELDS,
    Flag,
    Record,
)
from sluice.entries.normalise import MAX_INTEGER_DIGITS
from sluice.entries.packing import (
    NULL,
    PackedBatch,
    PackedPart,
    escape,
    pack_batch,
    packed_time,
    record_line,
    time_bounds,
)
from sluice.entries.parse import TEXT, check_size, parse_batch
from sluice.entries.record import MAX_SKEW, RecordParser, read_level
from sluice.entries.timestamps import in_utc, timestamp_from_number

_encode, _encode_lines = msgspec.json.Encoder().encode, msgspec.json.Encoder().encode_lines
_AT_ONCE_BYTES = 2**21  # of a block whose metadata are encoded at once, for which each is in memory twice
_MISSING, _SKEWED = f"{Flag.TIMESTAMP_MISSING:d}", f"{Flag.CLOCK_SKEWED:d}"
_MINUTE = len("0000-00-00T00:00:")
_STEP = 16  # between the characters that are looked at for a long number
_LONG = b"0" * (MAX_INTEGER_DIGITS // _STEP)
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
# In numbers below SMALLEST, as msgspec writes them, and with their digits as zeros; and in some others, and words.
_TINY, _EXPONENT, _TINY_EXPONENT = b".0000", b"e-", b"0e-0"
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


def pack_usual(
    body: bytes,
    received_at: datetime,
    *,
    max_records: int,
    block_bytes: int = BLOCK_BYTES,
    table_records: int = TABLE_RECORDS,
) -> PackedBatch | None:
    """The records of an inflated ``body``, all of them good; None for a body that needs a careful look. Parts of fewer
    than ``table_records`` are lines."""
    is_plain = b"\\" not in body
    if _needs_care(body, is_plain=is_plain):
        return None
    parts, is_timed = Parts(table_records), True
    try:
        for decoded in decode(body, block_bytes):
            if parts.record_count + len(decoded.logs) > max_records:
                return None
            block = _block(decoded, received_at, is_plain=is_plain)
            is_timed = is_timed and block.is_timed
            parts.add(block)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return PackedBatch(parts.finished(), (), is_timed) if parts.record_count else None


def pack_single(body: bytes, received_at: datetime) -> PackedPart | None:
    """The one record of an inflated ``body`` as ``pack_usual`` packs it; None for any other body, or one with a
    severity, metadata that are no flat object or a time that needs a careful look."""
    is_plain = b"\\" not in body
    if _needs_care(body, is_plain=is_plain):
        return None
    try:
        log = decode_flat(body)
        moment = _event_at(log.timestamp, received_at)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    level = _LEVELS.get(log.level)
    if moment is None or level is None or log.severity_number is not None or log.severity_text is not None:
        return None
    encoded = _encode(log.metadata or {})
    if abs(moment - received_at) > MAX_SKEW or _may_have_tiny_number(encoded):
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
    line = f"{'\t'.join(fields)}\n".encode()
    return PackedPart(1, moment, moment, line, len(line))


def pack_body(body: bytes, received_at: datetime, *, max_records: int, media_type: str = "") -> PackedBatch:
    """Reads and packs an inflated ``body``; see ``parse_batch`` for what it may be and what is raised."""
    check_size(body)
    if media_type != TEXT:
        packed = pack_usual(body, received_at, max_records=max_records)
        if packed is not None:
            return packed
    return pack_batch(parse_batch(body, received_at, max_records=max_records, media_type=media_type))


def _block(decoded: Decoded, received_at: datetime, *, is_plain: bool) -> Block:
    """``is_plain``: no text needs an escape."""
    count, missing = len(decoded.logs), (None,) * len(decoded.logs)
    sent = defaultdict(lambda: missing, decoded.columns)
    times, levels = _times(sent["timestamp"], received_at), list(map(_LEVELS.get, sent["level"], repeat("")))
    flat = _flat_texts(sent["metadata"]) if decoded.are_flat and decoded.size <= _AT_ONCE_BYTES else None
    metadata = list(map(_metadata_text, sent["metadata"])) if flat is None else flat
    optional, messages = [sent[name] for name in OPTIONAL_FIELDS], sent["message"]
    contents: tuple[Sequence[str] | bytes, ...]  # messages and metadata
    if is_plain:
        texts, contents = map(_texts, optional), (joined(messages), metadata)
        counted: tuple[Sequence[str] | bytes, ...] = contents
    else:
        texts, contents = map(_escaped_texts, optional), (list(map(escape, messages)), _escaped_json(metadata))
        counted = messages, metadata
    block = Block(
        count,
        (times.texts, levels, times.flags, NULL, *texts, *contents),
        sum(_character_count(item, count) for item in counted),
        partial(_lengths, messages, metadata),
        times.earliest,
        times.latest,
        times.are_sent,
    )
    severities = sent["severity_number"], sent["severity_text"]
    if all(levels) and severities == (missing, missing) and all(map(_is_known, (times.texts, metadata))):
        return block
    cells = zip(each(times.texts, count), levels, each(metadata, count), strict=True)
    special = [
        row
        for row, (known, *severity) in enumerate(zip(map(all, cells), *severities, strict=True))
        if not known or severity != [None, None]
    ]
    careful = RecordParser(received_at, clean=False)
    return _with_special(block, {row: careful.record(row, _fields(decoded.logs[row])) for row in special})


def _with_special(block: Block, records: Mapping[int, Record]) -> Block:
    """With these records, by number in the block, instead of what was read."""
    columns = [each(column, block.record_count) for column in block.columns]
    characters, is_timed = list(block.characters()), block.is_timed
    for row, record in records.items():
        _, event_at, level, number, severity_text, *others = record_line(record).split("\t")
        cells = (event_at, f"{level}\t{number}\t{severity_text}", *others)
        for column, cell in zip(columns, cells, strict=True):
            column[row] = cell
        characters[row] = len(record.message) + len(record.metadata)
        is_timed = is_timed and record.is_timed
    return Block(block.record_count, columns, sum(characters), lambda: characters, *time_bounds(columns[0]), is_timed)


def _is_known(column: Column) -> bool:
    """Whether none of the texts is empty, and so for the careful parser."""
    return isinstance(column, bytes) or all(column)


def _character_count(texts: Sequence[str] | bytes, record_count: int) -> int:
    if not isinstance(texts, bytes):
        return sum(map(len, texts))
    return (len(texts) if texts.isascii() else len(texts.decode())) - (record_count - 1)


def _lengths(messages: Sequence[str], metadata: Sequence[str] | bytes) -> list[int]:
    return list(map(add, map(len, messages), map(len, each(metadata, len(messages)))))


def _texts(column: Sequence[str | None]) -> Column:
    if is_missing(column):
        return NULL
    try:
        return "\n".join(column).encode()  # type: ignore[arg-type]
    except TypeError:
        return [NULL if text is None else text for text in column]


def _escaped_texts(column: Sequence[str | None]) -> Column:
    if is_missing(column):
        return NULL
    return [NULL if text is None else escape(text) for text in column]


def _escaped_json(metadata: Sequence[str] | bytes) -> Column:
    if isinstance(metadata, bytes):
        return metadata.replace(b"\\", b"\\\\")
    return [text.replace("\\", "\\\\") for text in metadata]


class _Times(NamedTuple):
    """Event times as they are packed; an empty one is for the careful parser."""

    texts: Column
    flags: Column
    earliest: datetime  # of those that were read
    latest: datetime
    are_sent: bool


def _times(sent: Sequence[Any], received_at: datetime) -> _Times:
    alike = _times_alike(sent)
    if alike is not None:
        texts, earliest, latest = alike
        if latest - received_at <= MAX_SKEW and received_at - earliest <= MAX_SKEW:
            return _Times(texts, "0", earliest, latest, True)
    read = [_event_at(time, received_at) for time in sent]
    moments = [received_at if moment is None else moment for moment in read]
    flags = [
        _MISSING if time is None else _SKEWED if abs(moment - received_at) > MAX_SKEW else "0"
        for time, moment in zip(sent, moments, strict=True)
    ]
    packed = ["" if moment is None else packed_time(moment) for moment in read]
    return _Times(packed, flags, min(moments), max(moments), None not in sent)


def _times_alike(sent: Sequence[Any]) -> tuple[bytes, datetime, datetime] | None:
    """The times as they are packed, with line feeds between, the earliest and the latest, if all have the same of
    _TIME_FORMS."""
    try:
        lines = f"{'\n'.join(sent)}\n".encode("ascii")
        digits = lines.translate(_DIGITS_AS_ZEROS)
        form = digits.partition(b"\n")[0]
        if form not in _TIME_FORMS or digits != (form + b"\n") * len(sent):
            return None
        zone, end = _TIME_FORMS[form]
        if lines.count(f"{zone}\n".encode()) != len(sent):  # another zone, whose digits look alike
            return None
        ordered = sorted(sent)  # most are so
        first, last = ordered[0], ordered[-1]
        bounds = datetime.fromisoformat(first), datetime.fromisoformat(last)
        if first[:_MINUTE] != last[:_MINUTE]:  # else what lies between two times of a minute is a time of it
            list(map(datetime.fromisoformat, sent))
    except (TypeError, ValueError):
        return None
    # Each has the zone's first character once, and a single byte is found faster.
    return lines[:-1].replace(zone[:1].encode(), end.removesuffix(zone[1:]).encode()), *bounds


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


def _flat_texts(metadata: Sequence[dict[str, Any] | None]) -> bytes | None:
    """``_metadata_text`` of each, with line feeds between; None if one may need a closer look."""
    encoded = _encode_lines(metadata if all(metadata) else [item or {} for item in metadata])
    if _may_have_tiny_number(encoded):
        return None
    texts = encoded[:-1]
    if len(texts) <= MAX_METADATA_CHARACTERS or max(map(len, texts.decode().split("\n"))) <= MAX_METADATA_CHARACTERS:
        return texts
    return None


def _needs_care(body: bytes, *, is_plain: bool) -> bool:
    """Whether there may be something that no reader of JSON rejects, and that is not to be stored as it is."""
    return (not is_plain and b"\\u0000" in body) or _may_have_long_number(body)


def _may_have_long_number(body: bytes) -> bool:
    """One that the two readers of JSON understand differently."""
    return _LONG in body[::_STEP].translate(_DIGITS_AS_ZEROS)


def _may_have_tiny_number(encoded: bytes) -> bool:
    """One that the two writers of JSON write differently."""
    if encoded.rfind(_TINY) >= 0:  # its first byte is rarer than its last, and this way is looked for first
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
        return bool(-INTEGERS <= value < INTEGERS)
    if kind is float:
        return bool(value == 0 or SMALLEST <= abs(value) < LARGEST)
    if depth > MAX_METADATA_DEPTH or (kind is dict and len(value) > MAX_METADATA_KEYS):
        return False
    return all(_is_written_alike(item, depth + 1) for item in (value.values() if kind is dict else value))


def _fields(log: msgspec.Struct) -> dict[str, Any]:
    return {name: value for name, value in asdict(log).items() if value is not None}
