"""The normal form of one log record."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, IntFlag
from functools import cache
from typing import NamedTuple

from sluice.errors import Rejection

MAX_MESSAGE_CHARACTERS = 65_536
MAX_FIELD_CHARACTERS = 256
MAX_METADATA_DEPTH = 20
MAX_METADATA_KEYS = 256
MAX_METADATA_CHARACTERS = 65_536  # as JSON text

OPTIONAL_FIELDS = ("trace_id", "span_id", "session_id", "logger", "host", "service", "version")


class Level(IntEnum):
    """Severity, numbered as in Python's logging."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


class Flag(IntFlag):
    """What was changed or noticed on the way to the normal form."""

    LEVEL_UNKNOWN = 1  # the level's text is none we know: stored as INFO, the text in severity_text
    TIMESTAMP_MISSING = 2  # received_at stands in
    CLOCK_SKEWED = 4  # the client's time is over a day away from received_at
    TEXT_REPLACED = 8  # U+0000 or a lone surrogate became U+FFFD
    VALUES_ALTERED = 16  # a value JSON or jsonb cannot carry was kept as text, or too deep or wide metadata was folded
    MESSAGE_TRUNCATED = 32  # original_length tells how long it was
    METADATA_TRUNCATED = 64  # its JSON text was too long: the beginning is kept as text
    TIMESTAMP_UNREADABLE = 128  # received_at stands in, metadata keep what the client wrote

    @property
    def names(self) -> list[str]:
        """The set flags in lower case, lowest bit first."""
        return list(_flag_names(self.value))


@cache
def _flag_names(flags: int) -> tuple[str, ...]:
    return tuple(flag.name.lower() for flag in Flag if flag.value & flags and flag.name)


class Record(NamedTuple):
    """One record in normal form; field order is the order of the packed columns (see ``packing``)."""

    position: int  # 0-based, in the client's request
    event_at: datetime  # aware, UTC
    level: Level
    severity_number: int | None  # OpenTelemetry's 1 to 24, where the client sent one
    severity_text: str | None  # the client's own word, where it is not the level's name
    flags: Flag
    original_length: int | None  # characters, where the message was truncated
    trace_id: str | None
    span_id: str | None
    session_id: str | None
    logger: str | None
    host: str | None
    service: str | None
    version: str | None
    message: str
    metadata: str  # a JSON object as text

    @property
    def is_timed(self) -> bool:
        """Whether the record carries a time of its own."""
        return not self.flags & (Flag.TIMESTAMP_MISSING | Flag.TIMESTAMP_UNREADABLE)


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of one request that can be stored, and what was refused of it."""

    records: tuple[Record, ...]
    rejections: tuple[Rejection, ...]

    @property
    def is_timed(self) -> bool:
        """Whether each record carries a time of its own, so that an equal body can only be the same logs again."""
        return all(record.is_timed for record in self.records)
