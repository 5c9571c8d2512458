"""Whatever is accepted can be stored, and reads back equal to its normal form."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samples import stream_entry
from scratch import Scratch
from sluice.chunks.model import ChunkResult
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.model import OPTIONAL_FIELDS
from sluice.entries.packing import pack_batch, pack_record
from sluice.entries.parse import parse_batch
from sluice.errors import RejectedInput
from sluice.runtime.postgres import Database
from sluice.search.model import Filters, LogQuery, Visible
from sluice.search.postgres import PostgresLogReader
from sluice.streams.parts import compressed_parts

any_text = st.text(st.characters())
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(any_text, children, max_size=3),
    max_leaves=8,
)
documents = st.fixed_dictionaries(
    {"message": any_json},
    optional={
        "metadata": st.dictionaries(any_text, any_json, max_size=4),
        "level": any_text | st.floats() | st.integers(),
        "timestamp": st.integers(-(10**10), 10**18) | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
        **dict.fromkeys(OPTIONAL_FIELDS, any_json),
        "trace_id": st.uuids().map(lambda made: made.hex) | st.text("0123456789abcdefA-", min_size=31, max_size=33),
    },
)


class Shelf:
    """One writer, one reader and one application for all examples."""

    def __init__(self, scratch: Scratch) -> None:
        self.application_id = scratch.create_application()
        self.store = PostgresChunkStore(Database(scratch.url("sluice_writer")))
        self.reader = PostgresLogReader(Database(scratch.url("sluice_reader")), Visible({self.application_id: "shelf"}))


@pytest.fixture(scope="module")
def shelf(scratch: Scratch) -> Shelf:
    return Shelf(scratch)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=st.lists(documents, min_size=1, max_size=15))
def test_stored_and_read_back(shelf: Shelf, sent: list[dict[str, Any]]) -> None:
    received_at = datetime.now(UTC)
    try:
        batch = parse_batch(json.dumps(sent).encode(), received_at, max_records=100)
    except RejectedInput:
        return
    (part,) = compressed_parts(pack_batch(batch))
    entry = stream_entry(
        map(pack_record, batch.records),
        application_id=shelf.application_id,
        received_at=received_at,
        event_from=part.event_from,
        event_to=part.event_to,
    )
    stored = shelf.store.store([entry])
    assert stored.result == ChunkResult(stored=len(batch.records)), "nothing that was accepted is dead-lettered"
    asked = LogQuery(Filters(batch_id=entry.batch_id), received_at, limit=100)
    found = {log["id"]: log for log in shelf.reader.search(asked).logs}
    for record in batch.records:
        log = found.pop(f"{entry.batch_id.hex}-{record.position}")
        assert log["message"] == record.message
        assert exact(json.dumps(log["metadata"])) == exact(record.metadata)
        assert datetime.fromisoformat(log["timestamp"]) == record.event_at
        assert (log["level"], log["flags"]) == (record.level.name, record.flags.names)
        assert {name: log.get(name) for name in OPTIONAL_FIELDS} == {
            name: getattr(record, name) for name in OPTIONAL_FIELDS
        }
    assert found == {}


def exact(text: str) -> Any:
    """JSON with numbers as decimals: jsonb writes 1e16 as 10000000000000000."""
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)
