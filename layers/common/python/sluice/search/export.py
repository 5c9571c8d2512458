"""Log documents as JSON, NDJSON and CSV."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from sluice.entries.model import OPTIONAL_FIELDS

CSV_FIELDS = (
    "id",
    "timestamp",
    "received_at",
    "application",
    "level",
    "message",
    *OPTIONAL_FIELDS,
    "metadata",
    "flags",
)
# Spreadsheets take a cell that begins so for a formula, and some look behind blanks.
_FORMULA = tuple(
    "=+-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
_encode = msgspec.json.Encoder().encode


def json_text(value: Any) -> bytes:
    """Compact JSON of JSON's types, in a fraction of the json module's time."""
    try:
        return _encode(value)
    except OverflowError:  # an integer of more than 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def ndjson(logs: Iterable[dict[str, Any]]) -> str:
    """A line of JSON for each."""
    return b"".join(json_text(log) + b"\n" for log in logs).decode()


def csv_text(logs: Iterable[dict[str, Any]], fields: Sequence[str]) -> str:
    """A line of names, and a line for each (RFC 4180, every cell in quotes). Objects are JSON; what a spreadsheet would
    run as a formula has an apostrophe before it."""
    target = io.StringIO()
    writer = csv.writer(target, quoting=csv.QUOTE_ALL)
    writer.writerow(map(_cell, fields))
    writer.writerows([_cell(log.get(name)) for name in fields] for log in logs)
    return target.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json_text(value).decode()
    is_formula = text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA)
    return f"'{text}" if is_formula and not isinstance(value, int | float) else text
