"""What a chunk leaves in the log."""

from dataclasses import replace

from samples import record, stream_entry
from sluice.chunks.lines import ENTRIES_A_LINE, dead_line, stored_lines
from sluice.chunks.model import ChunkResult, ChunkTask, DeadLettered
from sluice.entries.packing import pack_record
from sluice.streams.model import UnreadableEntry

TASK = ChunkTask(2, ("1-0", "2-0"), drain_id="d")


def test_a_batch_is_named_once_for_all_its_entries() -> None:
    first = stream_entry([pack_record(record(0))], application_id=7)
    entries = [first, replace(first, part=1), stream_entry([pack_record(record(0))], application_id=7)]
    (line,) = stored_lines(TASK, [*entries, UnreadableEntry("9-0", 2, b"secret", "secret")], ChunkResult(stored=3))
    assert line == {
        "shard": 2,
        "entries": 2,
        "drain_id": "d",
        "stored": 3,
        "duplicate": 0,
        "redelivered": 0,
        "dead_lettered": 0,
        "acknowledged": 0,
        "application_ids": [7],
        "batch_ids": [first.batch_id.hex, entries[2].batch_id.hex],
    }


def test_many_batches_take_several_lines() -> None:
    """Of less than the 256 KB that CloudWatch takes."""
    entry = stream_entry([pack_record(record(0))])
    entries = [stream_entry([entry.lines]) for _ in range(2 * ENTRIES_A_LINE + 1)]
    lines = list(stored_lines(TASK, entries, ChunkResult()))
    assert [len(line["batch_ids"]) for line in lines] == [ENTRIES_A_LINE, ENTRIES_A_LINE, 1]
    assert [batch_id for line in lines for batch_id in line["batch_ids"]] == [item.batch_id.hex for item in entries]
    assert max(len(str(line)) for line in lines) < 256_000


def test_dead_letters_are_told_with_their_reasons() -> None:
    assert dead_line([]) == {}
    found = dead_line([DeadLettered("a" * 32, "sqlstate_22p05", 3), DeadLettered(None, "unreadable_entry", 1)])
    assert found["dead_lettered"] == 4
    assert found["batches"][0] == {"batch_id": "a" * 32, "reason": "sqlstate_22p05", "records": 3}
    assert len(dead_line([DeadLettered(f"{number}", "x", 1) for number in range(500)])["batches"]) == 100
