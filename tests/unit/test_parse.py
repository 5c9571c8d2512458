"""What a client may send, and what becomes of it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fakes import NOON
from sluice.entries.model import MAX_MESSAGE_CHARACTERS, Batch, Flag, Level, Record
from sluice.entries.parse import parse_batch
from sluice.errors import RejectedInput


def parse(document: Any, max_records: int = 100) -> Batch:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_batch(body, NOON, max_records=max_records)


def one(document: Any) -> Record:
    (record,) = parse(document).records
    return record


def refused(document: Any, **arguments: Any) -> RejectedInput:
    with pytest.raises(RejectedInput) as caught:
        parse(document, **arguments)
    return caught.value


def test_reads_the_four_fields() -> None:
    record = one(
        {
            "timestamp": "2026-03-01T11:59:00Z",
            "level": "error",
            "message": " boom ",
            "metadata": {"user": 42, "ok": True},
        }
    )
    assert record.event_at == NOON - timedelta(minutes=1)
    assert record.level is Level.ERROR
    assert record.message == " boom "
    assert json.loads(record.metadata) == {"user": 42, "ok": True}
    assert record.flags == Flag(0)


@pytest.mark.parametrize(
    "document", [[{"message": "a"}, {"message": "b"}], {"logs": [{"message": "a"}, {"message": "b"}]}]
)
def test_reads_batches_in_order(document: Any) -> None:
    assert [(record.position, record.message) for record in parse(document).records] == [(0, "a"), (1, "b")]


def test_a_record_that_has_a_field_logs_is_a_record() -> None:
    assert json.loads(one({"message": "a", "logs": [1]}).metadata) == {"logs": [1]}


def test_what_is_missing_gets_its_default() -> None:
    record = one({"message": "hello"})
    assert (record.event_at, record.level, record.metadata) == (NOON, Level.INFO, "{}")
    assert record.flags == Flag.TIMESTAMP_MISSING


@pytest.mark.parametrize(
    ("sent", "level", "severity_text", "flags"),
    [
        ("ERROR", Level.ERROR, None, Flag(0)),
        ("Warn", Level.WARNING, "Warn", Flag(0)),
        (" fatal ", Level.CRITICAL, " fatal ", Flag(0)),
        ("notice", Level.INFO, "notice", Flag(0)),
        ("30", Level.WARNING, "30", Flag(0)),
        ("purple", Level.INFO, "purple", Flag.LEVEL_UNKNOWN),
        (10, Level.DEBUG, None, Flag(0)),
        (35, Level.ERROR, None, Flag(0)),
        (3, Level.ERROR, None, Flag(0)),
        (7, Level.DEBUG, None, Flag(0)),
        (0, Level.CRITICAL, None, Flag(0)),
        (50.0, Level.CRITICAL, None, Flag(0)),
        (None, Level.INFO, None, Flag(0)),
    ],
)
def test_levels(sent: Any, level: Level, severity_text: str | None, flags: Flag) -> None:
    record = one({"message": "m", "level": sent, "timestamp": NOON.isoformat()})
    assert (record.level, record.severity_text, record.flags) == (level, severity_text, flags)


@pytest.mark.parametrize("level", [True, [], {}, ["error"]])
def test_a_level_that_is_neither_text_nor_number_is_refused(level: Any) -> None:
    error = refused({"message": "m", "level": level})
    assert (error.status, error.code) == (400, "invalid_level")
    assert [(item.index, item.pointer, item.code) for item in error.rejections] == [(0, "#/level", "invalid_level")]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("2026-03-01T12:00:00", NOON),  # naive means UTC
        ("2026-03-01 17:30:00+05:30", NOON),
        ("2026-03-01T12:00:00.123456789Z", NOON.replace(microsecond=123456)),
        (1772366400, NOON),
        (1772366400.5, NOON.replace(microsecond=500_000)),
        (1772366400000, NOON),
        (1772366400000000, NOON),
        (1772366400000000123, NOON),
        ("1772366400", NOON),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-03-01 12:00:00,123", NOON.replace(microsecond=123_000)),  # Python's logging
        ("2026-03-01 12:00:00,123+0000", NOON.replace(microsecond=123_000)),
        ("2026-03-01t12:00:00z", NOON),
        ("2026/03/01 12:00:00", NOON),
        ("2026-03-01 12:00:00 UTC", NOON),
        ("2026-03-01 14:00:00.5 +0200 CEST", None),
        ("2026-03-01 12:00:00.123456789 +0000 UTC", NOON.replace(microsecond=123_456)),
        ("2026-03-01T11:59:60Z", NOON),
        ("2026-03-01T11:59:60.5+00:00", NOON.replace(microsecond=500_000)),
        ("Sun, 01 Mar 2026 12:00:00 GMT", NOON),
        ("1 Mar 2026 17:30:00 +0530", NOON),
        ("01/Mar/2026:12:00:00 +0000", NOON),
        ("1772366400.25", NOON.replace(microsecond=250_000)),
    ],
)
def test_timestamps(sent: Any, expected: datetime | None) -> None:
    record = one({"message": "m", "timestamp": sent})
    assert record.event_at == (expected or NOON)
    assert (Flag.TIMESTAMP_UNREADABLE in record.flags) == (expected is None)


@pytest.mark.parametrize(
    "sent", ["yesterday", "", True, [], 1e30, float("nan"), "9" * 50, "1_000", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_time_is_kept_beside_the_time_of_receipt(sent: Any) -> None:
    record = one({"message": "m", "timestamp": sent})
    assert (record.event_at, Flag.TIMESTAMP_UNREADABLE in record.flags) == (NOON, True)
    kept = json.loads(record.metadata)["timestamp"]
    assert kept == (sent if sent == sent else "nan")


def test_no_clock_is_refused() -> None:
    record = one({"message": "m", "timestamp": "2036-01-01T00:00:00Z"})
    assert record.event_at.year == 2036
    assert record.flags == Flag.CLOCK_SKEWED


@pytest.mark.parametrize(("sent", "kept"), [(5, "5"), ({"a": 1}, '{"a":1}'), (["x"], '["x"]'), ("", "")])
def test_messages_that_are_not_text_become_json(sent: Any, kept: str) -> None:
    assert one({"message": sent}).message == kept


def test_long_messages_are_truncated_and_say_so() -> None:
    record = one({"message": "x" * (MAX_MESSAGE_CHARACTERS + 7)})
    assert len(record.message) == MAX_MESSAGE_CHARACTERS
    assert record.original_length == MAX_MESSAGE_CHARACTERS + 7
    assert Flag.MESSAGE_TRUNCATED in record.flags


def test_optional_fields_have_columns_and_unknown_ones_go_to_metadata() -> None:
    record = one(
        {"message": "m", "trace_id": "abc", "host": "web-1", "shop": "eu", "service": {"name": "x"}, "logger": 5}
    )
    assert (record.trace_id, record.host, record.service, record.logger) == ("abc", "web-1", None, "5")
    assert json.loads(record.metadata) == {"shop": "eu", "service": {"name": "x"}}


def test_an_unknown_field_never_hides_metadata() -> None:
    record = one({"message": "m", "metadata": {"shop": "us"}, "shop": "eu"})
    assert json.loads(record.metadata) == {"shop": "us", "_shop": "eu"}


@pytest.mark.parametrize("metadata", [[], "text", 5, True])
def test_metadata_must_be_an_object(metadata: Any) -> None:
    assert refused({"message": "m", "metadata": metadata}).code == "invalid_metadata"


def test_one_bad_record_does_not_take_the_others_with_it() -> None:
    batch = parse([{"message": "a"}, {"level": "info"}, {"message": "c"}, 7])
    assert [record.position for record in batch.records] == [0, 2]
    assert [(item.index, item.pointer, item.code) for item in batch.rejections] == [
        (1, "#/message", "missing_message"),
        (3, "#", "invalid_record"),
    ]


def test_a_batch_without_a_good_record_is_refused_with_all_reasons() -> None:
    error = refused([{}, {"message": "m", "level": []}])
    assert error.code == "all_records_rejected"
    assert [item.index for item in error.rejections] == [0, 1]


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        (b"", "invalid_json", 400),
        (b"{", "invalid_json", 400),
        (b'{"message": "a\x00"}', "invalid_json", 400),
        (b"\xff\xfe", "invalid_utf8", 400),
        (b"[" * 100_000, "invalid_json", 400),
        (b'{"message":' + b"[" * 900 + b"]" * 900 + b"}", None, 0),
        (b"5", "invalid_body", 400),
        (b"[]", "empty_batch", 400),
        (b'{"logs": []}', "empty_batch", 400),
        (b"[" + b"1," * 100 + b"1]", "batch_too_large", 413),
    ],
)
def test_unusable_bodies(body: bytes, code: str | None, status: int) -> None:
    if code is None:
        assert len(parse(body).records) == 1
        return
    error = refused(body)
    assert (error.code, error.status) == (code, status)


def test_what_postgres_cannot_keep_gets_a_stand_in() -> None:
    record = one(
        b'{"message": "a\\u0000b\\ud800c", "metadata": {"k\\u0000": "v", "big": 123456789012345678901, "nan": NaN}}'
    )
    assert record.message == "a\ufffdb\ufffdc"
    assert json.loads(record.metadata) == {"k\ufffd": "v", "big": "123456789012345678901", "nan": "nan"}
    assert Flag.TEXT_REPLACED | Flag.VALUES_ALTERED in record.flags


def test_a_number_bomb_is_kept_as_text() -> None:
    record = one(b'{"message": "m", "metadata": {"bomb": ' + b"9" * 60_000 + b"}}")
    assert json.loads(record.metadata) == {"bomb": "9" * 60_000}
    assert Flag.VALUES_ALTERED in record.flags


def test_deep_and_wide_metadata_is_folded_not_lost() -> None:
    deep: Any = "core"
    for _ in range(30):
        deep = {"d": deep}
    wide = {f"k{number}": number for number in range(300)}
    record = one({"message": "m", "metadata": {"deep": deep, "wide": wide}})
    metadata = json.loads(record.metadata)
    for _ in range(19):
        metadata["deep"] = metadata["deep"]["d"]
    assert json.loads(metadata["deep"])["d"]
    assert len(metadata["wide"]) == 257
    assert json.loads(metadata["wide"]["_more"])["k299"] == 299
    assert Flag.VALUES_ALTERED in record.flags


def test_no_number_is_a_server_error() -> None:
    assert one(b'{"message": "m", "level": 1' + b"0" * 310 + b"}").level is Level.CRITICAL
    assert refused(b'{"message": "m", "level": NaN}').code == "invalid_level"
    record = one(b'{"message": "m", "timestamp": 1' + b"0" * 310 + b"}")
    assert Flag.TIMESTAMP_UNREADABLE in record.flags
    assert json.loads(record.metadata) == {"timestamp": "1" + "0" * 310}


@pytest.mark.parametrize("number", ["1e308", "-1e31", "1e-31", "1E+40", "123e50"])
def test_a_number_that_jsonb_would_write_out_is_kept_as_text(number: str) -> None:
    record = one(f'{{"message": "m", "metadata": {{"n": {number}}}}}'.encode())
    assert json.loads(record.metadata) == {"n": str(float(number))}
    assert Flag.VALUES_ALTERED in record.flags


def test_ordinary_numbers_stay_numbers() -> None:
    record = one(b'{"message": "m", "metadata": {"a": 1.5e10, "b": 0.0, "c": -2e-9, "d": 7}}')
    assert json.loads(record.metadata) == {"a": 1.5e10, "b": 0.0, "c": -2e-9, "d": 7}
    assert record.flags == Flag.TIMESTAMP_MISSING


def test_long_metadata_keep_their_beginning() -> None:
    record = one({"message": "m", "metadata": {"first": "kept", "blob": "x" * 100_000}})
    assert json.loads(record.metadata)["_more"].startswith('{"first":"kept","blob":"xxx')
    assert len(record.metadata) < 70_000
    assert Flag.METADATA_TRUNCATED in record.flags


@pytest.mark.parametrize(
    ("document", "kept"),
    [
        (b'{"message": "m", "x": 3, "metadata": {"_x": 1, "x": 2}}', {"_x": 1, "x": 2, "__x": 3}),
        (b'{"message": "m", "metadata": {"a\\u0000": 1, "a\\ud800": 2}}', {"a\ufffd": 1, "_a\ufffd": 2}),
    ],
)
def test_no_key_hides_another(document: bytes, kept: dict[str, int]) -> None:
    assert json.loads(one(document).metadata) == kept


@pytest.mark.parametrize("unit", [b"[],", b'{"a":0},', b"1,"])
def test_a_body_that_would_fill_the_memory_is_refused_unparsed(unit: bytes) -> None:
    error = refused(b'{"message": "m", "metadata": {"a": [' + unit * 1_100_000 + b"0]}}")
    assert (error.status, error.code) == (413, "batch_too_large")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b" \n", "the body is empty"),
        (b"plain line", "Expecting value at line 1, column 1; lines of text need Content-Type: text/plain"),
        (b'{"message": ', "Expecting value at line 1, column 13"),
    ],
)
def test_a_body_that_is_no_json_is_told_why(body: bytes, detail: str) -> None:
    error = refused(body)
    assert (error.code, error.detail) == ("invalid_json", detail)
