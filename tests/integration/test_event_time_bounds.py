"""The event time bounds include every record of their day and application, in whatever order chunks come."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from samples import record, stream_entry
from scratch import Scratch
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.packing import pack_record
from sluice.runtime.postgres import Database
from sluice.streams.model import StreamEntry

NOON = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def entry(application_id: int, event_at: datetime) -> StreamEntry:
    lines = [pack_record(record(0, event_at=event_at))]
    return stream_entry(lines, application_id=application_id, event_from=event_at, event_to=event_at)


@pytest.mark.parametrize("hours", [*permutations((-3, 0, 5))], ids=str)
def test_bounds_widen_to_both_sides(scratch: Scratch, hours: tuple[int, ...]) -> None:
    application_id = scratch.create_application()
    store = PostgresChunkStore(Database(scratch.url("sluice_writer")))
    for offset in hours:
        store.store([entry(application_id, NOON + timedelta(hours=offset))])
    bounds = scratch.rows(
        "SELECT event_from, event_until FROM event_time_bounds WHERE application_id = %s", application_id
    )
    hour = NOON.replace(minute=0)
    assert bounds == [(hour - timedelta(hours=3), hour + timedelta(hours=6))]
