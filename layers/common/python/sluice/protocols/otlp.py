"""OTLP/HTTP logs (opentelemetry-proto, collector/logs/v1): a request becomes records in normal form.

Both encodings are read into ``LogFields``; from there on they are one. A log record is then judged like a JSON record
of our own, so the same bounds, stand-ins and flags apply.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sluice.entries.model import Batch
from sluice.entries.normalise import free_key, json_text
from sluice.entries.packing import PackedBatch, pack_batch
from sluice.entries.parse import check_count, judge
from sluice.entries.record import BrokenRecord, RecordParser
from sluice.errors import RejectedInput

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
MEDIA_TYPES = (PROTOBUF, JSON)
MAX_SHARED_CHARACTERS = 33_554_432  # of attributes that a request says once and each of its records gets a copy of
_NO_ID = ("", "0" * 16, "0" * 32)
_HEX = frozenset("0123456789abcdef")
_RESOURCE_COLUMNS = {"service.name": "service", "service.version": "version", "host.name": "host"}
_RECORD_COLUMNS = {"session.id": "session_id"}


class Source(NamedTuple):
    """What logs of one scope have in common: attribute maps and the scope's name and version."""

    resource: dict[str, Any]
    scope: dict[str, Any]
    scope_name: str
    scope_version: str


class LogFields(NamedTuple):
    """A LogRecord in plain values; 0, "" and None are what OTLP calls unset. Bytes in values are base64 text."""

    time_unix_nano: Any  # an integer, in JSON perhaps in text form
    observed_time_unix_nano: Any
    severity_number: Any
    severity_text: Any
    body: Any
    attributes: dict[str, Any]
    dropped_attributes_count: Any
    flags: Any
    trace_id: str  # hexadecimal, any case
    span_id: str
    event_name: Any


class Found(NamedTuple):
    """What a request holds, in order; ``log`` is None for a record that is no JSON object."""

    source: Source
    log: LogFields | None


def parse_otlp(body: bytes, received_at: datetime, *, max_records: int, media_type: str) -> Batch:
    """Reads an ExportLogsServiceRequest in the encoding that ``media_type`` names.

    The batch may be empty: an empty request is a good one, and records are refused one by one. Raises RejectedInput
    ``unsupported_media_type`` (415), ``batch_too_large`` (413), ``invalid_protobuf``, ``invalid_utf8``,
    ``invalid_json`` or ``invalid_otlp`` (400).
    """
    found, clean = _read(body, media_type)
    return judge(_values(found, max_records), RecordParser(received_at, clean=clean))


def pack_otlp(body: bytes, received_at: datetime, *, max_records: int, media_type: str) -> PackedBatch:
    """What ``parse_otlp`` reads, packed."""
    return pack_batch(parse_otlp(body, received_at, max_records=max_records, media_type=media_type))


def _read(body: bytes, media_type: str) -> tuple[Iterator[Found], bool]:
    # Imported when a request comes: neither costs a cold start of those who send something else.
    if media_type == PROTOBUF:
        from sluice.protocols.otlp_protobuf import read_protobuf

        return read_protobuf(body), False
    if media_type == JSON:
        from sluice.protocols.otlp_json import read_json

        return read_json(body)
    raise RejectedInput("unsupported_media_type", f"OTLP comes as {PROTOBUF} or {JSON}", status=415)


def _values(found: Iterable[Found], max_records: int) -> Iterator[Any]:
    weighed, weight, total = None, 0, 0
    for count, (source, log) in enumerate(found, 1):
        check_count(count, max_records)
        if source is not weighed:
            weighed, weight = source, _weight(source)
        total += weight
        if total > MAX_SHARED_CHARACTERS:
            raise _too_much_shared()
        yield BrokenRecord("a log record must be an object") if log is None else _value(source, log)


def _weight(source: Source) -> int:
    """About how many characters each record takes over from its source; a short item costs as much as a longer one."""
    items = len(source.resource) + len(source.scope)
    return len(json_text([source.resource, source.scope])) + 32 * items + len(source.scope_version)


def _too_much_shared() -> RejectedInput:
    detail = (
        f"the attributes of resource and scope, once for each record, are over {MAX_SHARED_CHARACTERS} characters: "
        "send smaller batches"
    )
    return RejectedInput("batch_too_large", detail, status=413).violating("batch-values")


def _value(source: Source, log: LogFields) -> dict[str, Any]:
    """The log as a JSON record of ours. In the metadata the log's own attributes come first, then the scope's, then the
    resource's: what comes later under a taken key gets a leading underscore."""
    metadata = dict(log.attributes)
    value: dict[str, Any] = {
        "timestamp": _time(log.time_unix_nano) or _time(log.observed_time_unix_nano),
        "severity_number": log.severity_number or None,
        "severity_text": log.severity_text or None,
        "message": log.body if log.body is not None else log.event_name or "",
        "logger": source.scope_name or None,
        "metadata": metadata,
    }
    for key, column in _RECORD_COLUMNS.items():
        value[column] = metadata.pop(key, None)
    for name, digits, length in (("trace_id", log.trace_id, 32), ("span_id", log.span_id, 16)):
        _place_id(value, name, digits, length)
    about = {
        "event_name": log.event_name,
        "trace_flags": log.flags,
        "dropped_attributes_count": log.dropped_attributes_count,
        "scope.version": source.scope_version,
    }
    _add(metadata, {key: item for key, item in about.items() if item})
    _add(metadata, source.scope)
    resource = dict(source.resource)
    for key, column in _RESOURCE_COLUMNS.items():
        value[column] = resource.pop(key, None)
    _add(metadata, resource)
    return value


def _add(metadata: dict[str, Any], more: dict[str, Any]) -> None:
    for key, item in more.items():
        if key not in metadata or metadata[key] != item:
            metadata[free_key(key, metadata)] = item


def _time(nanoseconds: Any) -> Any:
    """An epoch number always in nanoseconds, which ``timestamps`` would tell by its magnitude; None if unset."""
    if isinstance(nanoseconds, str) and nanoseconds.isascii() and nanoseconds.isdigit() and len(nanoseconds) < 21:
        nanoseconds = int(nanoseconds)
    if isinstance(nanoseconds, int) and not isinstance(nanoseconds, bool) and 0 < nanoseconds < 10**17:
        return nanoseconds / 1_000_000_000
    return nanoseconds or None


def _place_id(value: dict[str, Any], name: str, digits: str, length: int) -> None:
    """A valid id goes to its column, an unset one nowhere, anything else to the metadata as it was sent."""
    lower = digits.lower()
    if lower in _NO_ID:
        return
    if len(lower) == length and _HEX.issuperset(lower):
        value[name] = lower
    else:
        value["metadata"][name] = digits
