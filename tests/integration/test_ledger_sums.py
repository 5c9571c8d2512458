"""The ledger's sums: whoever reads with them sees what a reading of all rows shows."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from uuid import UUID

import psycopg2
import pytest

from samples import poison, record, stream_entry
from scratch import Scratch
from sluice.chunks.postgres import PostgresChunkStore
from sluice.deadletters.model import Redrive, Selection
from sluice.deadletters.postgres import PostgresDeadLetters
from sluice.entries.packing import pack_record
from sluice.ledger.model import SettledRanges
from sluice.ledger.postgres import PostgresLedger, PostgresLedgerSums
from sluice.runtime.postgres import Database

ROWS = """
SELECT application_id, shard, first_sequence, record_count, stored_count, 0, dead_lettered_count FROM ledger
UNION ALL
SELECT application_id, shard, first_sequence, record_count, stored_count, duplicate_count, dead_lettered_count
FROM ledger_duplicates"""

YOUNG = "SELECT FROM ledger WHERE stored_xid >= pg_snapshot_xmin(pg_current_snapshot())"

MANY = """
INSERT INTO ledger (batch_id, part, application_id, shard, retention_class, first_sequence, record_count, stored_count,
                    received_at, stream_id, body_hash)
SELECT gen_random_uuid(), 0, %s, 0, 1, 2 * number + 1, 2, 2, now(), number || '-0', '\\x00'
FROM generate_series(0, 99999) AS number"""


class Book:
    """A ledger of its own, with three applications."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self.applications = [scratch.create_application() for _ in range(3)]
        self.accepted = {(application_id, 0): 0 for application_id in self.applications}
        self.store = PostgresChunkStore(Database(scratch.url("sluice_writer")))
        self.reader = PostgresLedger(Database(scratch.url("sluice_reader")), None)
        self.sums = PostgresLedgerSums(Database(scratch.url("sluice_indexer")))

    def enter(self, application_id: int, *, good: int, bad: int = 0, batch_id: UUID | None = None) -> UUID:
        """Stores one entry; ``bad`` records end in the dead letters."""
        lines = [pack_record(record(position)) for position in range(good)]
        lines += [poison(good + position) for position in range(bad)]
        key = (application_id, 0)
        numbered = {"application_id": application_id, "first_sequence": self.accepted[key] + 1}
        entry = stream_entry(lines, **numbered, **({"batch_id": batch_id} if batch_id else {}))
        self.accepted[key] += len(lines)
        self.store.store([entry], is_forced=True)
        return entry.batch_id

    def roll_up(self, max_entries: int = 1_000) -> int:
        """Once what was stored is older than any running transaction, also of the server's own work."""
        while self.scratch.rows(YOUNG):
            time.sleep(0.01)
        return self.sums.roll_up(max_entries)

    def redrive(self, application_id: int) -> Redrive:
        ((name,),) = self.scratch.rows("SELECT name FROM applications WHERE application_id = %s", application_id)
        owner = Database(self.scratch.url("sluice_owner", direct=True))
        return PostgresDeadLetters(owner).redrive(Selection(application=name))

    def by_rows(self, accepted: dict[tuple[int, int], int]) -> dict[tuple[int, int], SettledRanges]:
        found: dict[tuple[int, int], SettledRanges] = {}
        for application_id, shard, first, count, stored, duplicate, dead in self.scratch.rows(ROWS):
            key, end = (application_id, shard), first + count
            entry = SettledRanges(stored, duplicate, dead, ((first, end),), end - 1)
            if first > accepted.get(key, 0):
                entry = SettledRanges(0, 0, 0, (), end - 1)
            found[key] = found.get(key, SettledRanges(0, 0, 0, (), 0)) + entry
        return found

    def check(self) -> None:
        assert self.reader.settled(self.accepted) == self.by_rows(self.accepted)

    def summed(self) -> int:
        ((count,),) = self.scratch.rows("SELECT coalesce(sum(record_count), 0)::int FROM ledger_totals")
        return int(count)


@pytest.fixture
def book(migrated_database: Callable[..., Scratch]) -> Book:
    return Book(migrated_database())


def test_sums_show_what_the_rows_show(book: Book) -> None:
    """Whatever comes in between: duplicates, other bodies under the same batch id, dead letters and redrives."""
    dice = random.Random(7)
    batches: list[UUID] = []
    for _ in range(60):
        application_id = dice.choice(book.applications)
        match dice.randrange(6):
            case 0 if batches:
                book.enter(application_id, good=2, batch_id=dice.choice(batches))
            case 1:
                batches.append(book.enter(application_id, good=3, bad=2))
            case 2:
                book.roll_up(dice.choice([1, 3, 1_000]))
            case 3:
                book.redrive(application_id)
            case _:
                batches.append(book.enter(application_id, good=dice.randrange(1, 5)))
        book.check()
    assert book.summed() > 0
    while book.roll_up():
        pass
    book.check()
    found = book.reader.settled(book.accepted).values()
    assert min(sum(getattr(item, name) for item in found) for name in ("stored", "duplicate", "dead_lettered")) > 0


def test_each_entry_is_added_once(book: Book) -> None:
    for _ in range(10):
        book.enter(book.applications[0], good=2)
    added = [book.roll_up(4) for _ in range(5)]
    assert added == [4, 4, 2, 0, 0]
    assert book.summed() == 20
    book.check()


def test_numbers_beyond_those_asked_for_are_left_out(book: Book) -> None:
    """An audit reads the accepted numbers first; what is stored and summed up meanwhile is not among them."""
    for application_id in book.applications:
        book.enter(application_id, good=5, bad=1)
        book.enter(application_id, good=4, bad=1)
    book.roll_up()
    early = book.accepted | {(book.applications[0], 0): 6}
    del early[book.applications[1], 0]
    found = book.reader.settled(early)
    assert found == book.by_rows(early)
    assert [found[application_id, 0].stored for application_id in book.applications] == [5, 0, 9]
    assert [found[application_id, 0].dead_lettered for application_id in book.applications] == [1, 0, 2]
    assert {settled.highest for settled in found.values()} == {11}


def test_an_entry_that_commits_late_is_not_passed(book: Book) -> None:
    """Sums end where the oldest running transaction begins."""
    late = book.applications[0]
    with closing(psycopg2.connect(book.scratch.url("sluice_owner", direct=True))) as slow, slow.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger (batch_id, part, application_id, shard, retention_class, first_sequence, record_count,"
            " stored_count, received_at, stream_id, body_hash)"
            " VALUES (gen_random_uuid(), 0, %s, 0, 1, 1, 7, 7, now(), '1-0', '')",
            (late,),
        )
        book.accepted[late, 0] = 7
        book.enter(late, good=2)
        assert book.sums.roll_up(1_000) == 0
        slow.commit()
    book.check()
    assert book.roll_up() == 2
    book.check()
    assert book.reader.settled(book.accepted)[late, 0].stored == 9


def _roll_up(sums: PostgresLedgerSums) -> None:
    for _ in range(30):
        sums.roll_up(7)


def test_two_at_once_add_nothing_twice(book: Book) -> None:
    for _ in range(200):
        book.enter(book.applications[0], good=1)
    sums = [PostgresLedgerSums(Database(book.scratch.url("sluice_indexer"))) for _ in range(4)]
    threads = [threading.Thread(target=_roll_up, args=(each,)) for each in sums]
    for thread in threads:
        thread.start()
    for thread in threads:
        book.check()
        thread.join()
    while book.roll_up():
        pass
    assert book.summed() == 200
    book.check()


def test_a_dump_restored_on_another_server_is_summed_anew(book: Book) -> None:
    """Transactions have other numbers there."""
    book.enter(book.applications[0], good=3)
    book.roll_up()
    book.scratch.rows("UPDATE ledger_totals_until SET server = 1, stored_xid = '9000000000'")
    book.enter(book.applications[0], good=2, bad=1)
    book.check()
    assert book.roll_up() == 2
    assert book.summed() == 6
    book.check()


def test_a_reader_sees_the_sums_of_its_applications(book: Book) -> None:
    for application_id in book.applications:
        book.enter(application_id, good=2)
    book.roll_up()
    mine = PostgresLedger(Database(book.scratch.url("sluice_reader")), {book.applications[1]})
    assert mine.settled(book.accepted).keys() == {(book.applications[1], 0)}


def test_a_reading_does_not_cost_more_with_each_stored_entry(book: Book) -> None:
    """With 100,000 entries, less than a third of what it takes without sums."""
    book.scratch.rows(MANY, book.applications[0])
    book.scratch.rows("ANALYZE ledger")
    book.accepted[book.applications[0], 0] = 200_000
    by_rows, settled = _seconds(book), book.reader.settled(book.accepted)
    assert settled[book.applications[0], 0].stored == 200_000
    assert book.roll_up(1_000_000) == 100_000
    book.enter(book.applications[1], good=3)
    assert 3 * _seconds(book) < by_rows
    book.accepted[book.applications[1], 0] = 0
    assert book.reader.settled(book.accepted)[book.applications[0], 0] == settled[book.applications[0], 0]


def _seconds(book: Book) -> float:
    """The shortest of five readings."""
    seconds: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        book.reader.settled(book.accepted)
        seconds.append(time.perf_counter() - start)
    return min(seconds)
