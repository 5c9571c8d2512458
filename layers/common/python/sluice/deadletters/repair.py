"""Brings a queued record that the database refused into today's normal form."""

import json
from typing import Any

from sluice.entries.model import Flag, Record
from sluice.entries.normalise import integer, json_text, storable_metadata, storable_text
from sluice.entries.packing import unpack_records
from sluice.errors import ContractError

UNPARSED_KEY = "_unparsed"  # holds metadata that are no JSON object
_SEVERITIES = range(1, 25)


def repair_record(line: bytes) -> Record:
    """The record in ``line`` (as ``packing`` writes it), normalised again; what is damaged is kept as text and flagged.

    Raises ContractError if it is no packed record at all.
    """
    record = next(iter(unpack_records(line.decode("utf-8", "replace").encode())), None)
    if record is None:
        raise ContractError("unreadable_record", "there is no line")
    message, flags = storable_text(record.message)
    metadata, metadata_flags = storable_metadata(_metadata(record.metadata))
    texts: dict[str, Any] = {
        name: storable_text(value)[0] for name, value in record._asdict().items() if isinstance(value, str)
    }
    severity_number = record.severity_number if record.severity_number in _SEVERITIES else None
    repaired = texts | {"message": message, "metadata": json_text(metadata), "severity_number": severity_number}
    repaired["flags"] = record.flags | flags | metadata_flags | Flag.VALUES_ALTERED
    return record._replace(**repaired)


def _metadata(text: str) -> dict[str, Any]:
    try:
        metadata = json.loads(text, parse_int=integer)
    except (ValueError, RecursionError):
        metadata = None
    return metadata if isinstance(metadata, dict) else {UNPARSED_KEY: text}
