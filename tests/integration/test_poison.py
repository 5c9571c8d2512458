"""Records that only COPY itself can find: each ends alone in the dead letters, wherever in its batch it stands."""

from collections.abc import Callable, Collection
from typing import Any

import pytest

from samples import by_column, record, stream_entry
from scratch import Scratch
from sluice.chunks.model import ChunkResult
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.packing import pack_record
from sluice.errors import ContractError, Poison, SluiceError, Unavailable
from sluice.runtime.postgres import Database, savepoint
from sluice.streams.model import StreamEntry

SIZE = 64
NUL = {"message": "a\x00b"}
TOO_LARGE = {"severity_number": 10**6}
NO_JSON = {"metadata": "{"}


def as_lines(made: StreamEntry) -> StreamEntry:
    return made


def entry(bad: Collection[int], fault: dict[str, Any]) -> StreamEntry:
    """A batch of SIZE records; those at the positions ``bad`` have the fault."""
    return stream_entry(pack_record(record(number, **(fault if number in bad else {}))) for number in range(SIZE))


def positions(scratch: Scratch, table: str, made: StreamEntry) -> list[int]:
    sql = f"SELECT position FROM {table} WHERE batch_id = %s ORDER BY 1"
    return [position for (position,) in scratch.rows(sql, made.batch_id.hex)]


@pytest.mark.parametrize(
    ("fault", "form"),
    [(NUL, as_lines), (TOO_LARGE, as_lines), (TOO_LARGE, by_column), (NO_JSON, by_column)],
    ids=["nul", "too large", "too large by column", "no JSON by column"],
)
@pytest.mark.parametrize("bad", [{0}, {SIZE - 1}, {31, 32}, set(range(1, SIZE, 7)), set(range(SIZE))], ids=str)
def test_a_bad_record_takes_no_good_one_with_it(
    scratch: Scratch, bad: set[int], fault: dict[str, Any], form: Callable[[StreamEntry], StreamEntry]
) -> None:
    store = PostgresChunkStore(Database(scratch.url("sluice_writer")))
    made, neighbour = form(entry(bad, fault)), form(entry({}, fault))
    assert store.store([made, neighbour]).result == ChunkResult(stored=2 * SIZE - len(bad), dead_lettered=len(bad))
    assert positions(scratch, "log_entries", made) == sorted(set(range(SIZE)) - bad)
    assert positions(scratch, "dead_letters", made) == sorted(bad)
    assert positions(scratch, "log_entries", neighbour) == list(range(SIZE))


OUTAGES = ["08006", "40001", "40P01", "53100", "53200", "53300", "55P03", "57014", "57P01", "57P03", "58030", "XX000"]
CONDEMNED = ["21000", "22001", "22003", "22008", "22021", "22P02", "22P05", "54000", "54001"]
MISFITS = ["42501", "42703", "42P01"]


@pytest.mark.parametrize(
    ("state", "error"),
    [
        *((state, Unavailable) for state in OUTAGES),
        *((state, Poison) for state in CONDEMNED),
        *((state, ContractError) for state in MISFITS),
    ],
)
def test_only_what_can_never_be_stored_is_held_against_a_record(
    scratch: Scratch, state: str, error: type[SluiceError]
) -> None:
    database = Database(scratch.url("sluice_writer"))
    with pytest.raises(error), database.transaction() as cursor, savepoint(cursor):
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'as ordered' USING ERRCODE = '{state}'; END $$")
    database.close()
