"""Log documents as NDJSON and CSV."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

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


def ndjson(logs: Iterable[dict[str, Any]]) -> str:
    """A line of JSON for each."""
    return "".join(json.dumps(log, ensure_ascii=False, separators=(",", ":")) + "\n" for log in logs)


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
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    is_formula = text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA)
    return f"'{text}" if is_formula and not isinstance(value, int | float) else text
