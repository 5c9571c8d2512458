"""Whatever is accepted survives packing, and is one line."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import NOON
from sluice.entries.model import Batch, Flag, Level, Record
from sluice.entries.packing import PART_MAX_RECORDS, RECORD_COLUMNS, pack_batch, pack_record, unpack_records
from sluice.entries.parse import parse_batch
from sluice.errors import RejectedInput

storable = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
optional = st.none() | storable
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001  # bounds are naive
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(st.characters()), children, max_size=4),
    max_leaves=20,
)
records = st.builds(
    Record,
    position=st.integers(0, 9_999),
    event_at=moments,
    level=st.sampled_from(Level),
    severity_number=st.none() | st.integers(1, 24),
    severity_text=optional,
    flags=st.integers(0, 63).map(Flag),
    original_length=st.none() | st.integers(0, 2**31 - 1),
    **dict.fromkeys(("trace_id", "span_id", "session_id", "logger", "host", "service", "version"), optional),
    message=storable,
    metadata=st.dictionaries(storable, storable | st.integers()).map(
        lambda value: json.dumps(value, ensure_ascii=False)
    ),
)


@given(records)
def test_a_record_is_one_line_and_comes_back_equal(record: Record) -> None:
    line = pack_record(record)
    assert line.count(b"\n") == 1
    assert line.count(b"\t") == len(RECORD_COLUMNS) - 1
    assert list(unpack_records(line)) == [record]


@given(st.lists(records, max_size=5))
def test_many_records_come_back_in_order(several: list[Record]) -> None:
    assert list(unpack_records(b"".join(map(pack_record, several)))) == several


@given(any_json)
def test_any_json_document_is_either_refused_or_storable(document: Any) -> None:
    """No document makes the parser fail in another way, and what it accepts holds nothing Postgres refuses."""
    body = json.dumps({"message": document, "metadata": {"m": document}}).encode()
    try:
        batch = parse_batch(body, NOON, max_records=10)
    except RejectedInput:
        return
    for record in batch.records:
        assert list(unpack_records(pack_record(record))) == [record]
        assert "\\u0000" not in record.metadata.replace("\\\\", "")
        metadata = json.loads(record.metadata, parse_constant=lambda name: pytest_fail(name))
        assert isinstance(metadata, dict)


def pytest_fail(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


@settings(deadline=None)
@given(st.integers(0, 3_000))
def test_parts_hold_every_record_in_order(count: int) -> None:
    record = next(iter(parse_batch(b'{"message": "m"}', NOON, max_records=1).records))
    parts = pack_batch(Batch(tuple(record._replace(position=position) for position in range(count)), ())).parts
    assert sum(part.record_count for part in parts) == count
    assert all(part.record_count <= PART_MAX_RECORDS for part in parts)


@given(st.lists(st.integers(1, 200_000), min_size=1, max_size=30), moments, moments)
def test_a_repeated_request_falls_into_the_same_parts(lengths: list[int], first: datetime, second: datetime) -> None:
    """Whenever it arrives: the ledger recognises parts, so they must not depend on the time of receipt."""
    body = json.dumps([{"message": "x" * length, "timestamp": 0} for length in lengths]).encode()
    counts = [
        [part.record_count for part in pack_batch(parse_batch(body, moment, max_records=100)).parts]
        for moment in (first, second)
    ]
    assert counts[0] == counts[1]
