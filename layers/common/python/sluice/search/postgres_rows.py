"""Rows of log_entries as JSON objects."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from sluice.entries.model import Flag, Level
from sluice.search.model import EXTRA_FIELDS, METADATA

_encode = msgspec.json.Encoder().encode
_MAIN = ("batch_id::text", "position", "application_id", "event_at", "received_at", "level", "flags", "message")
COLUMNS = ", ".join((*_MAIN, "metadata", *EXTRA_FIELDS))  # what ``document`` takes
_LEVEL_NAMES = {int(level): level.name for level in Level}
NEWEST_FIRST = "event_at DESC, batch_id DESC, position DESC"
OLDEST_FIRST = "event_at, batch_id, position"


def document(row: Any, names: Mapping[int, str]) -> dict[str, Any]:
    """A row of COLUMNS as clients see it; ``names`` are the applications'."""
    batch_id, position, application_id, event_at, received_at, level, flags, message, metadata, *extra = row
    return {
        "id": f"{batch_id.replace('-', '')}-{position}",
        "application": names[application_id],
        "timestamp": _time(event_at),
        "received_at": _time(received_at),
        "level": _LEVEL_NAMES[level],
        "message": message,
        "metadata": metadata,
        "flags": Flag(flags).names if flags else [],
        **{name: value for name, value in zip(EXTRA_FIELDS, extra, strict=True) if value is not None},
    }


def _time(moment: datetime) -> str:
    """As ``isoformat`` has it in UTC; writing the offset would take as long as all else."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat()}+00:00"


def projected(full: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """The document's ``fields``, those that it has; all of them if none is named."""
    if not fields:
        return full
    chosen = {name: full[name] for name in fields if name in full}
    for name in fields:
        key = name.removeprefix(METADATA)
        if key != name and key in full["metadata"]:
            chosen[name] = full["metadata"][key]
    return chosen


def answer_bytes(shown: dict[str, Any]) -> int:
    """How much of an answer a document takes: as JSON that the gateway's JSON escapes once more."""
    try:
        text = _encode(shown)
    except OverflowError:  # an integer of more than 64 bits
        text = json.dumps(shown, ensure_ascii=False).encode()
    return len(text) + text.count(b'"') + text.count(b"\\")
