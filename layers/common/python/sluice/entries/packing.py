r"""Records packed for the queue, in PostgreSQL's COPY text format: a record a line, its fields separated by tabs.

Field order is that of ``Record``. A tab, line feed, carriage return or backslash inside a field is escaped, ``\N`` is
null, so a bare line feed always ends a record: storing a packed entry needs no parsing, only a prefix per line.
"""

from collections.abc import Iterable
from datetime import datetime

from sluice.entries.model import Flag, Level, Record
from sluice.errors import ContractError

RECORD_COLUMNS = Record._fields

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_UNESCAPES = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}
_NULL = "\\N"


def pack_record(record: Record) -> bytes:
    """The record's line, with its line feed."""
    fields = (
        str(record.position),
        record.event_at.isoformat(),
        str(int(record.level)),
        _optional(record.severity_number),
        _optional(record.severity_text),
        str(int(record.flags)),
        _optional(record.original_length),
        *map(_optional, record[7:14]),
        _escape(record.message),
        record.metadata.replace("\\", "\\\\"),  # JSON text holds no other special character
    )
    return ("\t".join(fields) + "\n").encode()


def unpack_records(packed: bytes) -> Iterable[Record]:
    """The records of ``packed`` lines. Raises ContractError for a line that ``pack_record`` did not write."""
    try:
        for line in packed.decode().split("\n")[:-1]:
            yield _unpack(line.split("\t"))
    except (ValueError, KeyError, IndexError) as error:
        raise ContractError("unreadable_record", f"{type(error).__name__}: {error}") from error


def _unpack(fields: list[str]) -> Record:
    if len(fields) != len(RECORD_COLUMNS):
        raise ValueError(f"expected {len(RECORD_COLUMNS)} fields, got {len(fields)}")
    position, event_at, level, severity_number, severity_text, flags, original_length = fields[:7]
    return Record._make(
        (
            int(position),
            datetime.fromisoformat(event_at),
            Level(int(level)),
            _read_integer(severity_number),
            _read(severity_text),
            Flag(int(flags)),
            _read_integer(original_length),
            *map(_read, fields[7:14]),
            _unescape(fields[14]),
            _unescape(fields[15]),
        )
    )


def _optional(value: str | int | None) -> str:
    return _NULL if value is None else _escape(str(value))


def _escape(text: str) -> str:
    if "\\" in text or not text.isprintable():
        return text.translate(_ESCAPES)
    return text


def _read(field: str) -> str | None:
    return None if field == _NULL else _unescape(field)


def _read_integer(field: str) -> int | None:
    return None if field == _NULL else int(field)


def _unescape(field: str) -> str:
    if "\\" not in field:
        return field
    first, *rest = field.split("\\\\")
    return "\\".join(_unescape_plain(part) for part in (first, *rest))


def _unescape_plain(text: str) -> str:
    head, *escapes = text.split("\\")
    return head + "".join(_UNESCAPES[escape[0]] + escape[1:] for escape in escapes)
