"""Word filters on real servers: they find what a plain scan finds, whatever lags, dies or is redriven."""

import json
import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Self
from uuid import UUID, uuid4

import psycopg2
import pytest
from psycopg2.errors import QueryCanceled

from samples import record, stream_entry
from scratch import Scratch
from sluice.chunks.postgres import PostgresChunkStore
from sluice.deadletters.model import Selection
from sluice.deadletters.postgres import PostgresDeadLetters
from sluice.entries.model import Level
from sluice.entries.packing import pack_record
from sluice.filters.model import Advance
from sluice.filters.postgres import PostgresFilterStore
from sluice.runtime.crash_points import CRASH_POINTS, CrashPoint, arm
from sluice.runtime.postgres import Database, show_applications
from sluice.search import words
from sluice.search.counts import parse_facet, parse_histogram
from sluice.search.model import Visible
from sluice.search.parse import parse_filters, parse_query
from sluice.search.postgres import PostgresLogReader
from sluice.search.postgres_counts import PostgresLogCounter
from sluice.search.postgres_filters import Found, find
from sluice.search.postgres_groups import FilteredSearch, GroupReader
from sluice.search.postgres_ranges import Execute
from sluice.search.postgres_scan import Budget
from sluice.search.words import Clauses
from sluice.streams.model import StreamEntry
from stack import REPOSITORY

RUNBOOK = REPOSITORY / "infra" / "RUNBOOK.md"
START = datetime(2026, 5, 4, 10, tzinfo=UTC)
DAY = datetime(2026, 5, 4, tzinfo=UTC)
ALWAYS = (DAY - timedelta(days=9), DAY + timedelta(days=9))
NOTE = 'say "hé\\"\n'
NOTE_JSON = json.dumps(NOTE)
VOCABULARY = [f"word{number}" for number in range(2_000)]


class Shelf:
    """One application's logs, their filters (by twos in slabs) and searches."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self.application_id = scratch.create_application()
        self.store = PostgresChunkStore(Database(scratch.url("sluice_writer")))
        self.filters = PostgresFilterStore(Database(scratch.url("sluice_indexer")), slab_members=2)

    def entry(self, records: list[dict[str, Any]], start: int = 0, **changes: Any) -> StreamEntry:
        made = [record(start + number, **fields) for number, fields in enumerate(records)]
        times = [item.event_at for item in made]
        defaults = {
            "application_id": self.application_id,
            "received_at": START,
            "event_from": min(times),
            "event_to": max(times),
        }
        return stream_entry(map(pack_record, made), **defaults | changes)

    def put(self, records: list[dict[str, Any]], **changes: Any) -> UUID:
        made = self.entry(records, **changes)
        self.store.store([made])
        return made.batch_id

    def index(self, max_rows: int = 20_000) -> Advance:
        """Until nothing is left."""
        total = Advance()
        while True:
            step = self.filters.advance(max_rows)
            total += step
            if not step.entries:
                return total

    def without_slabs(self) -> Self:
        """Here are fewer filters than go into a slab by default."""
        self.filters = PostgresFilterStore(Database(self.scratch.url("sluice_indexer")))
        return self

    def slab_count(self) -> int:
        ((count,),) = self.scratch.rows(
            "SELECT count(slab) FROM word_filters WHERE application_id = %s", self.application_id
        )
        return int(count)

    def search(
        self, clauses: Clauses, condition: str, *values: Any, visible: set[int] | None = None, **changes: Any
    ) -> Found | None:
        defaults: dict[str, Any] = {
            "application_ids": [self.application_id],
            "received": ALWAYS,
            "columns": "message",
            "limit": 1_000,
        }
        search = FilteredSearch(clauses, condition=condition, values=values, **defaults | changes)
        with self.reading(visible) as execute:
            return find(execute, search, lambda: True)

    @contextmanager
    def reading(self, visible: set[int] | None = None) -> Iterator[Execute]:
        with Database(self.scratch.url("sluice_reader")).transaction() as cursor:
            show_applications(cursor, {self.application_id} if visible is None else visible)

            def execute(sql: str, values: Sequence[Any]) -> list[Any]:
                cursor.execute(sql, values)
                return cursor.fetchall()

            yield execute

    def word(self, word: str, **changes: Any) -> list[str]:
        """Messages with the word, newest first."""
        found = self.search(words.words(word), "message ~* %s", f"\\m{word}\\M", **changes)
        assert found is not None
        assert found.reached is None
        return [row[3] for row in found.rows]

    def filtered_rows(self) -> int:
        ((count,),) = self.scratch.rows(
            "SELECT coalesce(sum(row_count), 0) FROM word_filters WHERE application_id = %s", self.application_id
        )
        return int(count)


@pytest.fixture
def shelf(scratch: Scratch) -> Shelf:
    return Shelf(scratch)


@pytest.fixture
def own_shelf(migrated_database: Callable[..., Scratch]) -> Shelf:
    """In a database where nothing else is stored."""
    return Shelf(migrated_database(is_partitioned=False))


def messages(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Random records of a few thousand distinct words, out of order in time."""
    chance = random.Random(seed)
    return [
        {
            "message": " ".join(chance.sample(VOCABULARY, 4)) + f" number {number}",
            "event_at": START + timedelta(seconds=chance.randrange(7_200)),
            "level": chance.choice([Level.INFO, Level.ERROR]),
            "trace_id": f"Trace{number % 40}",
            "metadata": f'{{"user": {{"id": {number % 50}}}, "amount": 1.50, "note": {NOTE_JSON}}}',
        }
        for number in range(count)
    ]


def scan(shelf: Shelf, word: str) -> list[str]:
    rows = shelf.scratch.rows(
        "SELECT message FROM log_entries WHERE application_id = %s AND message ~* %s"
        " ORDER BY event_at DESC, batch_id DESC, position DESC",
        shelf.application_id,
        f"\\m{word}\\M",
    )
    return [message for (message,) in rows]


def test_a_search_finds_what_a_scan_finds_while_rows_arrive(shelf: Shelf) -> None:
    """Batches large and small, in filters, and not yet in filters."""
    chance = random.Random(2)
    for step in range(6):
        for size in (1, 3, 400):
            received_at = START + timedelta(seconds=chance.randrange(86_000 - 36_000))
            shelf.put(messages(size, seed=step * 1_000 + size), received_at=received_at)
        if step % 2 == 1:
            shelf.index(max_rows=500)
        for word in chance.sample(VOCABULARY, 6):
            expected = scan(shelf, word)
            assert shelf.word(word) == expected
            assert shelf.word(word, limit=2) == expected[:2]
            assert shelf.word(word, limit=2, is_ascending=True) == expected[::-1][:2]
    shelf.index()
    assert shelf.filtered_rows() == 6 * 404
    assert shelf.slab_count() > 6


@pytest.mark.parametrize("is_ascending", [False, True])
def test_pages_visit_every_match_once(shelf: Shelf, is_ascending: bool) -> None:
    """Also from the middle of wide groups: a batch holds times two hours apart, one of them a stranger's."""
    shelf.put([*messages(2_000), {"message": "rare one", "event_at": START + timedelta(days=900)}])
    shelf.put([{"message": f"rare {number}", "event_at": START + timedelta(minutes=number)} for number in range(150)])
    shelf.index()
    seen: list[str] = []
    edge: datetime | None = None
    while True:
        bound: dict[str, Any] = {} if edge is None else {"event_from" if is_ascending else "event_until": edge}
        found = shelf.search(
            words.words("rare"), "message ~* '\\mrare\\M'", limit=7, is_ascending=is_ascending, **bound
        )
        assert found is not None
        if not found.rows:
            break
        seen += [row[3] for row in found.rows]
        edge = found.rows[-1][0] + timedelta(microseconds=1 if is_ascending else -1)
    expected = ["rare one", *(f"rare {number}" for number in range(149, -1, -1))]
    assert seen == (expected[::-1] if is_ascending else expected)


def test_fields_and_metadata_are_words_too(shelf: Shelf) -> None:
    shelf.without_slabs().put(messages(1_000))
    shelf.index()
    for clauses, condition, value, matches in (
        (words.field("trace_id", "Trace7"), "trace_id = %s", "Trace7", 25),
        (words.field("metadata.user.id", "7"), "metadata #>> '{user,id}' = %s", "7", 20),
        (words.field("metadata.amount", "1.50"), "metadata ->> 'amount' = %s", "1.50", 1_000),
        (words.field("metadata.note", NOTE), "metadata ->> 'note' = %s", NOTE, 1_000),
    ):
        found = shelf.search(clauses, condition, value)
        assert found is None or len(found.rows) == matches
        stored = shelf.scratch.rows("SELECT filter FROM word_filters WHERE application_id = %s", shelf.application_id)
        assert sum(words.may_match(bytes(item), clauses) for (item,) in stored) >= matches / 256


def test_filters_are_of_no_use_to_a_common_word(shelf: Shelf) -> None:
    for number in range(150):
        shelf.put(messages(64, seed=number), received_at=START + timedelta(seconds=number))
    shelf.index()
    assert shelf.search(words.words("number"), "true") is None
    assert shelf.search(words.ANYTHING, "true") is None


def test_time_that_is_up_leaves_a_place_to_go_on(shelf: Shelf) -> None:
    shelf.put(messages(3_000))
    shelf.index()
    search = FilteredSearch(
        words.words("word7"), [shelf.application_id], ALWAYS, "message", "message ~* '\\mword7\\M'", (), 1_000
    )
    with shelf.reading() as execute:
        found = find(execute, search, lambda: False)
    assert_complete_to_where_it_got(shelf, found)


def assert_complete_to_where_it_got(shelf: Shelf, found: Found | None) -> None:
    """Of a search for word7."""
    assert found is not None
    assert found.reached is not None
    assert [row[3] for row in found.rows if row[0] > found.reached] == [
        message
        for message, event_at in shelf.scratch.rows(
            "SELECT message, event_at FROM log_entries WHERE application_id = %s AND message ~* '\\mword7\\M'"
            " ORDER BY event_at DESC, batch_id DESC, position DESC",
            shelf.application_id,
        )
        if event_at > found.reached
    ]


@pytest.mark.parametrize("statements", range(8))
def test_a_statement_that_is_cancelled_leaves_a_place_to_go_on(shelf: Shelf, statements: int) -> None:
    for number in range(3):
        moved = [
            item | {"event_at": item["event_at"] + timedelta(hours=9 * number)} for item in messages(1_000, number)
        ]
        shelf.put(moved, received_at=START + timedelta(hours=number))
        if number:
            shelf.index()
    search = FilteredSearch(
        words.words("word7"), [shelf.application_id], ALWAYS, "message", "message ~* '\\mword7\\M'", (), 1_000
    )
    left = count(statements, -1)
    with shelf.reading() as execute:

        def until_cancelled(sql: str, values: Sequence[Any]) -> list[Any]:
            if next(left) <= 0:
                raise QueryCanceled
            return execute(sql, values)

        assert_complete_to_where_it_got(shelf, find(until_cancelled, search, lambda: True))


def counter_of(shelf: Shelf) -> PostgresLogCounter:
    visible = Visible({shelf.application_id: "shelf"})
    return PostgresLogCounter(Database(shelf.scratch.url("sluice_reader")), visible)


def test_counts_count_what_a_scan_finds_while_rows_arrive(shelf: Shelf) -> None:
    """Each log once, although what is in no filter yet came within the same second as what is in one."""
    counter = counter_of(shelf)
    range_ = {"since": (START - timedelta(days=1)).isoformat(), "until": (START + timedelta(days=1)).isoformat()}
    for step in range(4):
        for size in (1, 3, 400):
            shelf.put(messages(size, seed=step * 1_000 + size), received_at=START + timedelta(seconds=step // 2 * 100))
        for word in ("word7", "word1999"):
            expected = len(scan(shelf, word))
            histogram = counter.histogram(parse_histogram({"q": word, **range_}, START))
            stats = counter.stats(parse_filters({"q": word}, START))
            facet = counter.facet(parse_facet({"q": word, "field": "metadata"}, START))
            assert (sum(row[-1] for row in histogram.rows), sum(row[2] for row in stats.rows)) == (expected, expected)
            assert (facet.total, facet.values["note"]) == (expected, expected)
        if step % 2 == 0:
            shelf.index(max_rows=500)


def test_counts_read_no_group_whose_filter_lacks_the_word(shelf: Shelf) -> None:
    shelf.put(messages(1_000))
    shelf.index()
    shelf.scratch.rows(
        "UPDATE word_filters SET slab = decode(repeat('00', length(slab)), 'hex') WHERE application_id = %s",
        shelf.application_id,
    )
    shelf.scratch.rows(
        "UPDATE word_filters SET filter = decode(repeat('00', bit_count / 8), 'hex')"
        " WHERE application_id = %s AND slab IS NULL",
        shelf.application_id,
    )
    counter = counter_of(shelf)
    assert counter.stats(parse_filters({"q": "word7"}, START)).rows == []
    assert counter.stats(parse_filters({}, START)).rows


@pytest.mark.parametrize("q", ["word7", "-nowhere word7*"])
def test_a_search_that_waits_too_long_is_partial(shelf: Shelf, scratch: Scratch, q: str) -> None:
    shelf.put(messages(500))
    shelf.index()
    visible = Visible({shelf.application_id: "shelf"})
    reader = PostgresLogReader(Database(scratch.url("sluice_reader")), visible, Budget(0.5))
    query = parse_query({"q": q, "limit": "1000"}, START)
    with Database(scratch.url("sluice_owner", direct=True)).transaction() as cursor:
        cursor.execute(f"LOCK log_entries_1_{START:%Y%m%d} IN ACCESS EXCLUSIVE MODE")
        page = reader.search(query)
    assert (page.logs, page.is_partial) == ([], True)
    assert page.next_cursor
    reader = PostgresLogReader(Database(scratch.url("sluice_reader")), visible)
    page = reader.search(replace(query, cursor=page.next_cursor))
    assert [log["message"] for log in page.logs] == scan(shelf, "word7" if q == "word7" else "word7\\w*")
    assert not page.is_partial


@pytest.mark.parametrize(("years", "most"), [(0, 6), (4, 8)])
def test_what_a_search_asks_the_database(shelf: Shelf, years: int, most: int) -> None:
    """The days, what has no filter yet, the heaps; then the groups, their blocks, and of slabs their
    members. Gaps in event time are crossed in few steps, and beyond all that is stored nothing is asked."""
    for number in range(4):
        shelf.put(messages(200, number), received_at=START + timedelta(seconds=number))
    shelf.put([{"message": "rare", "event_at": START - timedelta(days=365 * years)}])
    shelf.index()
    assert shelf.slab_count() > 0
    database = _CountingDatabase(shelf.scratch.url("sluice_reader"))
    reader = PostgresLogReader(database, Visible({shelf.application_id: "shelf"}))
    page = reader.search(parse_query({"q": "rare", "limit": "1000"}, START + timedelta(hours=2)))
    assert [log["message"] for log in page.logs] == ["rare"]
    assert len(database.asked) <= most


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_level_that_is_everywhere_needs_no_filters(shelf: Shelf, order: str) -> None:
    """Of one that is rare, they find all that the first window does not show."""
    shelf.put(messages(3_000))
    shelf.put(
        [
            {"message": f"at {hour}", "level": Level.CRITICAL, "event_at": START + timedelta(hours=hour)}
            for hour in (-3, 0, 1, 9)
        ]
    )
    shelf.index()
    database = _CountingDatabase(shelf.scratch.url("sluice_reader"))
    reader = PostgresLogReader(database, Visible({shelf.application_id: "shelf"}))
    page = reader.search(parse_query({"level": "error", "order": order}, START))
    assert len(page.logs) == 100
    assert not any("word_filters" in sql for sql in database.asked)
    page = reader.search(parse_query({"level": "critical", "order": order, "limit": "3"}, START))
    rest = reader.search(replace(parse_query({"level": "critical", "order": order}, START), cursor=page.next_cursor))
    found = ["at -3", "at 0", "at 1", "at 9"]
    assert [log["message"] for log in (*page.logs, *rest.logs)] == (found if order == "asc" else found[::-1])
    assert (len(page.logs), rest.next_cursor) == (3, None)
    assert any("word_filters" in sql for sql in database.asked)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("fetches", range(5))
def test_a_walk_that_is_cancelled_within_a_window_shows_no_log_twice(shelf: Shelf, fetches: int, order: str) -> None:
    shelf.put(messages(9_000))
    visible = Visible({shelf.application_id: "shelf"})
    url = shelf.scratch.url("sluice_reader")
    query = parse_query({"q": "trace:Trace7*", "limit": "1000", "order": order}, START)
    first = PostgresLogReader(_CancellingDatabase(url, fetches), visible).search(query)
    assert first.is_partial
    assert first.next_cursor
    rest = PostgresLogReader(Database(url), visible).search(replace(query, cursor=first.next_cursor))
    assert rest.next_cursor is None
    ids = [log["id"] for log in (*first.logs, *rest.logs)]
    assert len(ids) == len(set(ids)) == 225


class _CountingDatabase(Database):
    """Keeps what it is asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: list[str] = []

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with super().transaction() as cursor:
            yield _CountingCursor(cursor, self)


class _CountingCursor:
    def __init__(self, cursor: Any, counted: _CountingDatabase) -> None:
        self._cursor, self._counted = cursor, counted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, sql: str, values: Any = None) -> None:
        self._counted.asked.append(sql)
        self._cursor.execute(sql, values)


class _CancellingDatabase(Database):
    """Lets some FETCHes through and cancels the next."""

    def __init__(self, url: str, fetches: int) -> None:
        super().__init__(url)
        self._left = count(fetches, -1)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with super().transaction() as cursor:
            yield _CancellingCursor(cursor, self._left)


class _CancellingCursor:
    def __init__(self, cursor: Any, left: Iterator[int]) -> None:
        self._cursor, self._left = cursor, left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, sql: str, values: Any = None) -> None:
        if "FETCH" in sql and next(self._left) <= 0:
            raise QueryCanceled
        self._cursor.execute(sql, values)


@pytest.mark.parametrize("in_slabs", [False, True])
def test_blocks_are_read_only_while_the_heap_is_the_same(shelf: Shelf, in_slabs: bool) -> None:
    if not in_slabs:
        shelf.without_slabs()
    shelf.put(messages(2_000))
    shelf.index()
    spans = shelf.scratch.rows(
        "SELECT block_count, heap_id = heap_identity(1::smallint, %s) FROM word_filters WHERE application_id = %s",
        START.date(),
        shelf.application_id,
    )
    assert in_slabs or {(0 < length < 100, is_same) for length, is_same in spans} == {(True, True)}
    expected = scan(shelf, "word9")
    assert shelf.word("word9") == expected
    leaf = f"log_entries_1_{START:%Y%m%d}"
    shelf.scratch.rows(f"CLUSTER {leaf} USING {leaf}_application_id_event_at_idx")
    assert shelf.word("word9") == expected


def test_rows_among_many_strangers_are_looked_up(shelf: Shelf, scratch: Scratch) -> None:
    shelf.without_slabs()
    stranger = Shelf(scratch)
    for number in range(20):
        shelf.put(messages(2, seed=number), received_at=START + timedelta(seconds=number))
        stranger.put(messages(200, seed=number), received_at=START + timedelta(seconds=number))
    shelf.index()
    spans = scratch.rows("SELECT block_count FROM word_filters WHERE application_id = %s", shelf.application_id)
    assert set(spans) == {(0,)}
    word = scan(shelf, "number")[0].split()[0]
    assert shelf.word(word) == scan(shelf, word)


def test_parts_stored_at_different_times_are_filtered_once(shelf: Shelf) -> None:
    shelf.index()
    batch_id = uuid4()
    for part in (1, 0, 2):
        shelf.put(messages(300, seed=part), start=part * 300, batch_id=batch_id, part=part)
        if part != 0:
            shelf.index()
    assert shelf.filtered_rows() == 900
    assert shelf.word("word77") == scan(shelf, "word77")


def test_transaction_numbers_are_no_text(own_shelf: Shelf) -> None:
    for number, stored_xid in enumerate(("100", "99")):
        batch_id = own_shelf.put(messages(10, seed=number))
        own_shelf.scratch.rows("UPDATE ledger SET stored_xid = %s::xid8 WHERE batch_id = %s", stored_xid, batch_id.hex)
    own_shelf.index(max_rows=10)
    assert own_shelf.filtered_rows() == 20


@pytest.mark.parametrize("is_indexed", [False, True])
def test_a_redriven_record_is_found(shelf: Shelf, is_indexed: bool) -> None:
    made = shelf.entry(
        [{"message": "fine"}, {"message": "unlucky", "metadata": '{"a":"\\u0000"}'}, {"message": "good"}]
    )
    shelf.store.store([made])
    if is_indexed:
        shelf.index()
    assert shelf.word("unlucky") == []
    letters = PostgresDeadLetters(Database(shelf.scratch.url("sluice_owner", direct=True)))
    ((name,),) = shelf.scratch.rows("SELECT name FROM applications WHERE application_id = %s", shelf.application_id)
    letters.redrive(Selection(application=name))
    assert shelf.word("unlucky") == ["unlucky"]
    shelf.index()
    assert shelf.word("unlucky") == ["unlucky"]


def test_another_tenants_words_cannot_be_probed(shelf: Shelf, scratch: Scratch) -> None:
    shelf.put(messages(500))
    shelf.index()
    other = Shelf(scratch)
    for visible in (set(), {other.application_id}):
        found = shelf.search(words.words("word5"), "true", visible=visible)
        assert found is None or found.rows == []
        with Database(scratch.url("sluice_reader")).transaction() as cursor:
            show_applications(cursor, visible)
            cursor.execute("SELECT count(*) FROM word_filters")
            assert cursor.fetchone() == (0,)


def test_a_restored_database_does_not_trust_its_filters(shelf: Shelf) -> None:
    """Transaction numbers begin anew there: the progress would be ahead of all that is stored from then on."""
    shelf.put(messages(500))
    shelf.index()
    kept = shelf.scratch.rows("SELECT stored_xid::text FROM word_filter_progress")[0][0]
    shelf.scratch.rows("UPDATE word_filter_progress SET stored_xid = '9000000000'")
    try:
        assert shelf.search(words.words("word5"), "true") is None
    finally:
        shelf.scratch.rows("UPDATE word_filter_progress SET stored_xid = %s::xid8", kept)


def test_the_runbook_rebuilds_the_filters_of_a_restored_database(own_shelf: Shelf) -> None:
    own_shelf.put(messages(500))
    own_shelf.index()
    own_shelf.scratch.rows("UPDATE ledger SET stored_xid = '9000000000'")
    own_shelf.scratch.rows("UPDATE word_filter_progress SET stored_xid = '9000000000'")
    assert own_shelf.search(words.words("word5"), "true") is None
    (statements,) = re.findall(r'sql "(BEGIN; [^"]*TRUNCATE word_filters[^"]*)"', RUNBOOK.read_text())
    connection = psycopg2.connect(own_shelf.scratch.url("sluice_owner", direct=True))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statements)
    connection.close()
    assert own_shelf.filtered_rows() == 0
    assert own_shelf.word("word5") == scan(own_shelf, "word5")
    own_shelf.index()
    assert own_shelf.filtered_rows() == 500
    assert own_shelf.word("word5") == scan(own_shelf, "word5")


@pytest.mark.parametrize("point", [point for point in CRASH_POINTS if point.startswith("index.")])
def test_a_killed_run_skips_and_doubles_nothing(shelf: Shelf, point: CrashPoint) -> None:
    for number in range(5):
        shelf.put(messages(200, seed=number))
    assert run_in_child(lambda: shelf.filters.advance(500), point) == 9
    shelf.index(max_rows=300)
    assert shelf.filtered_rows() == 1_000
    assert shelf.word("word12") == scan(shelf, "word12")


class Meanwhile:
    """Has the filters get on, and a slab with them, each time a search has run a statement."""

    def __init__(self, shelf: Shelf, execute: Execute) -> None:
        self._shelf, self._execute = shelf, execute

    def execute(self, sql: str, values: Sequence[Any]) -> list[Any]:
        rows = self._execute(sql, values)
        self._shelf.filters.advance(1)
        return rows


@pytest.mark.parametrize("is_ascending", [False, True])
@pytest.mark.parametrize(
    "bounds", [{}, {"event_from": START, "event_until": START + timedelta(hours=2, minutes=30)}], ids=["all", "some"]
)
def test_a_search_misses_nothing_that_gets_into_a_slab_meanwhile(
    shelf: Shelf, bounds: dict[str, Any], is_ascending: bool
) -> None:
    """Filters hours apart in event time, neighbours in receipt: a slab leaves the window that its filters were in."""
    shelf.index()
    hours = [0, 9, 3, 6, 1, 7, 2, 8, 5, 4]
    for number, hour in enumerate(hours):
        moved = [
            item | {"event_at": START + timedelta(hours=hour, seconds=n)} for n, item in enumerate(messages(64, number))
        ]
        shelf.put(moved, received_at=START + timedelta(seconds=number))
        if number == len(hours) // 2:
            shelf.without_slabs().index()
            shelf.filters = PostgresFilterStore(Database(shelf.scratch.url("sluice_indexer")), slab_members=2)
    search = FilteredSearch(
        words.words("number"),
        [shelf.application_id],
        ALWAYS,
        "message",
        "true",
        (),
        1_000,
        is_ascending=is_ascending,
        **bounds,
    )
    with shelf.reading() as execute:
        found = find(Meanwhile(shelf, execute).execute, search, lambda: True)
    assert shelf.slab_count() >= 2
    assert found is not None
    count = sum(timedelta(0) <= timedelta(hours=hour) < timedelta(hours=3) for hour in hours) if bounds else len(hours)
    assert len(found.rows) == count * 64


@pytest.mark.parametrize("is_ascending", [False, True])
@pytest.mark.parametrize(
    "bounds", [{}, {"event_from": START + timedelta(hours=1), "event_until": START + timedelta(hours=4)}]
)
def test_members_of_slabs_are_read_as_far_as_a_page_needs_them(
    shelf: Shelf, bounds: dict[str, Any], is_ascending: bool
) -> None:
    """In the same order as all at once: what is read later does not begin before."""
    for number, hour in enumerate([0, 9, 3, 6, 1, 7, 2, 8, 5, 4]):
        moved = [
            item | {"event_at": START + timedelta(hours=hour, seconds=n)} for n, item in enumerate(messages(64, number))
        ]
        shelf.put(moved, received_at=START + timedelta(seconds=number))
    shelf.index()
    search = FilteredSearch(
        words.words("number"), [shelf.application_id], ALWAYS, is_ascending=is_ascending, now=START, **bounds
    )
    with shelf.reading() as execute:
        (at_once, beyond), *rest = [part for part in GroupReader(execute, search).windows() if part[0]]
        statements = 0

        def counting(sql: str, values: Sequence[Any]) -> list[Any]:
            nonlocal statements
            statements += 1
            return execute(sql, values)

        reader = GroupReader(counting, search, members_at_once=1)
        parts, asked = [], []
        for part in reader.windows():
            parts.append(part)
            asked.append(statements)
    assert [item for part in ((at_once, beyond), *rest) for item in part[0]] == [
        item for part in parts for item in part[0]
    ]
    assert asked[-1] - asked[0] >= 2
    sign = 1 if is_ascending else -1
    for number, (found, beyond) in enumerate(parts):
        assert all(sign * (reader.edge(item) - beyond) <= timedelta(0) for item in found)
        assert all(
            sign * (reader.edge(item) - beyond) >= timedelta(0) for later, _ in parts[number + 1 :] for item in later
        )


def test_who_knows_nothing_of_slabs_reads_all_of_their_rows(shelf: Shelf) -> None:
    """As the release before does: what has no filter may hold anything."""
    for number in range(4):
        shelf.put(messages(200, number), received_at=START + timedelta(seconds=number))
    shelf.index()
    assert shelf.slab_count() >= 2
    uncovered = """
        SELECT count(*) FROM log_entries l WHERE application_id = %s AND NOT EXISTS (
            SELECT FROM word_filters f WHERE f.application_id = l.application_id
            AND l.received_at BETWEEN received_from AND received_until
            AND l.position BETWEEN position_from AND position_until
            AND l.event_at BETWEEN event_from AND event_until)"""
    assert shelf.scratch.rows(uncovered, shelf.application_id) == [(0,)]
    unknown = "SELECT DISTINCT filter IS NULL, heap_id FROM word_filters WHERE application_id = %s AND slab IS NOT NULL"
    assert shelf.scratch.rows(unknown, shelf.application_id) == [(True, 0)]


def test_who_empties_filters_and_knows_nothing_of_slabs_empties_these_too(shelf: Shelf) -> None:
    shelf.put(messages(400))
    shelf.index()
    assert shelf.slab_count()
    shelf.scratch.rows(
        "UPDATE word_filters SET filter = NULL, bit_count = 0 WHERE application_id = %s", shelf.application_id
    )
    assert shelf.slab_count() == 0
    assert shelf.word("word12") == scan(shelf, "word12")


def run_in_child(work: Callable[[], object], point: CrashPoint) -> int:
    """Runs ``work`` in a fork that dies at the point; returns the signal that ended it."""
    child = os.fork()
    if child == 0:
        arm(point)
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1] & 0x7F


class Interrupted(Database):
    """A database that calls ``action`` when the rows were read of which filters are made."""

    def __init__(self, url: str, action: Callable[[], object]) -> None:
        super().__init__(url)
        self.action = action

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with super().transaction() as cursor:
            yield _Interrupted(cursor, self.action)


class _Interrupted:
    def __init__(self, cursor: Any, action: Callable[[], object]) -> None:
        self._cursor, self._action = cursor, action

    def copy_expert(self, *arguments: Any) -> None:
        self._cursor.copy_expert(*arguments)
        self._action()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def test_a_second_run_at_the_same_time_does_nothing(shelf: Shelf, scratch: Scratch) -> None:
    shelf.put(messages(10))
    seen: list[Advance] = []
    interrupted = Interrupted(scratch.url("sluice_indexer"), lambda: seen.append(shelf.filters.advance(100)))
    assert PostgresFilterStore(interrupted).advance(100).entries == 1
    assert seen == [Advance(is_busy=True)]
    assert shelf.filters.lag().entries == 0


def test_who_follows_the_order_of_storing_is_not_held_back_meanwhile(shelf: Shelf, scratch: Scratch) -> None:
    """Nobody goes further than the oldest transaction that has a number: this one gets it when it writes."""
    shelf.put(messages(10))
    seen: list[Any] = []
    numbered = """
        SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE locktype = 'transactionid' AND usename = 'sluice_indexer' AND datname = current_database()"""
    interrupted = Interrupted(scratch.url("sluice_indexer"), lambda: seen.extend(scratch.rows(numbered)))
    assert PostgresFilterStore(interrupted).advance(100).entries == 1
    assert seen == [(0,)]
