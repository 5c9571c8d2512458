"""OTLP's JSON encoding: protobuf's, but with hexadecimal ids, enums as numbers, and 64-bit integers as text or number.

Unknown fields are ignored, as the specification demands; what has the wrong type counts as unset.
"""

import json
from collections.abc import Iterator
from typing import Any

from sluice.entries.normalise import integer
from sluice.entries.parse import check_size, is_suspicious
from sluice.errors import RejectedInput
from sluice.protocols.otlp import Found, LogFields, Source

_DECODER = json.JSONDecoder(parse_int=integer)
_SPECIAL_DOUBLES = ("NaN", "Infinity", "-Infinity")
_LARGEST_EXACT = 2**53  # integers that a double holds


def read_json(body: bytes) -> tuple[Iterator[Found], bool]:
    """The log records of a request, in order, and whether no value in it needs normalisation.

    Raises RejectedInput ``batch_too_large`` (413), ``invalid_utf8``, ``invalid_json`` and ``invalid_otlp``.
    """
    check_size(body)
    try:
        text = body.decode("utf-8-sig")
        request = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise RejectedInput("invalid_utf8", f"byte {error.start} of the body is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise RejectedInput("invalid_json", f"{error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise _too_deep() from error
    if not isinstance(request, dict):
        raise RejectedInput("invalid_otlp", "an ExportLogsServiceRequest is a JSON object")
    return _found(request), not is_suspicious(text)


def _found(request: dict[str, Any]) -> Iterator[Found]:
    try:
        for resource_logs in _objects(request, "resourceLogs"):
            resource = _map(_object(resource_logs, "resource"))
            for scope_logs in _objects(resource_logs, "scopeLogs"):
                scope = _object(scope_logs, "scope")
                source = Source(resource, _map(scope), _text(scope, "name"), _text(scope, "version"))
                for log in _list(scope_logs, "logRecords"):
                    yield Found(source, _fields(log) if isinstance(log, dict) else None)
    except RecursionError as error:
        raise _too_deep() from error


def _fields(log: dict[str, Any]) -> LogFields:
    return LogFields(
        log.get("timeUnixNano"),
        log.get("observedTimeUnixNano"),
        log.get("severityNumber"),
        _text(log, "severityText"),
        _value(log.get("body")),
        _map(log),
        _count(log, "droppedAttributesCount"),
        _count(log, "flags"),
        _text(log, "traceId"),
        _text(log, "spanId"),
        _text(log, "eventName"),
    )


def _map(holder: dict[str, Any], name: str = "attributes") -> dict[str, Any]:
    return {_text(pair, "key"): _value(pair.get("value")) for pair in _objects(holder, name)}


def _value(value: Any) -> Any:
    """The plain value of an AnyValue."""
    if not isinstance(value, dict):
        return None
    for kind, item in value.items():
        match kind:
            case "stringValue" | "bytesValue" | "boolValue":
                return item
            case "intValue":
                return _integer(item)
            case "doubleValue":
                return _double(item)
            case "arrayValue":
                return [_value(element) for element in _list(item, "values")]
            case "kvlistValue":
                return _map(item if isinstance(item, dict) else {}, "values")
    return None


def _integer(item: Any) -> Any:
    if isinstance(item, str) and len(item) < 21 and item.isascii() and item.removeprefix("-").isdigit():
        return int(item)
    return item


def _double(item: Any) -> Any:
    if item in _SPECIAL_DOUBLES or (type(item) is int and abs(item) < _LARGEST_EXACT):
        return float(item)
    return item


def _count(holder: dict[str, Any], name: str) -> Any:
    count = _integer(holder.get(name))
    return count if isinstance(count, int) else 0


def _text(holder: dict[str, Any], name: str) -> str:
    text = holder.get(name)
    return text if isinstance(text, str) else ""


def _object(holder: dict[str, Any], name: str) -> dict[str, Any]:
    found = holder.get(name)
    return found if isinstance(found, dict) else {}


def _list(holder: Any, name: str) -> list[Any]:
    found = holder.get(name) if isinstance(holder, dict) else None
    return found if isinstance(found, list) else []


def _objects(holder: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    return (item for item in _list(holder, name) if isinstance(item, dict))


def _too_deep() -> RejectedInput:
    return RejectedInput("invalid_json", "the body is nested too deeply")
