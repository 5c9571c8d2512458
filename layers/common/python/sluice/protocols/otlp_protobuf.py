"""OTLP's protobuf encoding, read with the messages that OpenTelemetry publishes."""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from sluice.errors import RejectedInput
from sluice.protocols.otlp import Found, LogFields, Source

# An empty message takes two bytes on the wire, one of them zero, and sixty in memory; others are not as lopsided.
MAX_BYTES = 8_388_608
MAX_ZERO_BYTES = 1_000_000


def read_protobuf(body: bytes) -> Iterator[Found]:
    """The log records of a serialised request, in order.

    Raises RejectedInput ``invalid_protobuf``, also for text that is not UTF-8 and for nesting deeper than protobuf's
    own limit of 100, and ``body_too_large`` or ``batch_too_large`` (413).
    """
    if len(body) > MAX_BYTES:
        detail = f"the inflated body is over the limit of {MAX_BYTES} bytes for protobuf: send smaller batches"
        raise RejectedInput("body_too_large", detail, status=413).violating("inflated-body-bytes")
    if body.count(0) > MAX_ZERO_BYTES:
        detail = f"the body holds more than {MAX_ZERO_BYTES} zero bytes: send smaller batches"
        raise RejectedInput("batch_too_large", detail, status=413).violating("batch-values")
    try:
        request = ExportLogsServiceRequest.FromString(body)
    except DecodeError as error:
        raise RejectedInput("invalid_protobuf", "the body is no ExportLogsServiceRequest") from error
    return _found(request)


def _found(request: ExportLogsServiceRequest) -> Iterator[Found]:
    for resource_logs in request.resource_logs:
        resource = _map(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            scope = scope_logs.scope
            source = Source(resource, _map(scope.attributes), scope.name, scope.version)
            for log in scope_logs.log_records:
                yield Found(source, _fields(log))


def _fields(log: LogRecord) -> LogFields:
    return LogFields(
        log.time_unix_nano,
        log.observed_time_unix_nano,
        log.severity_number,
        log.severity_text,
        _value(log.body),
        _map(log.attributes),
        log.dropped_attributes_count,
        log.flags,
        log.trace_id.hex(),
        log.span_id.hex(),
        log.event_name,
    )


def _map(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return _map(value.kvlist_value.values)
        case "bytes_value":
            return b64encode(value.bytes_value).decode()
        case str(kind):
            return getattr(value, kind)
