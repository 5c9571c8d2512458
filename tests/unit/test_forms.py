"""The forms of a body beside JSON documents: NDJSON, concatenated JSON, text; and the shapes of well-known loggers."""

import json
from typing import Any

import pytest

from fakes import NOON
from sluice.entries.model import Batch, Flag, Level, Record
from sluice.entries.parse import parse_batch
from sluice.errors import RejectedInput

NDJSON, TEXT = "application/x-ndjson", "text/plain"
A, B, C = b'{"message":"a"}', b'{"message":"b"}', b'{"message":"c"}'


def parse(body: bytes, media_type: str = "application/json", max_records: int = 100) -> Batch:
    return parse_batch(body, NOON, max_records=max_records, media_type=media_type)


def messages(batch: Batch) -> list[tuple[int, str]]:
    return [(record.position, record.message) for record in batch.records]


def code_of(body: bytes, media_type: str = "application/json", **arguments: Any) -> str:
    with pytest.raises(RejectedInput) as caught:
        parse(body, media_type, **arguments)
    return caught.value.code


@pytest.mark.parametrize("media_type", [NDJSON, "application/json", "", TEXT, "application/x-www-form-urlencoded"])
@pytest.mark.parametrize(
    "body", [b"\n".join((A, B)), b"\r\n".join((A, B, b"")), b"\n\n \n".join((A, B)), b"\n" + A + b"\n" + B]
)
def test_lines(media_type: str, body: bytes) -> None:
    assert messages(parse(body, media_type)) == [(0, "a"), (1, "b")]


@pytest.mark.parametrize(
    "body", [A + B, b"\x1e" + A + b"\n\x1e" + B + b"\n", b'{\n "message": "a"\n}\n{\n "message": "b"\n}']
)
def test_objects_one_after_the_other(body: bytes) -> None:
    assert messages(parse(body)) == [(0, "a"), (1, "b")]


@pytest.mark.parametrize(
    "broken", [b'{"message":"a', b'{"message":"a","x":[', b"{nope}", b'{"message":', b"{" * 90_000]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_broken_line_takes_no_other_with_it(broken: bytes, place: int) -> None:
    lines = [A, B, C]
    lines[place] = broken
    batch = parse(b"\n".join(lines))
    assert messages(batch) == [(index, "abc"[index]) for index in range(3) if index != place]
    assert [(item.index, item.pointer, item.code) for item in batch.rejections] == [(place, "#", "invalid_json")]


def test_lines_have_verdicts_of_every_kind() -> None:
    batch = parse(b"\n".join((A, b"null", b'{"level":"info"}', b'"text"', b"oops", C)), NDJSON)
    assert messages(batch) == [(0, "a"), (5, "c")]
    assert [(item.index, item.code) for item in batch.rejections] == [
        (1, "invalid_record"),
        (2, "missing_message"),
        (3, "invalid_record"),
        (4, "invalid_json"),
    ]


@pytest.mark.parametrize("media_type", [NDJSON, TEXT])
def test_a_line_that_is_not_utf8_is_repaired_and_flagged(media_type: str) -> None:
    good, repaired = parse(A + b'\n{"message":"caf\xe9"}', media_type).records
    assert (repaired.message, Flag.TEXT_REPLACED in repaired.flags) == ("caf\ufffd", True)
    assert Flag.TEXT_REPLACED not in good.flags


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"message": "a"', "invalid_json"),
        (b"hello\nworld", "invalid_json"),
        (b'{\n"message": "a"\n"level": "b"\n}', "invalid_json"),
        (b"[" + A + b"] oops", "invalid_json"),
        (b"[" + A + b"," + B, "invalid_json"),
        (b"1 2", "invalid_json"),
        (b"\n \n", "invalid_json"),
        (b'{"message":"caf\xe9"}', "invalid_utf8"),
        (b"x\n" * 200_000, "invalid_json"),
    ],
)
def test_broken_json_does_not_silently_become_text_or_lines(body: bytes, code: str) -> None:
    assert code_of(body) == code


@pytest.mark.parametrize("body", [b"{}\n" * 101, A * 101, b"x\n" * 101, A + b"\n" + b"x\n" * 101])
def test_too_many_lines(body: bytes) -> None:
    assert code_of(body, NDJSON) == "batch_too_large"


def test_every_line_of_text_is_a_log() -> None:
    batch = parse(b"  first\r\n\n \t\nsecond, with [brackets] and {braces}\n{broken\nnul\0", TEXT)
    assert messages(batch) == [
        (0, "  first"),
        (1, "second, with [brackets] and {braces}"),
        (2, "{broken"),
        (3, "nul\ufffd"),
    ]
    assert batch.records[0].flags == Flag.TIMESTAMP_MISSING
    assert batch.rejections == ()


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"[" + A + b"," + B + b"]", ["a", "b"]),
        (b'{"logs": [' + A + b"]}", ["a"]),
        (b'{\n "message": "a"\n}', ["a"]),
        (b"started\n" + A + b"\nstopped", ["started", "a", "stopped"]),
        (b"[1, 2]", ["[1, 2]"]),
        (b"[2026-03-01] started", ["[2026-03-01] started"]),
        (b"[]", ["[]"]),
    ],
)
def test_json_that_calls_itself_text(body: bytes, kept: list[str]) -> None:
    assert [record.message for record in parse(body, TEXT).records] == kept


def test_text_without_lines_and_with_too_many() -> None:
    assert code_of(b"\n \n", TEXT) == "empty_batch"
    assert code_of(b"x\n" * 101, TEXT) == "batch_too_large"


TIME = NOON.timestamp()
SHAPES = {
    "pino": (
        {"level": 30, "time": int(TIME * 1000), "pid": 1, "hostname": "web-1", "name": "shop", "msg": "hi", "n": 1},
        (Level.INFO, "hi", "shop", "web-1", None, {"pid": 1, "n": 1}),
    ),
    "pino without a message": (
        {"level": 50, "time": int(TIME * 1000), "pid": 1, "hostname": "web-1", "a": 1},
        (Level.ERROR, "", None, "web-1", None, {"pid": 1, "a": 1}),
    ),
    "bunyan": (
        {"name": "s", "hostname": "h", "pid": 1, "level": 60, "msg": "hi", "time": "2026-03-01T12:00:00.000Z", "v": 0},
        (Level.CRITICAL, "hi", "s", "h", None, {"pid": 1, "v": 0}),
    ),
    "zap": (
        {"level": "dpanic", "ts": TIME, "logger": "shop", "caller": "a.go:1", "msg": "hi"},
        (Level.CRITICAL, "hi", "shop", None, None, {"caller": "a.go:1"}),
    ),
    "structlog": (
        {"event": "hi", "level": "warning", "timestamp": "2026-03-01T12:00:00Z", "user": 1},
        (Level.WARNING, "hi", None, None, None, {"user": 1}),
    ),
    "logrus": (
        {"level": "warning", "msg": "hi", "time": "2026-03-01T12:00:00Z"},
        (Level.WARNING, "hi", None, None, None, {}),
    ),
    "slog": (
        {"time": "2026-03-01T12:00:00Z", "level": "ERROR+2", "msg": "hi"},
        (Level.ERROR, "hi", None, None, None, {}),
    ),
    "python-json-logger": (
        {"asctime": "2026-03-01 12:00:00,000", "levelname": "ERROR", "name": "shop", "message": "hi"},
        (Level.ERROR, "hi", "shop", None, None, {}),
    ),
    "ecs": (
        {"@timestamp": "2026-03-01T12:00:00Z", "log.level": "WARN", "message": "hi", "service.name": "s",
         "log.logger": "l", "host.name": "h", "ecs.version": "1"},
        (Level.WARNING, "hi", "l", "h", "s", {"ecs.version": "1"}),
    ),
    "logstash": (
        {"@timestamp": "2026-03-01T12:00:00Z", "@version": "1", "message": "hi", "logger_name": "l", "level": "INFO"},
        (Level.INFO, "hi", "l", None, None, {"@version": "1"}),
    ),
    "docker": (
        {"log": "hi", "stream": "stderr", "time": "2026-03-01T12:00:00.000000000Z"},
        (Level.INFO, "hi", None, None, None, {"stream": "stderr"}),
    ),
    "google": (
        {"severity": "NOTICE", "message": "hi", "time": "2026-03-01T12:00:00Z"},
        (Level.INFO, "hi", None, None, None, {}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_well_known_loggers(shape: str) -> None:
    document, expected = SHAPES[shape]
    (record,) = parse(json.dumps(document).encode()).records
    assert record.event_at == NOON
    found = (record.level, record.message, record.logger, record.host, record.service, json.loads(record.metadata))
    assert found == expected
    assert record.flags == Flag(0)


@pytest.mark.parametrize(
    ("fields", "metadata"),
    [
        ({"time": 12}, {"time": 12}),  # a duration
        ({"time": "soon", "ts": []}, {"time": "soon", "ts": []}),
        ({"timestamp": 0, "time": "2026-03-01T12:00:00Z"}, {"time": "2026-03-01T12:00:00Z"}),
        ({"severity": []}, {"severity": []}),
        ({"msg": "other"}, {"msg": "other"}),
        ({"hostname": "h" * 300}, {"hostname": "h" * 300}),
        ({"name": "x"}, {"name": "x"}),
    ],
)
def test_a_loggers_name_is_read_only_where_ours_is_absent_and_the_value_fits(
    fields: dict[str, Any], metadata: dict[str, Any]
) -> None:
    assert json.loads(one({"message": "m"} | fields).metadata) == metadata


def one(document: dict[str, Any]) -> Record:
    (record,) = parse(json.dumps(document).encode()).records
    return record


def test_opentelemetrys_severities_in_json() -> None:
    record = one({"message": "m", "severity_number": 17, "severity_text": "E"})
    assert (record.level, record.severity_number, record.severity_text) == (Level.ERROR, 17, "E")
    record = one({"message": "m", "level": "info", "severity_number": "21", "severity_text": ["x"]})
    assert (record.level, record.severity_number, record.severity_text) == (Level.INFO, 21, None)
    assert json.loads(record.metadata) == {"severity_text": ["x"]}
    assert json.loads(one({"message": "m", "severity_number": 25}).metadata) == {"severity_number": 25}
