import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_cli.lines import decode_line, parse_line

_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=10,
)


@given(st.text())
def test_any_line_that_is_no_json_object_is_the_message_as_a_whole(line: str) -> None:
    record = parse_line(line)
    assert line in (record["message"], json.dumps(record))
    assert set(record) <= {"message", "level", "timestamp"} or line.lstrip().startswith("{")


@given(st.binary(max_size=200).filter(lambda raw: b"\n" not in raw))
def test_bytes_that_are_not_utf8_stay_readable_and_others_stay_the_same(raw: bytes) -> None:
    line = decode_line(raw + b"\n")
    line.encode("utf-8")
    try:
        assert line == raw.removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError:
        assert "\\x" in line


@given(st.dictionaries(st.text(), _json_values))
def test_a_json_object_loses_no_field(fields: dict[str, object]) -> None:
    line = json.dumps(fields)
    record = parse_line(line)
    if fields.get("message") is None:
        assert record["message"] == line
        assert record["metadata"] == fields
    else:
        assert {name: record[name] for name in fields} == fields


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]),
    st.text(),
)
def test_an_iso_time_and_a_level_word_are_recognised_whatever_follows(moment: datetime, level: str, text: str) -> None:
    record = parse_line(f"{moment.isoformat()} {level} {text}")
    assert datetime.fromisoformat(record["timestamp"]) == moment
    assert record["level"] == level


@pytest.mark.parametrize(
    ("line", "timestamp", "level"),
    [
        ("2026-11-24 13:48:56.123 UTC [42] LOG:  checkpoint starting", "2026-11-24T13:48:56.123000+00:00", "INFO"),
        ("2026-11-24 13:48:56.123 UTC [42] FATAL:  terminating", "2026-11-24T13:48:56.123000+00:00", "CRITICAL"),
        ("2026-11-24 13:48:56 UTC [7] WARNING kernel file limit", "2026-11-24T13:48:56+00:00", "WARNING"),
        ("42:M 24 Nov 2026 13:48:56.123 * Ready to accept", "2026-11-24T13:48:56.123000", "INFO"),
        ("42:C 24 Nov 2026 13:48:56.123 # Warning: no config", "2026-11-24T13:48:56.123000", "WARNING"),
        ("2026-11-24 13:48:56,123 - worker - ERROR - gone", "2026-11-24T13:48:56.123000", "ERROR"),
        ("[2026-11-24T13:48:56+0100] [error] gone", "2026-11-24T13:48:56+01:00", None),
        ("2026-11-24T13:48:56.123456789Z level=warn msg=slow", "2026-11-24T13:48:56.123456+00:00", "WARNING"),
        ("INFO:     started server", None, "INFO"),
        ("2026-13-45 99:99:99 no such day", None, None),
        ("42:M 99 Foo 2026 13:48:56.123 * no such month", None, "INFO"),
        ("the ERRORS of my ways", None, None),
        ("x" * 100 + " ERROR", None, None),
        ("\tat java.lang.Thread.run", None, None),
    ],
)
def test_lines_of_well_known_servers(line: str, timestamp: str | None, level: str | None) -> None:
    record = parse_line(line)
    assert record["message"] == line
    assert (record.get("timestamp"), record.get("level")) == (timestamp, level)


def test_foreign_names_in_json_are_understood_and_own_names_have_precedence() -> None:
    record = parse_line('{"message": "m", "severity": "warn", "time": "2026-11-24T13:48:56Z", "level": 17}')
    assert record["level"] == 17
    assert record["timestamp"] == "2026-11-24T13:48:56+00:00"
    assert record["severity"] == "warn"


@pytest.mark.parametrize(
    "line", ['{"a": NaN}', '{"a": 1', "{" * 100_000, '{"n": ' + "9" * 5000 + "}", "[1, 2]", '"text"']
)
def test_what_only_looks_like_a_json_object_is_a_message(line: str) -> None:
    assert parse_line(line)["message"] == line
