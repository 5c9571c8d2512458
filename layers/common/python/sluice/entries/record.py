"""One parsed record, brought into its normal form or refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sluice.entries.levels import level_from_number, level_from_otel, level_from_text, severity_number
from sluice.entries.model import (
    MAX_FIELD_CHARACTERS,
    MAX_MESSAGE_CHARACTERS,
    MAX_METADATA_KEYS,
    OPTIONAL_FIELDS,
    Flag,
    Level,
    Record,
)
from sluice.entries.normalise import NumberText, free_key, json_text, short_metadata, storable_metadata, storable_text
from sluice.entries.shapes import with_own_names
from sluice.entries.timestamps import timestamp

MAX_SKEW = timedelta(days=1)
_OWN_FIELDS = frozenset(
    ("timestamp", "level", "message", "metadata", "severity_number", "severity_text", *OPTIONAL_FIELDS)
)
_LEVEL_NAMES = {level.name: level for level in Level}
_NESTED = frozenset((dict, list, NumberText))
# Flags are gathered as plain numbers: an IntFlag's "|" costs more than the rest of a field.
_LEVEL_UNKNOWN = Flag.LEVEL_UNKNOWN.value
_TIMESTAMP_MISSING = Flag.TIMESTAMP_MISSING.value
_TIMESTAMP_UNREADABLE = Flag.TIMESTAMP_UNREADABLE.value
_CLOCK_SKEWED = Flag.CLOCK_SKEWED.value
_MESSAGE_TRUNCATED = Flag.MESSAGE_TRUNCATED.value


class Refused(Exception):
    """Why one record cannot be stored; becomes its Rejection."""

    def __init__(self, pointer: str, code: str, detail: str) -> None:
        self.pointer, self.code, self.detail = pointer, code, detail


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """What stands for a record that could not be parsed."""

    detail: str


@dataclass(frozen=True, slots=True)
class RecordParser:
    """Reads the records of one request."""

    received_at: datetime
    clean: bool  # nothing in the body needs normalisation

    def record(self, position: int, value: Any) -> Record:
        """The normal form of a JSON ``value``. Raises Refused."""
        if not isinstance(value, dict):
            raise _not_an_object(value)
        foreign = value.keys() - _OWN_FIELDS
        if foreign:
            value = with_own_names(value, foreign)
        message, original_length, flags = self._message(value)
        leftovers: dict[str, Any] = {}  # what our own fields cannot take
        event_at, time_flag = self._event_at(value.get("timestamp"), leftovers)
        level, number, severity_text, level_flag = _severity(value, leftovers)
        columns = [_column(name, value.get(name), leftovers) for name in OPTIONAL_FIELDS]
        metadata, metadata_flags = self._metadata(value, foreign, leftovers)
        if not self.clean:
            columns = [column and storable_text(column)[0] for column in columns]
            severity_text = severity_text and storable_text(severity_text)[0]
        all_flags = Flag(flags | time_flag | level_flag | metadata_flags)
        return Record._make(
            (position, event_at, level, number, severity_text, all_flags, original_length, *columns, message, metadata)
        )

    def _message(self, value: dict[str, Any]) -> tuple[str, int | None, int]:
        message = value.get("message")
        if message is None:
            raise Refused("#/message", "missing_message", "a record needs a message")
        if not isinstance(message, str):
            message = json_text(message)
        flags = 0
        if not self.clean:
            message, flag = storable_text(message)
            flags = flag.value
        if len(message) <= MAX_MESSAGE_CHARACTERS:
            return message, None, flags
        return message[:MAX_MESSAGE_CHARACTERS], len(message), flags | _MESSAGE_TRUNCATED

    def _event_at(self, value: Any, leftovers: dict[str, Any]) -> tuple[datetime, int]:
        if value is None:
            return self.received_at, _TIMESTAMP_MISSING
        try:
            event_at = timestamp(value)
        except (TypeError, ValueError, OverflowError):
            leftovers["timestamp"] = value
            return self.received_at, _TIMESTAMP_UNREADABLE
        return event_at, _CLOCK_SKEWED if abs(event_at - self.received_at) > MAX_SKEW else 0

    def _metadata(self, value: dict[str, Any], foreign: set[str], leftovers: dict[str, Any]) -> tuple[str, int]:
        metadata = value.get("metadata")
        if metadata is None:
            metadata = {}
        elif not isinstance(metadata, dict):
            raise Refused("#/metadata", "invalid_metadata", f"expected an object, got {_kind(metadata)}")
        if foreign or leftovers:
            metadata = _merged(metadata, value, leftovers)
        flags = 0
        if not (self.clean and _is_flat(metadata)):
            metadata, altered = storable_metadata(metadata)
            flags = altered.value
        text, shortened = short_metadata(json_text(metadata))
        return text, flags | shortened.value


def _merged(metadata: dict[str, Any], value: dict[str, Any], leftovers: dict[str, Any]) -> dict[str, Any]:
    """``metadata`` plus the client's own fields of ``value`` and ``leftovers``, under keys that are free."""
    merged = dict(metadata)
    for name, item in value.items():  # one by one: another copy of a million keys would not fit into memory
        if name not in _OWN_FIELDS:
            merged[free_key(name, merged)] = item
    for name, item in leftovers.items():
        merged[free_key(name, merged)] = item
    return merged


def _is_flat(metadata: dict[str, Any]) -> bool:
    if len(metadata) > MAX_METADATA_KEYS:
        return False
    return _NESTED.isdisjoint(map(type, metadata.values()))


def _column(name: str, value: Any, leftovers: dict[str, Any]) -> str | None:
    """The text of an optional field; what is not a short scalar is left over."""
    if value is None:
        return None
    if not isinstance(value, dict | list):
        text = value if isinstance(value, str) else json_text(value)
        if len(text) <= MAX_FIELD_CHARACTERS:
            return text
    leftovers[name] = value
    return None


def _severity(value: dict[str, Any], leftovers: dict[str, Any]) -> tuple[Level, int | None, str | None, int]:
    """Level, OpenTelemetry's number, the client's own word, and a flag. For the level our own field ``level``
    counts most, then the number."""
    number = text = None
    if (sent := value.get("severity_number")) is not None:
        number = severity_number(sent)
        if number is None:
            leftovers["severity_number"] = sent
    if (sent := value.get("severity_text")) is not None:
        if isinstance(sent, str) and len(sent) <= MAX_FIELD_CHARACTERS:
            text = sent
        else:
            leftovers["severity_text"] = sent
    if (sent := value.get("level")) is not None:
        level, word, flag = read_level(sent)
        return level, number, text or word, flag
    if number is not None:
        level = level_from_otel(number)
        return level, number, None if text is None or text.upper() == level.name else text, 0
    level, word, flag = read_level(text)
    return level, None, word, flag


def read_level(value: Any) -> tuple[Level, str | None, int]:
    """The level, the client's own word where it is not the level's name, and a flag. Raises Refused."""
    if value is None:
        return Level.INFO, None, 0
    if isinstance(value, str):
        own = _LEVEL_NAMES.get(value)
        if own is not None:
            return own, None, 0
        level = level_from_text(value)
        if level is None:
            return Level.INFO, value[:MAX_FIELD_CHARACTERS], _LEVEL_UNKNOWN
        return level, None if value.upper() == level.name else value[:MAX_FIELD_CHARACTERS], 0
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value:  # not NaN
        return level_from_number(value), None, 0
    raise Refused("#/level", "invalid_level", f"expected text or a number, got {_kind(value)}")


def _not_an_object(value: Any) -> Refused:
    if isinstance(value, BrokenRecord):
        return Refused("#", "invalid_json", value.detail)
    return Refused("#", "invalid_record", f"expected an object, got {_kind(value)}")


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", type(None): "null", dict: "an object", list: "an array", str: "text"}
    return kinds.get(type(value), "a number")
