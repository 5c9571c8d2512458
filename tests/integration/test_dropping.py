"""Days leave the log table in milliseconds, however many rows they hold: what takes long holds nobody up.

SLUICE_DROP_ROWS is how many the large day holds (default 100,000; `make test-retention` takes ten million).
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from apps import load_app
from fakes.objects import FolderObjects
from samples import record, stream_entry
from scratch import Scratch, wait_for_a_lock
from sluice.archive.postgres import LOCK_MILLISECONDS, PostgresArchive
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.packing import pack_record
from sluice.errors import Unavailable
from sluice.runtime.postgres import Database
from sluice.search.model import Visible
from sluice.search.parse import parse_query
from sluice.search.postgres import PostgresLogReader

app: Any = load_app("archive")
ROWS = int(os.environ.get("SLUICE_DROP_ROWS", "100000"))
FEW_ROWS = 1_000
TODAY = datetime.now(UTC).date()
SMALL_DAY, LARGE_DAY, FURTHER_DAY = (TODAY - timedelta(days=number) for number in (60, 61, 62))
WRITERS = READERS = 2

_FILL = """
INSERT INTO {leaf} (application_id, position, batch_id, received_at, event_at, retention_class, level, flags, trace_id,
                    message, metadata)
SELECT %(application)s + n / 500 %% 2, n %% 500, md5((n / 500)::text)::uuid,
       %(start)s + n / 500 * interval '1 ms', %(start)s + n / 500 * interval '1 ms', 1, 20, 0, md5(n::text),
       'request ' || n || ' to /api/orders/' || n %% 977 || ' took ' || n %% 1531 || ' ms, answered with 200',
       jsonb_build_object('user_id', n %% 5003, 'path', '/api/orders', 'ms', n %% 1531, 'session', md5((7 * n)::text))
FROM generate_series(0, %(rows)s - 1) AS n"""
_BOUNDS = """
INSERT INTO event_time_bounds SELECT 1, %(day)s, id, %(start)s - interval '1 h', %(start)s + interval '1 day'
FROM unnest(ARRAY [%(application)s, %(application)s + 1]) AS application (id)"""


@dataclass
class Days:
    """Old days in a database of their own; their logs are in no ledger."""

    scratch: Scratch
    application_id: int = 0

    def __post_init__(self) -> None:
        self.application_id = self.scratch.create_application()
        assert self.scratch.create_application() == self.application_id + 1
        self.scratch.rows("UPDATE retention_classes SET is_archived = false")

    def fill(self, day: date, rows: int) -> None:
        """Rows of two applications, as they are a while after: vacuumed."""
        ((leaf,),) = self.scratch.rows("SELECT ensure_partition(1::smallint, %s)", day)
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        values = {"application": self.application_id, "rows": rows, "start": start, "day": day}
        with Database(self.scratch.url("sluice_owner", direct=True)).transaction() as cursor:
            cursor.execute(_FILL.format(leaf=leaf), values)
            cursor.execute(_BOUNDS, values)
        self.vacuum(leaf)

    def vacuum(self, leaf: str) -> None:
        connection = psycopg2.connect(self.scratch.url("sluice_owner", direct=True))
        connection.autocommit = True
        connection.cursor().execute(f"VACUUM ANALYZE {leaf}")
        connection.close()

    def archive(self) -> PostgresArchive:
        return PostgresArchive(Database(self.scratch.url("sluice_archiver")))

    def pages(self, sql: str, *values: object) -> int:
        """Pages of the database that a statement of the archiver's looks at."""
        with Database(self.scratch.url("sluice_archiver")).transaction() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", values)
            ((plan,),) = cursor.fetchall()
        return int(plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"])

    def heap_pages(self, day: date) -> int:
        ((size,),) = self.scratch.rows("SELECT pg_relation_size(%s) / 8192", f"log_entries_1_{day:%Y%m%d}")
        return int(size)

    def days(self) -> set[date]:
        return {due.day for due in self.archive().due(TODAY)}


@pytest.fixture(scope="module")
def days(migrated_database: Callable[[], Scratch]) -> Days:
    return Days(migrated_database())


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Shows with `-s` how long a block took."""
    began = time.perf_counter()
    yield
    show(1_000 * (time.perf_counter() - began), what)


def show(milliseconds: float, what: str) -> None:
    sys.stdout.write(f"{milliseconds:8.1f} ms: {what}\n")


@dataclass
class Crowd:
    """Who reads and writes all the time; how often, and how long each had to wait."""

    stack: ExitStack
    is_over: threading.Event = field(default_factory=threading.Event)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)

    def do(self, what: str, act: Callable[[], object]) -> None:
        """Begins to do so, again and again."""
        thread = threading.Thread(target=self._repeat, args=(self.seconds.setdefault(what, []), act))
        thread.start()
        self.stack.callback(thread.join)

    def _repeat(self, seconds: list[float], act: Callable[[], object]) -> None:
        while not self.is_over.is_set():
            began = time.perf_counter()
            try:
                act()
            except Exception as error:  # noqa: BLE001  # whatever it is, the test is about it
                self.errors.append(error)
            seconds.append(time.perf_counter() - began)

    def wait_for_more(self, count: int = 10) -> None:
        """Returns when each has been at it so many times more."""
        wanted = {what: len(seconds) + count for what, seconds in self.seconds.items()}
        while any(len(self.seconds[what]) < number for what, number in wanted.items()):
            time.sleep(0.01)


@contextmanager
def crowd(days: Days) -> Iterator[Crowd]:
    """Readers of the newest logs and writers of today's, who know no partition beforehand."""
    with ExitStack() as stack:
        made = Crowd(stack)
        visible = Visible({days.application_id: "ours"})
        for _ in range(READERS):
            reader = PostgresLogReader(Database(days.scratch.url("sluice_reader")), visible)
            made.do("reading", partial(reader.search, parse_query({"limit": "10"}, datetime.now(UTC))))
        for _ in range(WRITERS):
            store = PostgresChunkStore(Database(days.scratch.url("sluice_writer")))
            made.do("storing", partial(_store, store, days.application_id))
        try:
            yield made
        finally:
            made.is_over.set()


def _store(store: PostgresChunkStore, application_id: int) -> None:
    packed = [pack_record(record(number, event_at=datetime.now(UTC))) for number in range(100)]
    store.store([stream_entry(packed, application_id=application_id)])


def test_what_is_locked_is_not_read(days: Days) -> None:
    """As many pages are looked at under the lock, whether a day holds a thousand rows or a hundred times as many."""
    pages = []
    for day, rows in ((SMALL_DAY, FEW_ROWS), (LARGE_DAY, 100 * FEW_ROWS)):
        days.fill(day, rows)
        opened = days.archive().open(next(due for due in days.archive().due(TODAY) if due.day == day))
        assert opened is not None
        heap = days.heap_pages(day)
        pages.append(days.pages("SELECT drop_archive_day(%s, %s)", opened.archive_day_id, opened.change))
        assert day not in days.days()
    assert heap > 3 * pages[1]  # or it would prove nothing
    assert pages[1] < 1.1 * pages[0]


def test_rows_are_counted_by_an_index(days: Days) -> None:
    days.fill(LARGE_DAY, 100 * FEW_ROWS)
    opened = days.archive().open(days.archive().due(TODAY)[0])
    assert opened is not None
    count = "SELECT count_archive_day(%s)"
    assert days.pages(count, opened.archive_day_id) < days.heap_pages(LARGE_DAY) / 4
    assert days.archive().drop(opened) == 100 * FEW_ROWS
    totals = days.scratch.rows(
        "SELECT application_id, row_count FROM archive_totals WHERE archive_day_id = %s", opened.archive_day_id
    )
    assert dict(totals) == dict.fromkeys((days.application_id, days.application_id + 1), 50 * FEW_ROWS)


def test_who_follows_transactions_does_not_wait_for_the_count(days: Days) -> None:
    """The live tail shows nothing that was stored after the oldest transaction with a number."""
    days.fill(SMALL_DAY, FEW_ROWS)
    archive = days.archive()
    opened = archive.open(archive.due(TODAY)[0])
    assert opened is not None
    holder = Database(days.scratch.url("sluice_owner", direct=True))
    dropping = threading.Thread(target=archive.drop, args=(opened,))
    with holder.transaction() as cursor:
        cursor.execute(f"LOCK TABLE log_entries_1_{SMALL_DAY:%Y%m%d} IN ACCESS EXCLUSIVE MODE")
        dropping.start()
        wait_for_a_lock(days.scratch, "relation")  # of the count, which waits here in the place of reading
        with psycopg2.connect(days.scratch.stack.superuser_url) as superuser, superuser.cursor() as looking:
            looking.execute(
                "SELECT backend_xid FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'",
                (days.scratch.name,),
            )
            assert looking.fetchall() == [(None,)]
    dropping.join()
    assert days.days() == set()


def test_nobody_waits_for_who_waits(days: Days) -> None:
    """Behind a long reader: attempts are short before they are long, and none is longer than said."""
    days.fill(SMALL_DAY, FEW_ROWS)
    archive = days.archive()
    opened = archive.open(archive.due(TODAY)[0])
    assert opened is not None
    waits: list[int] = []

    def drop(milliseconds: int) -> int | None:
        waits.append(milliseconds)
        return archive.drop(opened, milliseconds)

    with Database(days.scratch.url("sluice_reader")).transaction() as cursor:
        cursor.execute("SELECT count(*) FROM log_entries")
        with pytest.raises(Unavailable, match="55P03"):
            app.patiently(drop, lambda _: None)
    assert waits[:3] == [10, 20, 40]
    assert waits == sorted(waits)
    assert max(waits) == LOCK_MILLISECONDS
    assert app.patiently(drop) == FEW_ROWS


def test_readers_and_writers_go_on(days: Days, tmp_path: Path) -> None:
    days.fill(LARGE_DAY, ROWS)
    days.fill(FURTHER_DAY, FEW_ROWS)
    before = _count_today(days)
    with crowd(days) as others:
        others.wait_for_more()
        usual = {what: max(seconds) for what, seconds in others.seconds.items()}
        begun = {what: len(seconds) for what, seconds in others.seconds.items()}
        with timed(f"a run that drops {ROWS:,} rows, with counting them and deleting their files"):
            archiver = app.Archiver(days.archive(), FolderObjects(tmp_path), lambda: _midnight(TODAY), app.patiently)
            done = archiver.run(lambda: True)
        others.wait_for_more()
    assert others.errors == []
    assert (done.days_dropped, done.rows_deleted, days.days()) == (2, ROWS + FEW_ROWS, set())
    assert _count_today(days) - before == 100 * len(others.seconds["storing"])
    for what, seconds in others.seconds.items():
        show(1_000 * max(seconds[begun[what] :]), f"longest wait of {what} meanwhile")
        show(1_000 * usual[what], "longest before")


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _count_today(days: Days) -> int:
    since = datetime.now(UTC) - timedelta(days=1)
    ((count,),) = days.scratch.rows("SELECT count(*) FROM log_entries WHERE received_at > %s", since)
    return int(count)
