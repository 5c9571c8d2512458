"""Objects of the archive: a JSON object a line, compressed with gzip.

A line has the names of the API's documents; times are UTC, ``flags`` a number, ``template_key`` is internal. What a row
has no value for is left out. The application and the retention class are in the object's key.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from sluice.archive.model import Content, Place
from sluice.entries.model import OPTIONAL_FIELDS, Flag, Level
from sluice.entries.packing import NULL, escape, packed_time
from sluice.errors import ContractError
from sluice.search.model import EXTRA_FIELDS

# An object is read and written in one piece by a function with 512 MB.
MAX_ROWS = 200_000
MAX_TEXT_BYTES = 256_000_000
MAX_BYTES = 32_000_000
_GZIP = 31  # zlib's window bits for a gzip header, whose time is 0: equal lines make equal bytes
_CHUNK_BYTES = 1_000_000
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Line(msgspec.Struct, frozen=True, gc=False):
    """A line, read back."""

    id: str
    timestamp: datetime
    received_at: datetime
    level: str
    flags: int
    message: str
    metadata: msgspec.Raw
    severity_number: int | None = None
    severity_text: str | None = None
    original_length: int | None = None
    trace_id: str | None = None
    span_id: str | None = None
    session_id: str | None = None
    logger: str | None = None
    host: str | None = None
    service: str | None = None
    version: str | None = None
    template_id: int | None = None
    template_key: int | None = None

    @property
    def log_level(self) -> Level:
        """The level as a number."""
        return Level[self.level]

    @property
    def place(self) -> Place:
        """Where the row stands."""
        batch_id, _, position = self.id.partition("-")
        return Place(self.received_at, UUID(batch_id), int(position))


_decode = msgspec.json.Decoder(Line).decode


@dataclass(slots=True)
class Packer:
    """Makes an object of rows that come in order."""

    max_rows: int = MAX_ROWS
    row_count: int = 0
    text_bytes: int = 0
    _packed: bytearray = field(default_factory=bytearray)
    _event_from: datetime = _LATEST
    _event_until: datetime = _EARLIEST
    _first: Place | None = None
    _last: Place | None = None
    _compressor: Any = field(default_factory=lambda: zlib.compressobj(6, zlib.DEFLATED, _GZIP))

    def add(self, place: Place, event_at: datetime, line: bytes) -> None:
        """Takes a row; its line without line feed."""
        self._packed += self._compressor.compress(line + b"\n")
        self._event_from = min(self._event_from, event_at)
        self._event_until = max(self._event_until, event_at)
        self._first = self._first or place
        self._last = place
        self.row_count += 1
        self.text_bytes += len(line) + 1

    @property
    def is_full(self) -> bool:
        """Whether the object should end here. Depends on the rows alone: whoever repeats a slice makes the same."""
        return self.row_count >= self.max_rows or self.text_bytes >= MAX_TEXT_BYTES or len(self._packed) >= MAX_BYTES

    def finish(self) -> Content:
        """The object. Raises ValueError if it has no row."""
        if self._first is None or self._last is None:
            raise ValueError("an object has at least one row")
        data = bytes(self._packed + self._compressor.flush())
        return Content(
            data=data,
            sha256=hashlib.sha256(data).digest(),
            row_count=self.row_count,
            text_bytes=self.text_bytes,
            event_from=self._event_from,
            event_until=self._event_until,
            received_from=self._first.received_at,
            last=self._last,
        )


def text_lines(data: bytes) -> Iterator[bytes]:
    """The lines of an object, without line feeds, in little memory. Raises ContractError ``unreadable_object``."""
    inflater = zlib.decompressobj(_GZIP)
    rest, left = b"", data
    try:
        while left and not inflater.eof:
            *lines, rest = (rest + inflater.decompress(left, _CHUNK_BYTES)).split(b"\n")
            yield from lines
            left = inflater.unconsumed_tail
    except zlib.error as error:
        raise ContractError("unreadable_object", str(error)) from error
    if rest or not inflater.eof:
        raise ContractError("unreadable_object", "it ends in the middle")


def read_line(text: bytes) -> Line:
    """One line. Raises ContractError ``unreadable_object``."""
    try:
        return _decode(text)
    except msgspec.MsgspecError as error:
        raise ContractError("unreadable_object", str(error)) from error


def check_content(data: bytes, *, sha256: bytes, row_count: int) -> None:
    """Raises ContractError ``unreadable_object`` unless the object has this checksum and so many rows, each of them a
    line that can be read, in order and therefore none of them twice."""
    if hashlib.sha256(data).digest() != sha256:
        raise ContractError("unreadable_object", "its checksum is not the manifest's")
    count, last = 0, None
    for text in text_lines(data):
        place = read_line(text).place
        order = (place.received_at, place.batch_id, place.position)
        if last is not None and order <= last:
            raise ContractError("unreadable_object", f"row {count} is not behind the one before it")
        count, last = count + 1, order
    if count != row_count:
        raise ContractError("unreadable_object", f"{count} rows instead of {row_count}")


COPY_COLUMNS = (
    *("received_at", "event_at", "template_key", "batch_id", "application_id", "template_id", "position"),
    *("retention_class", "level", "flags", "severity_number", "original_length", "severity_text", *OPTIONAL_FIELDS),
    *("message", "metadata"),
)


def copy_row(line: Line, application_id: int, retention_class: int) -> str:
    """The line as a row of COPY_COLUMNS in COPY's text format, with its line feed."""
    place = line.place
    numbers = (line.flags, line.severity_number, line.original_length)
    texts = (line.severity_text, *(getattr(line, name) for name in OPTIONAL_FIELDS), line.message)
    fields = (
        *(packed_time(line.received_at), packed_time(line.timestamp), _number(line.template_key)),
        *(place.batch_id.hex, str(application_id), _number(line.template_id), str(place.position)),
        *(str(retention_class), str(Level[line.level].value), *map(_number, numbers)),
        *(NULL if text is None else escape(text) for text in texts),
        bytes(line.metadata).decode().replace("\\", "\\\\"),
    )
    return "\t".join(fields) + "\n"


def document(line: Line, application: str) -> dict[str, Any]:
    """The log as the API shows it."""
    values = {
        "id": line.id,
        "application": application,
        "timestamp": line.timestamp.astimezone(UTC).isoformat(),
        "received_at": line.received_at.astimezone(UTC).isoformat(),
        "level": line.level,
        "message": line.message,
        "metadata": json.loads(bytes(line.metadata)),
        "flags": Flag(line.flags).names,
    }
    extra = {name: getattr(line, name) for name in EXTRA_FIELDS}
    return values | {name: value for name, value in extra.items() if value is not None}


def _number(value: int | None) -> str:
    return NULL if value is None else str(value)
