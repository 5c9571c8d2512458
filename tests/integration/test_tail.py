"""The order of storing: whoever follows it gets every record exactly once."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import psycopg2
import pytest
import redis

from samples import record, stream_entry, submission
from scratch import Scratch
from sluice.chunks.postgres import PostgresChunkStore
from sluice.deadletters.model import Selection
from sluice.deadletters.postgres import PostgresDeadLetters
from sluice.entries.packing import pack_record
from sluice.errors import RejectedInput
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.search.model import Filters, Visible
from sluice.search.parse import parse_filters
from sluice.streams.model import StreamEntry
from sluice.streams.redis import RedisQueue
from sluice.tail.model import Cursor, Place
from sluice.tail.postgres import PostgresTail
from sluice.tail.redis import RedisNews, RedisSeats

_numbers = count(1)


class Shore:
    """Applications whose logs are stored, and followed."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self.ids = [scratch.create_application() for _ in range(2)]
        self.names = {application_id: f"app-{application_id}" for application_id in self.ids}
        # Transactions that note an application's first event times wait for each other.
        self.store(*(self.entry(application=number) for number in range(2)))

    def entry(self, size: int = 1, *, application: int = 0, first: int = 0, **changes: Any) -> StreamEntry:
        """An entry of records that no other has, at the positions from ``first`` on."""
        messages = [f"record {next(_numbers)}" for _ in range(size)]
        records = [record(first + number, message) for number, message in enumerate(messages)]
        values: dict[str, Any] = {
            "application_id": self.ids[application],
            "received_at": datetime.now(UTC),
            "entry_id": f"{next(_numbers)}-0",
        }
        return stream_entry(map(pack_record, records), **(values | changes))

    def store(self, *entries: StreamEntry, **how: Any) -> None:
        PostgresChunkStore(Database(self.scratch.url("sluice_writer"))).store(entries, **how)

    @contextmanager
    def storing(self, *entries: StreamEntry) -> Iterator[None]:
        """Entries that are stored but not committed before the end of the block."""
        database = _Held(self.scratch.url("sluice_writer", direct=True))
        PostgresChunkStore(database).store(entries)
        try:
            yield
        finally:
            database.let_go()

    @contextmanager
    def another_transaction(self) -> Iterator[None]:
        """Somebody's long one, which has nothing to do with logs."""
        connection = psycopg2.connect(self.scratch.url("sluice_owner", direct=True))
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_current_xact_id()")
            yield
        finally:
            connection.rollback()
            connection.close()

    def tail(self, *, applications: list[int] | None = None, **filters: str) -> PostgresTail:
        ids = self.ids if applications is None else [self.ids[number] for number in applications]
        visible = Visible({application_id: self.names[application_id] for application_id in ids})
        parsed = parse_filters(filters, datetime.now(UTC)) if filters else Filters()
        return PostgresTail(Database(self.scratch.url("sluice_reader")), visible, parsed)


class _Held(Database):
    """A database whose first COMMIT of rows comes when it is told to."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._open: Any = None

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        if self._open is None:
            self._open = psycopg2.connect(self._url)
        with self._open.cursor() as cursor:
            yield cursor

    def let_go(self) -> None:
        self._open.commit()
        self._open.close()


def messages(entry: StreamEntry) -> list[str]:
    return [line.split(b"\t")[14].decode() for line in entry.lines.split(b"\n")[:-1]]


class Follower:
    """Reads page after page from a place on."""

    def __init__(self, tail: PostgresTail, limit: int = 100) -> None:
        self.tail, self.limit = tail, limit
        self.place = tail.begin().place
        self.seen: list[str] = []
        self.page: Any = None

    def read(self) -> list[str]:
        """What is new, to the last page."""
        new: list[str] = []
        while True:
            self.page = self.tail.read(self.place, self.limit)
            self.place = self.page.place
            new += [log["message"] for log in self.page.logs]
            if not self.page.has_more:
                self.seen += new
                return new


@pytest.fixture
def shore(scratch: Scratch) -> Shore:
    return Shore(scratch)


def test_nothing_is_new_at_first(shore: Shore) -> None:
    shore.store(shore.entry())
    follower = Follower(shore.tail())
    assert follower.read() == []
    assert not follower.page.is_held_back


def test_what_is_stored_comes_once_in_that_order(shore: Shore) -> None:
    follower = Follower(shore.tail())
    first, second = shore.entry(3), shore.entry(2, application=1)
    shore.store(first)
    shore.store(second)
    assert follower.read() == messages(first) + messages(second)
    assert follower.read() == []


def test_a_log_is_shown_like_anywhere_else(shore: Shore) -> None:
    follower = Follower(shore.tail())
    entry = shore.entry()
    shore.store(entry)
    follower.read()
    (log,) = follower.page.logs
    assert log["id"] == f"{entry.batch_id.hex}-0"
    assert log["application"] == shore.names[shore.ids[0]]
    assert log["level"] == "INFO"


def test_transactions_that_commit_out_of_order(shore: Shore) -> None:
    follower = Follower(shore.tail(), limit=1)
    slow, quick = shore.entry(2), shore.entry(2)
    with shore.storing(slow):
        shore.store(quick)
        assert follower.read() == []  # the older one may still commit, and would lie before
    assert follower.read() == messages(slow) + messages(quick)
    assert follower.read() == []


def test_two_writers_that_overlap_more_than_once(shore: Shore) -> None:
    follower = Follower(shore.tail(), limit=2)
    entries = [shore.entry(2) for _ in range(4)]
    with shore.storing(entries[0]):
        with shore.storing(entries[1]):
            shore.store(entries[2])
            follower.read()
        follower.read()
        shore.store(entries[3])
        follower.read()
    follower.read()
    assert Counter(follower.seen) == Counter(text for entry in entries for text in messages(entry))


def test_a_transaction_that_is_rolled_back_leaves_no_gap(shore: Shore) -> None:
    follower = Follower(shore.tail())
    kept = shore.entry()
    with shore.another_transaction():  # ends without a commit
        shore.store(kept)
        assert follower.read() == []
    assert follower.read() == messages(kept)


def test_it_says_so_when_an_older_transaction_holds_logs_back(shore: Shore) -> None:
    follower = Follower(shore.tail())
    entry = shore.entry()
    with shore.another_transaction():
        shore.store(entry)
        shore.scratch.rows(
            "UPDATE ledger SET stored_at = now() - interval '4 s' WHERE batch_id = %s", entry.batch_id.hex
        )
        assert follower.read() == []
        assert follower.page.is_held_back
    assert follower.read() == messages(entry)
    assert not follower.page.is_held_back


def test_parts_of_one_batch_that_are_stored_apart(shore: Shore) -> None:
    follower = Follower(shore.tail(), limit=2)
    batch, now = uuid4(), datetime.now(UTC)
    parts = [
        shore.entry(3, batch_id=batch, part=part, received_at=now, first=10 * part, record_count=3) for part in range(3)
    ]
    shore.store(parts[1])
    assert follower.read() == messages(parts[1])
    shore.store(parts[0], parts[2])
    assert follower.read() == messages(parts[0]) + messages(parts[2])
    assert follower.read() == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_may_end_within_an_entry(shore: Shore, limit: int) -> None:
    follower = Follower(shore.tail(), limit)
    entries = [shore.entry(size) for size in (3, 1, 4)]
    shore.store(*entries)
    follower.read()
    assert Counter(follower.seen) == Counter(text for entry in entries for text in messages(entry))
    assert len(follower.seen) == 8


def test_a_page_ends_at_four_megabytes(shore: Shore) -> None:
    tail = shore.tail()
    place = tail.begin().place
    records = [record(number, f"{number:03}" + "x" * 65_000) for number in range(150)]
    entry = shore.entry()
    shore.store(
        stream_entry(
            map(pack_record, records), application_id=shore.ids[0], received_at=entry.received_at, record_count=150
        )
    )
    sizes = []
    seen = []
    while True:
        page = tail.read(place, 1_000)
        seen += [log["message"][:3] for log in page.logs]
        sizes.append(sum(len(log["message"]) for log in page.logs))
        place = page.place
        if not page.has_more:
            break
    assert seen == [f"{number:03}" for number in range(150)]
    assert max(sizes) < 4_000_000
    assert len(sizes) >= 3


def test_filters(shore: Shore) -> None:
    everything, one, words = shore.tail(), Follower(shore.tail(applications=[1])), shore.tail(q="refused")
    place = everything.begin().place
    entry = shore.entry(application=1)
    lines = [pack_record(record(0, "connection refused")), pack_record(record(1, "connection made"))]
    shore.store(entry, stream_entry(lines, application_id=shore.ids[0], received_at=entry.received_at, record_count=2))
    assert one.read() == messages(entry)
    assert [log["message"] for log in words.read(place, 10).logs] == ["connection refused"]


def test_another_tenant_gets_nothing(shore: Shore) -> None:
    """Not even if the code asked for it: the database's row security decides."""
    follower = Follower(shore.tail(applications=[1]))
    shore.store(shore.entry(application=0))
    visible = Visible({shore.ids[1]: "mine"})
    forged = PostgresTail(Database(shore.scratch.url("sluice_reader")), visible, Filters())
    forged._visible = replace(visible, names=shore.names)  # asks for both
    with Database(shore.scratch.url("sluice_reader")).transaction() as cursor:
        cursor.execute("SELECT count(*) FROM late_records")
        assert cursor.fetchone() == (0,)
    assert follower.read() == []


def poisoned(shore: Shore, batch: UUID) -> StreamEntry:
    """Three records, the second of which Postgres takes only after a repair."""
    lines = [pack_record(record(number, f"record {next(_numbers)}")) for number in range(3)]
    lines[1] = pack_record(record(1, f"record {next(_numbers)}", metadata='{"a":"\\u0000"}'))
    return replace(shore.entry(batch_id=batch, record_count=3), records=b"".join(lines))


@pytest.mark.parametrize("has_been_read", [True, False])
def test_a_redriven_dead_letter_comes_late_and_once(shore: Shore, has_been_read: bool) -> None:
    follower = Follower(shore.tail(), limit=2)
    entry = poisoned(shore, uuid4())
    shore.store(entry, is_forced=True)
    expected = messages(entry)
    if has_been_read:
        assert follower.read() == [expected[0], expected[2]]
    letters = PostgresDeadLetters(Database(shore.scratch.url("sluice_owner", direct=True)))
    ((name,),) = shore.scratch.rows("SELECT name FROM applications WHERE application_id = %s", shore.ids[0])
    assert letters.redrive(Selection(application=name)).redriven == 1
    follower.read()
    assert follower.seen == [expected[0], expected[2], expected[1]]
    assert follower.read() == []


def test_a_redrive_that_is_not_committed_yet(shore: Shore) -> None:
    follower = Follower(shore.tail())
    entry, other = poisoned(shore, uuid4()), shore.entry()
    shore.store(entry, is_forced=True)
    follower.read()
    held = _Held(shore.scratch.url("sluice_owner", direct=True))
    ((name,),) = shore.scratch.rows("SELECT name FROM applications WHERE application_id = %s", shore.ids[0])
    PostgresDeadLetters(held).redrive(Selection(application=name))
    shore.store(other)
    assert follower.read() == []
    held.let_go()
    assert follower.read() == [messages(entry)[1], *messages(other)]


def test_a_cursor_survives_its_text(shore: Shore) -> None:
    cursor = shore.tail().begin()
    assert Cursor.from_text(cursor.to_text()) == cursor
    assert shore.tail().check(cursor) == cursor.place


def test_a_cursor_of_another_database_is_refused(shore: Shore) -> None:
    cursor = shore.tail().begin()
    ahead = replace(cursor, place=Place(cursor.place.xid + 1_000_000))
    for lost in (replace(cursor, history="7-1"), ahead):
        with pytest.raises(RejectedInput) as caught:
            shore.tail().check(lost)
        assert (caught.value.code, caught.value.status) == ("cursor_lost", 409)


def test_a_page_reads_no_more_than_some_entries_of_others(shore: Shore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.tail.postgres._MAX_ENTRIES", 3)
    follower = Follower(shore.tail(applications=[1]))
    for _ in range(8):
        shore.store(shore.entry())
    mine = shore.entry(application=1)
    shore.store(mine)
    page = follower.tail.read(follower.place, 10)
    assert (page.logs, page.has_more) == ([], True)
    assert follower.read() == messages(mine)


def test_a_page_looks_at_no_more_than_some_records(shore: Shore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.tail.postgres._MAX_RECORDS", 2)
    follower = Follower(shore.tail(q="nothing"))
    shore.store(*(shore.entry(2) for _ in range(4)))
    assert follower.tail.read(follower.place, 10).has_more
    assert follower.read() == []


@pytest.mark.parametrize("seed", range(2))
def test_every_record_once_while_many_are_stored(shore: Shore, seed: int) -> None:
    """Writers with transactions of all lengths; readers with pages of all sizes."""
    chance = random.Random(seed)
    followers = [Follower(shore.tail(), chance.choice([1, 2, 5, 50])) for _ in range(3)]
    stored: list[str] = []
    ends_at = time.monotonic() + 1

    def write(own: random.Random) -> None:
        while time.monotonic() < ends_at:
            entries = [shore.entry(own.randint(1, 4), application=own.randint(0, 1)) for _ in range(own.randint(1, 3))]
            with shore.storing(*entries):
                time.sleep(own.choice([0, 0, 0.01, 0.1]))
            stored.extend(text for entry in entries for text in messages(entry))

    writers = [threading.Thread(target=write, args=(random.Random(f"{seed} {number}"),)) for number in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        for follower in followers:
            follower.read()
        time.sleep(chance.choice([0, 0.02]))
    for follower in followers:
        follower.read()
        assert Counter(follower.seen) == Counter(stored)
    assert followers[0].seen == followers[1].seen == followers[2].seen


@pytest.mark.parametrize("filters", [{}, {"q": "rare*"}, {"q": "service:shop -x", "level": "error"}], ids=str)
def test_rows_of_an_entry_are_found_by_the_index_of_receipt(shore: Shore, filters: dict[str, str]) -> None:
    """Whatever the planner makes of the filters: it would rather read all rows once if it expects few to fit."""
    shore.store(*(shore.entry(5) for _ in range(200)))
    shore.scratch.rows("ANALYZE log_rows")
    plans: list[str] = []

    class Explaining(Database):
        @contextmanager
        def transaction(self) -> Iterator[Any]:
            with super().transaction() as cursor:
                yield _Explainer(cursor, plans)

    parsed = parse_filters(filters, datetime.now(UTC))
    tail = PostgresTail(Explaining(shore.scratch.url("sluice_reader")), Visible(shore.names), parsed)
    place = Place(0)
    while len(plans) < 2:  # at first there may be nothing but the transactions of others
        plans.clear()
        place = tail.read(place, 100).place
    spans, rows = plans
    assert "ledger_by_storing" in spans
    assert "Index Cond: ((application_id = span.of_application) AND (received_at = span.came_at))" in rows
    assert "Materialize" not in rows
    assert "Hash Join" not in rows
    assert "Incremental Sort" in rows


class _Explainer:
    """A cursor that keeps the plans of what it is asked."""

    def __init__(self, cursor: Any, plans: list[str]) -> None:
        self._cursor, self._plans = cursor, plans

    def execute(self, sql: str, values: Any = None) -> None:
        query = sql.replace("DECLARE found NO SCROLL CURSOR FOR ", "")
        if sql.lstrip().startswith(("WITH", "DECLARE")):
            self._cursor.execute(f"EXPLAIN {query}", values)
            self._plans.append("\n".join(line for (line,) in self._cursor.fetchall()))
        self._cursor.execute(sql, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def test_seats_are_limited_and_given_back(redis_client: redis.Redis) -> None:
    now = [1_000.0]
    seats = RedisSeats(redis_client, 2, lambda: now[0])
    with seats.take(1, 20) as first, seats.take(2, 20) as second, seats.take(3, 20) as third:
        assert (first, second, third) == (True, True, False)
        now[0] += 26  # whoever took them is gone without a word
        with seats.take(1, 20) as later:
            assert later
    with seats.take(1, 20) as again:
        assert again


def test_one_application_does_not_take_all_seats(redis_client: redis.Redis) -> None:
    seats = RedisSeats(redis_client, 10)
    with seats.take(1, 20) as first, seats.take(1, 20) as second, seats.take(1, 20) as third:
        assert (first, second, third) == (True, True, False)
        with seats.take(2, 20) as other:
            assert other
    with seats.take(1, 20) as again:
        assert again


def test_without_redis_there_are_no_seats_and_no_news() -> None:
    nowhere = connect_redis("redis://127.0.0.1:9", timeout_seconds=1)
    with RedisSeats(nowhere, 2).take(1, 1) as is_seated:
        assert not is_seated
    news = RedisNews(nowhere, shard_count=1)
    assert news.mark([1]) == news.mark([1])


@pytest.mark.parametrize("shard_count", [1, 3])
def test_it_is_news_of_an_application_that_something_was_stored(redis_client: redis.Redis, shard_count: int) -> None:
    queue = RedisQueue(redis_client, shard_count=shard_count, backlog_limit_bytes=10**9)
    news = RedisNews(redis_client, shard_count=shard_count)

    def store(application_id: int) -> None:
        shard = application_id % shard_count
        queue.submit(submission(application_id=application_id))
        claimed = queue.claim(shard, min_idle_seconds=0, max_records=10, max_bytes=10**6).entries
        queue.acknowledge(shard, queue.read(shard, [entry.entry_id for entry in claimed]))

    before = [news.mark(ids) for ids in ([7], [8], [7, 8])]
    queue.submit(submission(application_id=9))
    assert [news.mark(ids) for ids in ([7], [8], [7, 8])] == before
    store(7)
    after = [news.mark(ids) for ids in ([7], [8], [7, 8])]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, True, False]
    assert news.mark([7]) == after[0]


def test_a_page_is_complete_unless_something_is_being_stored(shore: Shore) -> None:
    follower = Follower(shore.tail())

    def becomes_complete() -> bool:
        """Autovacuum has transactions of its own, which end soon."""
        deadline = time.monotonic() + 20
        while not follower.page.is_complete and time.monotonic() < deadline:
            follower.read()
        return bool(follower.page.is_complete)

    follower.read()
    assert becomes_complete()
    with shore.storing(shore.entry()):
        shore.store(shore.entry())
        follower.read()
        assert not follower.page.is_complete
    follower.read()
    assert becomes_complete()
