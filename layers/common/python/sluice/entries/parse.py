"""From a request body to records in normal form, each with a verdict of its own."""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sluice.entries.levels import level_from_number, level_from_text
from sluice.entries.model import (
    MAX_FIELD_CHARACTERS,
    MAX_MESSAGE_CHARACTERS,
    MAX_METADATA_KEYS,
    OPTIONAL_FIELDS,
    Batch,
    Flag,
    Level,
    Record,
)
from sluice.entries.normalise import (
    NumberText,
    free_key,
    integer,
    json_text,
    short_metadata,
    storable_metadata,
    storable_text,
)
from sluice.entries.timestamps import timestamp_from_number, timestamp_from_text
from sluice.errors import RejectedInput, Rejection

# Parsed JSON takes up to 60 times its text; these bound it before it is parsed.
MAX_CONTAINERS = 250_000
MAX_COMMAS = 1_000_000
_SKEW = timedelta(days=1)
_OWN_FIELDS = frozenset(("timestamp", "level", "message", "metadata", *OPTIONAL_FIELDS))
# Whatever normalisation would have to touch shows in the JSON text: without a match, records skip that walk.
_SUSPICIOUS = re.compile(r"\\u(?:0000|[dD][89a-fA-F])|[0-9]{19}|[0-9][eE][-+]?[0-9]{2}|NaN|Infinity")


class _Refused(Exception):
    """Why one record cannot be stored; becomes its Rejection."""

    def __init__(self, pointer: str, code: str, detail: str) -> None:
        self.pointer, self.code, self.detail = pointer, code, detail


def parse_batch(body: bytes, received_at: datetime, *, max_records: int) -> Batch:
    """Reads one record, an array of records or ``{"logs": [...]}`` from a JSON ``body``.

    Raises RejectedInput if the body as a whole is unusable or holds no acceptable record: ``invalid_utf8``,
    ``invalid_json``, ``invalid_body``, ``empty_batch``, ``batch_too_large`` (413), the record's own code where there
    was just one, ``all_records_rejected``.
    """
    if body.count(b"[") + body.count(b"{") > MAX_CONTAINERS or body.count(b",") > MAX_COMMAS:
        detail = "the body holds too many values for one request: send smaller batches"
        raise RejectedInput("batch_too_large", detail, status=413)
    text = _decode(body)
    try:
        values = _record_values(json.loads(text, parse_int=integer))
        if len(values) > max_records:
            detail = f"{len(values)} records in one request, at most {max_records} are taken: send smaller batches"
            raise RejectedInput("batch_too_large", detail, status=413)
        parser = _RecordParser(received_at, clean=_SUSPICIOUS.search(text) is None)
        return _judge(values, parser)
    except RecursionError as error:
        raise RejectedInput("invalid_json", "the body is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise RejectedInput("invalid_json", f"{error.msg} at line {error.lineno}, column {error.colno}") from error


def _decode(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RejectedInput("invalid_utf8", f"byte {error.start} of the body is not UTF-8") from error


def _record_values(document: Any) -> list[Any]:
    if isinstance(document, dict) and isinstance(document.get("logs"), list) and "message" not in document:
        document = document["logs"]
    elif isinstance(document, dict):
        document = [document]
    if not isinstance(document, list):
        raise RejectedInput("invalid_body", 'expected a log object, an array of them, or {"logs": [...]}')
    if not document:
        raise RejectedInput("empty_batch", "the request holds no records")
    return document


def _judge(values: list[Any], parser: "_RecordParser") -> Batch:
    records: list[Record] = []
    rejections: list[Rejection] = []
    for index, value in enumerate(values):
        try:
            records.append(parser.record(index, value))
        except _Refused as refused:
            rejections.append(Rejection(index, refused.pointer, refused.code, refused.detail))
    if not records:
        only = rejections[0]
        if len(rejections) == 1:
            code, detail = only.code, f"record {only.index}, {only.pointer}: {only.detail}"
        else:
            code, detail = "all_records_rejected", f"none of the {len(rejections)} records can be stored, see errors"
        raise RejectedInput(code, detail, rejections=tuple(rejections))
    return Batch(tuple(records), tuple(rejections))


@dataclass(frozen=True, slots=True)
class _RecordParser:
    received_at: datetime
    clean: bool  # nothing in the body needs normalisation

    def record(self, position: int, value: Any) -> Record:
        if not isinstance(value, dict):
            raise _Refused("#", "invalid_record", f"expected an object, got {_kind(value)}")
        message, original_length, flags = self._message(value)
        event_at, time_flags = self._event_at(value.get("timestamp"))
        level, severity_text, level_flags = _level(value.get("level"))
        columns = [_column(value.get(name)) for name in OPTIONAL_FIELDS]
        metadata, metadata_flags = self._metadata(value, columns)
        if not self.clean:
            columns = [column and storable_text(column)[0] for column in columns]
            severity_text = severity_text and storable_text(severity_text)[0]
        flags |= time_flags | level_flags | metadata_flags
        return Record._make(
            (position, event_at, level, None, severity_text, flags, original_length, *columns, message, metadata)
        )

    def _message(self, value: dict[str, Any]) -> tuple[str, int | None, Flag]:
        message = value.get("message")
        if message is None:
            raise _Refused("#/message", "missing_message", "a record needs a message")
        if not isinstance(message, str):
            message = json_text(message)
        flags = Flag(0)
        if not self.clean:
            message, flags = storable_text(message)
        if len(message) <= MAX_MESSAGE_CHARACTERS:
            return message, None, flags
        return message[:MAX_MESSAGE_CHARACTERS], len(message), flags | Flag.MESSAGE_TRUNCATED

    def _event_at(self, value: Any) -> tuple[datetime, Flag]:
        if value is None:
            return self.received_at, Flag.TIMESTAMP_MISSING
        try:
            if isinstance(value, str):
                event_at = timestamp_from_text(value)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                event_at = timestamp_from_number(value)
            else:
                raise _Refused("#/timestamp", "invalid_timestamp", f"expected text or a number, got {_kind(value)}")
        except (ValueError, OverflowError) as error:
            detail = "expected an RFC 3339 time or seconds, ms, µs or ns since 1970, within the years 1 to 9999"
            raise _Refused("#/timestamp", "invalid_timestamp", detail) from error
        return event_at, Flag.CLOCK_SKEWED if abs(event_at - self.received_at) > _SKEW else Flag(0)

    def _metadata(self, value: dict[str, Any], columns: list[str | None]) -> tuple[str, Flag]:
        metadata = value.get("metadata")
        if metadata is not None and not isinstance(metadata, dict):
            raise _Refused("#/metadata", "invalid_metadata", f"expected an object, got {_kind(metadata)}")
        metadata = _with_unknown_fields(metadata or {}, value, columns)
        flags = Flag(0)
        if not (self.clean and _is_flat(metadata)):
            metadata, flags = storable_metadata(metadata)
        text, length_flags = short_metadata(json_text(metadata))
        return text, flags | length_flags


def _with_unknown_fields(metadata: dict[str, Any], value: dict[str, Any], columns: list[str | None]) -> dict[str, Any]:
    """``metadata`` plus what the record holds outside our fields, or in a field whose column cannot take it; under keys
    that are free."""
    extra = {name: item for name, item in value.items() if name not in _OWN_FIELDS}
    for name, column in zip(OPTIONAL_FIELDS, columns, strict=True):
        if column is None and value.get(name) is not None:
            extra[name] = value[name]
    merged = dict(metadata)
    for name, item in extra.items():
        merged[free_key(name, merged)] = item
    return merged


def _is_flat(metadata: dict[str, Any]) -> bool:
    if len(metadata) > MAX_METADATA_KEYS:
        return False
    return not any(isinstance(item, dict | list | NumberText) for item in metadata.values())


def _column(value: Any) -> str | None:
    """The text of an optional field; None where it is absent, or not a short scalar."""
    if value is None or isinstance(value, dict | list):
        return None
    text = value if isinstance(value, str) else json_text(value)
    return text if len(text) <= MAX_FIELD_CHARACTERS else None


def _level(value: Any) -> tuple[Level, str | None, Flag]:
    if value is None:
        return Level.INFO, None, Flag(0)
    if isinstance(value, str):
        level = level_from_text(value)
        if level is None:
            return Level.INFO, value[:MAX_FIELD_CHARACTERS], Flag.LEVEL_UNKNOWN
        return level, None if value.upper() == level.name else value[:MAX_FIELD_CHARACTERS], Flag(0)
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value:  # not NaN
        return level_from_number(value), None, Flag(0)
    raise _Refused("#/level", "invalid_level", f"expected text or a number, got {_kind(value)}")


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", type(None): "null", dict: "an object", list: "an array", str: "text"}
    return kinds.get(type(value), "a number")
