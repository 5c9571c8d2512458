"""OTLP requests for tests, the same one in both encodings."""

import base64
import json
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

PROTOBUF, JSON = "application/x-protobuf", "application/json"
NANOSECOND = 1_772_366_400_123_456_789  # 2026-03-01 12:00:00.123456789
_WIRE_NAMES = {
    "time": "time_unix_nano",
    "observed": "observed_time_unix_nano",
    "dropped": "dropped_attributes_count",
}


def log(body: Any = "hello", **fields: Any) -> dict[str, Any]:
    """A log record under protobuf's field names (``time`` and ``observed`` for short); values are plain."""
    return {"time": NANOSECOND, "body": body, "attributes": {}} | fields


def protobuf_request(
    logs: Iterable[dict[str, Any]],
    resource: dict[str, Any] | None = None,
    scope: dict[str, Any] | None = None,
    scope_name: str = "",
) -> bytes:
    """One resource, one scope."""
    request = ExportLogsServiceRequest()
    resource_logs = request.resource_logs.add()
    resource_logs.resource.attributes.extend(_pairs(resource or {}))
    scope_logs = resource_logs.scope_logs.add()
    scope_logs.scope.name = scope_name
    scope_logs.scope.attributes.extend(_pairs(scope or {}))
    for fields in logs:
        record = scope_logs.log_records.add()
        for name, value in fields.items():
            if name == "body":
                record.body.CopyFrom(_any(value))
            elif name == "attributes":
                record.attributes.extend(_pairs(value))
            else:
                setattr(record, _WIRE_NAMES.get(name, name), value)
    return bytes(request.SerializeToString())


def json_request(
    logs: Iterable[dict[str, Any]],
    resource: dict[str, Any] | None = None,
    scope: dict[str, Any] | None = None,
    scope_name: str = "",
) -> bytes:
    """The same in JSON, as the JavaScript SDK writes it."""
    scope_logs = {
        "scope": {"name": scope_name, "attributes": _json_pairs(scope or {}), "unknown": 1},
        "logRecords": [_json_log(fields) for fields in logs],
    }
    resource_logs = {"resource": {"attributes": _json_pairs(resource or {})}, "scopeLogs": [scope_logs]}
    return json.dumps({"resourceLogs": [resource_logs], "unknown": {}}).encode()


def nested(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    length, size = b"", len(content)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def _json_log(fields: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in fields.items():
        wire = _WIRE_NAMES.get(name, name)
        camel = wire.split("_")[0] + "".join(word.capitalize() for word in wire.split("_")[1:])
        if name == "body":
            made[camel] = _json_any(value)
        elif name == "attributes":
            made[camel] = _json_pairs(value)
        elif isinstance(value, bytes):
            made[camel] = value.hex().upper()
        else:
            made[camel] = str(value) if name in ("time", "observed") else value
    return made


def _pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_any(value)) for key, value in attributes.items()]


def _any(value: Any) -> AnyValue:
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(_any, value)))
        case _:
            return AnyValue(kvlist_value=KeyValueList(values=_pairs(value)))


def _json_pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _json_any(value)} for key, value in attributes.items()]


def _json_any(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value) if value % 2 else value}
        case float():
            special = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(value))
            return {"doubleValue": special or value}
        case str():
            return {"stringValue": value}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode()}
        case list():
            return {"arrayValue": {"values": [_json_any(item) for item in value]}}
        case _:
            return {"kvlistValue": {"values": _json_pairs(value)}}
