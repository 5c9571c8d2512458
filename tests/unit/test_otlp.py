"""OTLP log requests, in both encodings, as records of ours."""

import json
from typing import Any

import pytest

from fakes import NOON
from otlp import JSON, NANOSECOND, PROTOBUF, json_request, log, nested, protobuf_request
from sluice.entries.model import Batch, Flag, Level, Record
from sluice.errors import RejectedInput
from sluice.protocols.otlp import parse_otlp

ENCODINGS = {PROTOBUF: protobuf_request, JSON: json_request}
TRACE, SPAN = bytes(range(16)), bytes(range(8))


def read(body: bytes, media_type: str, max_records: int = 100) -> Batch:
    return parse_otlp(body, NOON, max_records=max_records, media_type=media_type)


@pytest.fixture(params=ENCODINGS, ids=["protobuf", "json"])
def encoding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def one(encoding: str, fields: dict[str, Any], **about: Any) -> Record:
    (record,) = read(ENCODINGS[encoding]([fields], **about), encoding).records
    return record


def refused(body: bytes, media_type: str, **arguments: Any) -> tuple[str, int]:
    with pytest.raises(RejectedInput) as caught:
        read(body, media_type, **arguments)
    return caught.value.code, caught.value.status


def test_every_field_finds_its_place(encoding: str) -> None:
    fields = log(
        "payment failed",
        severity_number=18,
        severity_text="ERROR2",
        trace_id=TRACE,
        span_id=SPAN,
        flags=1,
        dropped=3,
        event_name="payment",
        attributes={"exception.type": "ValueError", "exception.stacktrace": "…", "session.id": "s-1", "order": 4711},
    )
    resource = {"service.name": "shop", "service.version": "1.2", "host.name": "web-1", "cloud.region": "eu"}
    record = one(encoding, fields, resource=resource, scope={"scoped": True}, scope_name="shop.payments")
    assert record.event_at == NOON.replace(microsecond=123_456)
    assert (record.level, record.severity_number, record.severity_text) == (Level.ERROR, 18, "ERROR2")
    assert (record.message, record.logger, record.service) == ("payment failed", "shop.payments", "shop")
    assert (record.version, record.host, record.session_id) == ("1.2", "web-1", "s-1")
    assert (record.trace_id, record.span_id) == (TRACE.hex(), SPAN.hex())
    assert json.loads(record.metadata) == {
        "exception.type": "ValueError",
        "exception.stacktrace": "…",
        "order": 4711,
        "event_name": "payment",
        "trace_flags": 1,
        "dropped_attributes_count": 3,
        "scoped": True,
        "cloud.region": "eu",
    }
    assert record.flags == Flag(0)


def test_the_logs_own_attributes_keep_their_names(encoding: str) -> None:
    record = one(encoding, log(attributes={"k": 1, "same": 1}), scope={"k": 2}, resource={"k": 3, "same": 1})
    assert json.loads(record.metadata) == {"k": 1, "_k": 2, "__k": 3, "same": 1}


@pytest.mark.parametrize(
    ("times", "microsecond", "flags"),
    [
        ({"time": 0, "observed": NANOSECOND}, 123_456, Flag(0)),
        ({"time": 0}, 0, Flag.TIMESTAMP_MISSING),
    ],
)
def test_time_falls_back(encoding: str, times: dict[str, int], microsecond: int, flags: Flag) -> None:
    record = one(encoding, log(**times))
    assert (record.event_at, record.flags) == (NOON.replace(microsecond=microsecond), flags)


def test_small_times_are_nanoseconds_too(encoding: str) -> None:
    assert one(encoding, log(time=5_000_000_000)).event_at.timestamp() == 5


@pytest.mark.parametrize(
    ("number", "level"),
    [
        *((number, Level.DEBUG) for number in (1, 5, 8)),
        *((number, Level.INFO) for number in (9, 12)),
        (13, Level.WARNING),
        (20, Level.ERROR),
        *((number, Level.CRITICAL) for number in (21, 24)),
    ],
)
def test_severity_numbers(encoding: str, number: int, level: Level) -> None:
    record = one(encoding, log(severity_number=number))
    assert (record.level, record.severity_number) == (level, number)


def test_severity_without_a_number(encoding: str) -> None:
    assert one(encoding, log(severity_text="Warn")).level is Level.WARNING
    assert one(encoding, log(severity_number=0)).level is Level.INFO
    odd = one(encoding, log(severity_number=99, severity_text="purple"))
    assert (odd.level, odd.severity_number, odd.severity_text) == (Level.INFO, None, "purple")
    assert Flag.LEVEL_UNKNOWN in odd.flags
    assert json.loads(odd.metadata) == {"severity_number": 99}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, ""),
        ("", ""),
        (7, "7"),
        (True, "true"),
        (1.5, "1.5"),
        (b"\x00\xff", "AP8="),
        ([1, "a", None], '[1,"a",null]'),
        ({"a": {"b": [b"x"]}}, '{"a":{"b":["eA=="]}}'),
    ],
)
def test_bodies(encoding: str, body: Any, message: str) -> None:
    assert one(encoding, log(body)).message == message


def test_an_event_without_a_body_is_called_by_its_name(encoding: str) -> None:
    assert one(encoding, log(None, event_name="device.crash")).message == "device.crash"


@pytest.mark.parametrize(
    ("trace_id", "kept"),
    [(b"", {}), (bytes(16), {}), (b"\x01\x02", {"trace_id": "0102"}), (bytes(range(17)), None)],
)
def test_ids_that_are_none(encoding: str, trace_id: bytes, kept: dict[str, str] | None) -> None:
    record = one(encoding, log(trace_id=trace_id, span_id=bytes(8)))
    assert (record.trace_id, record.span_id) == (None, None)
    if kept is not None:
        assert json.loads(record.metadata) == kept


def test_what_postgres_cannot_keep_gets_a_stand_in(encoding: str) -> None:
    record = one(encoding, log("a\0b", attributes={"nan": float("nan"), "inf": float("-inf"), "k\0": "v\0"}))
    assert record.message == "a\ufffdb"
    assert json.loads(record.metadata) == {"nan": "nan", "inf": "-inf", "k\ufffd": "v\ufffd"}
    assert record.flags == Flag.TEXT_REPLACED | Flag.VALUES_ALTERED


def test_huge_maps_are_folded(encoding: str) -> None:
    record = one(encoding, log(attributes={f"k{number}": number for number in range(300)}))
    assert Flag.VALUES_ALTERED in record.flags
    metadata = json.loads(record.metadata)
    assert (metadata["k0"], json.loads(metadata["_more"])["k299"]) == (0, 299)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"resourceLogs":[]}', b'{"resourceLogs":[{"scopeLogs":[{}]}]}'])
def test_an_empty_request_is_a_good_one(body: bytes) -> None:
    assert read(body, JSON if body else PROTOBUF) == Batch((), ())


def test_what_is_no_object_is_rejected_alone() -> None:
    batch = read(b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a"}},5]}]}]}', JSON)
    assert [record.message for record in batch.records] == ["a"]
    assert [(item.index, item.code) for item in batch.rejections] == [(1, "invalid_json")]


def test_wrong_types_in_json_count_as_unset() -> None:
    odd = {
        "timeUnixNano": [],
        "severityNumber": "SEVERITY_NUMBER_INFO",
        "severityText": 5,
        "body": {"stringValue": 7},
        "attributes": [5, {"key": 1}, {"key": "a", "value": {"doubleValue": "1.5"}}, {"key": "b", "value": {"odd": 1}}],
        "traceId": 5,
        "flags": "x",
        "eventName": {},
    }
    body = json.dumps({"resourceLogs": [5, {"resource": 5, "scopeLogs": [{"scope": [], "logRecords": [odd]}]}]})
    (record,) = read(body.encode(), JSON).records
    assert (record.message, record.level) == ("7", Level.INFO)
    assert json.loads(record.metadata)["a"] == "1.5"


@pytest.mark.parametrize("number", ["1" + "0" * 350, "9" * 5_000, "-1e400", "9007199254740993"])
def test_no_number_is_a_server_error(number: str) -> None:
    value = f'{{"key":"n","value":{{"doubleValue":{number}}}}},{{"key":"m","value":{{"intValue":"{number}"}}}}'
    log_json = f'{{"timeUnixNano":{number},"severityNumber":{number},"flags":{number},"attributes":[{value}]}}'
    body = f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{log_json}]}}]}}]}}'
    assert len(read(body.encode(), JSON).records) == 1


def test_nested_values_are_folded(encoding: str) -> None:
    deep: Any = "core"
    for _ in range(30):
        deep = [deep]
    assert Flag.VALUES_ALTERED in one(encoding, log("m", attributes={"deep": deep})).flags


def test_depth_bombs_are_refused() -> None:
    deep = b""
    for _ in range(1_000):
        array = nested(5, deep)  # AnyValue.array_value
        deep = nested(1, array)  # ArrayValue.values
    assert refused(nested(1, nested(2, nested(2, nested(5, deep)))), PROTOBUF) == ("invalid_protobuf", 400)
    for depth in (1_500, 50_000):
        opened = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":' + b'{"arrayValue":{"values":[' * depth
        assert refused(opened + b"]}}" * depth + b"}]}]}]}", JSON) == ("invalid_json", 400)


@pytest.mark.parametrize(
    ("body", "media_type", "code", "status"),
    [
        (b"{", JSON, "invalid_json", 400),
        (b"[]", JSON, "invalid_otlp", 400),
        (b"\xff", JSON, "invalid_utf8", 400),
        (b"[]" * 250_001, JSON, "batch_too_large", 413),
        (b"\xff", PROTOBUF, "invalid_protobuf", 400),
        (b"{}", PROTOBUF, "invalid_protobuf", 400),
        (b"\x0a\x00" * 1_000_001, PROTOBUF, "batch_too_large", 413),
        (b"\x01" * 8_388_609, PROTOBUF, "body_too_large", 413),
        (protobuf_request([log("abc")]).replace(b"abc", b"a\xffc"), PROTOBUF, "invalid_protobuf", 400),
        (b"", "text/plain", "unsupported_media_type", 415),
        (b"", "", "unsupported_media_type", 415),
    ],
)
def test_unusable_bodies(body: bytes, media_type: str, code: str, status: int) -> None:
    assert refused(body, media_type) == (code, status)


def test_too_many_records(encoding: str) -> None:
    body = ENCODINGS[encoding]([log()] * 11)
    assert refused(body, encoding, max_records=10) == ("batch_too_large", 413)


def test_what_records_share_does_not_multiply_without_bound(encoding: str) -> None:
    attributes = {f"key-{number}": "v" * 200 for number in range(200)}
    body = ENCODINGS[encoding]([log("m")] * 1_000, resource=attributes)
    assert refused(body, encoding, max_records=10_000) == ("batch_too_large", 413)
    few = {"service.name": "shop", "k8s.pod.name": "p" * 60, "process.command_args": ["a" * 50] * 20}
    body = ENCODINGS[encoding]([log("m")] * 1_000, resource=few)
    assert len(read(body, encoding, max_records=10_000).records) == 1_000
