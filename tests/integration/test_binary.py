"""Records by column go into the log table as binary, and are there what they are as text."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from counted import CountedCursor, CountingDatabase
from samples import by_column, record, stream_entry
from scratch import Scratch
from sluice.chunks.model import ChunkResult
from sluice.chunks.postgres import PostgresChunkStore
from sluice.chunks.rows import copied
from sluice.entries.model import Flag, Level, Record
from sluice.entries.packing import pack_record
from sluice.streams.model import StreamEntry
from sluice.templates.clusters import known_cluster, unmined_clusters

COUNT = 200
TEXTS = ("", "a", "\\N", "\\", "\\\\n", "a\tb\nc\rd", "\x01\x7f\x85\u2028", "ü🙂", "x" * 5_000, "'\";--", "\\t")
TRACES = ("0" * 32, "0123456789abcdef" * 2)
TIMES = (
    datetime(2026, 3, 1, 11, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 3, 1, 12, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
    datetime(2024, 2, 29, 6, 30, 1, 500_000, tzinfo=UTC),
)
METADATA = ("{}", '{"a": "\\\\"}', '{"a":"\\n\\t\\" \\\\n"}', '{"ü":[1,{"b":null}]}', '{"a":1e400}')
FORMS = ["as sent", "all the same", "few different", "one of each kind"]


@pytest.fixture
def store(scratch: Scratch) -> PostgresChunkStore:
    return PostgresChunkStore(CountingDatabase(scratch.url("sluice_writer")))


def records(form: str, first: int, traces: Sequence[str]) -> list[Record]:
    chance = random.Random(form)
    few = {"all the same": 1, "few different": 3}.get(form, 100)

    def one(choices: Sequence[Any]) -> Any:
        return chance.choice(choices[:few])

    return [
        record(
            first + number,
            chance.choice(TEXTS[1:2]) if few == 1 else f"{one(TEXTS)}{number if form == 'as sent' else ''}",
            event_at=TIMES[1] + timedelta(milliseconds=number) if form == "as sent" else one(TIMES),
            level=one(list(Level)),
            severity_number=one([None, 1, 24]),
            severity_text=one([None, *TEXTS]),
            flags=one([Flag(0), Flag(255)]),
            original_length=one([None, 2**31 - 1]),
            trace_id=one(traces),
            span_id=one([None, "0" * 16]),
            session_id=one([None, *TEXTS]),
            logger=one(["root", *TEXTS]),
            host=f"h{number % 40}",
            service=one([None, *TEXTS]),
            version=None,
            metadata=one(METADATA),
        )
        for number in range(COUNT)
    ]


def stored(scratch: Scratch, entry: StreamEntry) -> list[tuple[Any, ...]]:
    """As text: not every time that Postgres has is one of Python's."""
    rows = scratch.rows(
        "SELECT coalesce(position, ordinal), (to_jsonb(log_rows) - 'batch_id')::text, metadata::text FROM log_rows "
        "WHERE batch_id = %s ORDER BY 1",
        entry.batch_id.hex,
    )
    assert len(rows) == entry.record_count
    return rows


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("first", [0, 40_000])
@pytest.mark.parametrize("traces", [TRACES, (*TRACES, None), (*TRACES, "no w3c", None)], ids=["all", "some", "others"])
def test_binary_and_text_are_the_same_rows(
    scratch: Scratch, store: PostgresChunkStore, form: str, first: int, traces: Sequence[str]
) -> None:
    text = stream_entry(map(pack_record, records(form, first, traces)))
    clusters = [known_cluster(1, 7), *unmined_clusters(1, text.records)[1:]]
    for clustered in (text, replace(text, clusters=clusters)):
        again = replace(clustered, batch_id=uuid4(), entry_id="7-7")
        entries = [replace(clustered, batch_id=uuid4()), by_column(again)]
        assert [copied(entry)[0].is_binary for entry in entries] == [False, True]
        CountedCursor.asked.clear()
        assert store.store(entries).result == ChunkResult(stored=2 * COUNT)
        assert CountedCursor.asked.count("COPY") == 2  # else the server did not take the binary rows
        assert stored(scratch, entries[0]) == stored(scratch, entries[1])
