"""Reading from many logs: whole within the budget, and in part where the budget is small.

SLUICE_SCALE_ROWS is how many there are (default 100,000; `make test-scale` takes a million).
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest

from scratch import Scratch
from sluice.filters.postgres import PostgresFilterStore
from sluice.runtime.postgres import Database
from sluice.search.counts import parse_facet, parse_histogram
from sluice.search.model import Filters, Page, Visible
from sluice.search.parse import parse_filters, parse_query
from sluice.search.postgres import PostgresLogReader
from sluice.search.postgres_conditions import Sql
from sluice.search.postgres_counts import PostgresLogCounter
from sluice.search.postgres_scan import Budget, open_scan

ROWS = int(os.environ.get("SLUICE_SCALE_ROWS", "100000"))
DAYS = 4
NOW = datetime(2026, 8, 8, tzinfo=UTC)
SPAN = timedelta(days=DAYS)
BATCH = 500

# Logs as they come: an event a moment before its receipt, batches of 500, a rare word in one of 50,000.
_FILL = """
INSERT INTO log_rows (application_id, position, batch_id, received_at, event_at, retention_class, level, flags,
                         trace_id, host, service, message, metadata)
SELECT %(application)s, n %% 500, md5(%(application)s || '/' || n / 500)::uuid,
       %(start)s + %(step)s * (n / 500 * 500 + 500), %(start)s + %(step)s * n, 1,
       CASE WHEN n %% 100 = 0 THEN 40 WHEN n %% 10 = 0 THEN 30 ELSE 20 END, 0,
       md5(n::text), 'web-' || n %% 40, (ARRAY ['checkout', 'cart', 'search', 'mail'])[1 + n %% 4],
       'request ' || n || ' to /api/orders/' || n %% 977 || ' took ' || n %% 1531 || ' ms, '
           || CASE WHEN n %% 50000 = 7 THEN 'payment exploded' ELSE 'answered by upstream with status 200' END,
       jsonb_build_object('user_id', n %% 5003, 'path', '/api/orders', 'ms', n %% 1531)
FROM generate_series(0, %(rows)s - 1) AS n"""
_LATE = """
INSERT INTO log_rows (application_id, position, batch_id, received_at, event_at, retention_class, level, flags,
                         message, metadata)
SELECT %(application)s, n, gen_random_uuid(), %(start)s + %(span)s * part, %(start)s + %(span)s * part, 1, 20, 0,
       'late', '{}'
FROM (SELECT n, random() AS part FROM generate_series(1, %(rows)s) AS n) AS arriving"""
_BOUNDS = """
INSERT INTO event_time_bounds SELECT 1, received_at::date, application_id, date_trunc('hour', min(event_at)),
    date_trunc('hour', max(event_at)) + interval '1 hour' FROM log_entries WHERE application_id = %s GROUP BY 2, 3"""
_LEDGER = """
INSERT INTO ledger (batch_id, part, application_id, shard, retention_class, first_sequence, record_count, stored_count,
                    received_at, stream_id, body_hash)
SELECT batch_id, 0, application_id, 0, 1, 1, count(*), count(*), received_at, batch_id, 'h' FROM log_entries
WHERE application_id = %s GROUP BY batch_id, application_id, received_at"""


@dataclass(frozen=True)
class Heap:
    """Many logs of one application."""

    scratch: Scratch
    visible: Visible

    def reader(self, budget: Budget | None = None) -> PostgresLogReader:
        return PostgresLogReader(Database(self.scratch.url("sluice_reader")), self.visible, budget)

    def counter(self, budget: Budget | None = None) -> PostgresLogCounter:
        return PostgresLogCounter(Database(self.scratch.url("sluice_reader")), self.visible, budget)

    def search(self, budget: Budget | None = None, /, **parameters: str) -> Page:
        return self.reader(budget).search(parse_query(parameters, NOW))

    def arrive(self, rows: int, until: datetime) -> int:
        """More logs, of moments all over the walk; returns how many."""
        (application_id,) = self.visible.names
        fill = {"application": application_id, "start": NOW - SPAN, "span": until - (NOW - SPAN), "rows": rows}
        with Database(self.scratch.url("sluice_owner", direct=True)).transaction() as cursor:
            cursor.execute(_LATE, fill)
            return cursor.rowcount

    def forget_arrivals(self) -> None:
        """Removes them."""
        self.scratch.rows("DELETE FROM log_entries WHERE message = 'late'")


@pytest.fixture(scope="module")
def heap(scratch: Scratch) -> Heap:
    application_id = scratch.create_application()
    for day in range(DAYS + 2):
        scratch.rows("SELECT ensure_partition(1::smallint, %s)", (NOW - SPAN).date() + timedelta(days=day))
    fill = {"application": application_id, "start": NOW - SPAN, "step": SPAN / ROWS, "rows": ROWS}
    with Database(scratch.url("sluice_owner", direct=True)).transaction() as cursor:
        cursor.execute(_FILL, fill)
        cursor.execute(_BOUNDS, (application_id,))
        cursor.execute(_LEDGER, (application_id,))
    scratch.rows("ANALYZE log_rows")
    return Heap(scratch, Visible({application_id: "heap"}))


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Shows with `-s` how long a block took."""
    began = time.perf_counter()
    yield
    sys.stdout.write(f"{1_000 * (time.perf_counter() - began):6.0f} ms: {what}\n")


def ticking(step: float, seconds: float) -> Budget:
    """A budget that each look at the clock uses up a part of."""
    ticks = count()
    return Budget(seconds, clock=lambda: next(ticks) * step)


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, 100),
        ({"order": "asc"}, 100),
        ({"q": "exploded"}, ROWS // 50_000),
        ({"q": "nowhere"}, 0),
        ({"q": '"payment exploded" level:>=info'}, ROWS // 50_000),
        ({"q": "-upstream"}, ROWS // 50_000),
        ({"text": "xplode"}, ROWS // 50_000),
        ({"q": f"trace:{'0' * 32}"}, 0),
        ({"q": "metadata.user_id:4711", "since": "-2d"}, min(100, ROWS // 2 // 5_003)),
        ({"q": "level:error service:checkout"}, 100),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,
)
def test_a_search_is_answered_whole(heap: Heap, parameters: dict[str, str], found: int) -> None:
    with timed(f"search {parameters}"):
        page = heap.search(**parameters)
    assert not page.is_partial
    assert abs(len(page.logs) - found) <= 1


def test_counts_are_whole(heap: Heap) -> None:
    range_ = {"since": "-4d", "until": "now"}
    with timed("histogram by level"):
        histogram = heap.counter().histogram(parse_histogram(range_, NOW))
    assert (sum(row[-1] for row in histogram.rows), histogram.complete_since) == (ROWS, None)
    with timed("histogram of a word"):
        histogram = heap.counter().histogram(parse_histogram({"q": "exploded", **range_}, NOW))
    assert sum(row[-1] for row in histogram.rows) == ROWS // 50_000
    for field, expected in (("service", 4), ("metadata.user_id", 5_003), ("metadata", 3)):
        with timed(f"facet {field}"):
            facet = heap.counter().facet(parse_facet({"field": field, "limit": "10"}, NOW))
        assert (facet.total, facet.complete_since) == (ROWS, None)
        assert len(facet.values) >= min(expected, 4_000)
        assert facet.is_approximate == (expected > 5_000)
    with timed("facet trace_id"):
        assert heap.counter().facet(parse_facet({"field": "trace_id"}, NOW)).is_approximate
    with timed("stats"):
        stats = heap.counter().stats(parse_filters({}, NOW))
    assert sum(row[2] for row in stats.rows) == ROWS


def test_word_filters_change_no_count(heap: Heap) -> None:
    filters = PostgresFilterStore(Database(heap.scratch.url("sluice_indexer")))
    while filters.advance(20_000).entries:
        pass
    for query, expected in (
        ("exploded", ROWS // 50_000),
        ("answered -nowhere", ROWS - ROWS // 50_000),
        ("metadata.user_id:4711 service:mail", len(range(4_711, ROWS, 5_003)) // 4),
    ):
        with timed(f"histogram of {query} with word filters"):
            found = heap.counter().histogram(parse_histogram({"q": query, "since": "-4d", "until": "now"}, NOW))
        assert abs(sum(row[-1] for row in found.rows) - expected) <= 1
        assert found.complete_since is None


def test_the_neighbours_of_a_log_are_at_hand(heap: Heap) -> None:
    (middle, *_) = heap.search(until="-2d", limit="1").logs
    batch, _, position = middle["id"].partition("-")
    with timed("context"):
        found = heap.reader().find(UUID(batch), int(position), before=10, after=10)
    assert found
    assert (found.log, len(found.before), len(found.after)) == (middle, 10, 10)
    times = [log["timestamp"] for log in (*found.before, found.log, *found.after)]
    assert times == sorted(set(times))


def test_a_small_budget_gives_a_part_and_a_way_on(heap: Heap) -> None:
    """Each page gets through a few windows; together they find what there is, once."""
    seen: list[str] = []
    page = heap.search(ticking(1, 6), q="-upstream")
    parts = 1
    assert page.is_partial
    while page.next_cursor:
        seen += [log["id"] for log in page.logs]
        page = heap.search(ticking(1, 6), q="-upstream", cursor=page.next_cursor.to_text())
        parts += 1
    seen += [log["id"] for log in page.logs]
    assert len(seen) == len(set(seen)) == ROWS // 50_000
    assert parts > 2


def test_a_walk_ends_at_the_first_border_after_its_time(heap: Heap) -> None:
    def windows(budget: Budget) -> tuple[int, bool]:
        with open_scan(Database(heap.scratch.url("sluice_reader")), heap.visible, Filters(), budget) as scan:
            assert scan is not None
            walked: list[Sql] = []

            def go_on(window: Sql) -> bool:
                walked.append(window)
                return False

            scan.walk(False, 2_000, 2_000, go_on)
            return len(walked), scan.is_partial

    whole, is_partial = windows(Budget())
    assert (whole >= 10, is_partial) == (True, False)
    part, is_partial = windows(ticking(1, 6))
    assert (part < 6, is_partial) == (True, True)
    few, is_partial = windows(Budget(max_rows=4_000))
    assert (few, is_partial) == (2, True)


def test_a_walk_ends_before_a_stretch_for_which_nothing_is_left(heap: Heap) -> None:
    beginnings = [NOW - timedelta(days=days) for days in (3, 2)]
    windows = count()
    with open_scan(Database(heap.scratch.url("sluice_reader")), heap.visible, Filters(), Budget(max_rows=1)) as scan:
        assert scan is not None
        scan.runs = [(beginning, beginning + timedelta(hours=1)) for beginning in beginnings]
        scan.walk(False, ROWS, ROWS, lambda window: next(windows) > 1)
        assert (next(windows), scan.is_partial) == (1, True)


def test_counts_in_part_are_of_the_newest(heap: Heap) -> None:
    budget = ticking(1, 3)
    histogram = heap.counter(budget).histogram(parse_histogram({"since": "-4d", "buckets": "96"}, NOW))
    assert histogram.complete_since
    counted = sum(row[-1] for row in histogram.rows)
    assert 0 < counted < ROWS
    since = histogram.complete_since.isoformat()
    whole = heap.counter().histogram(parse_histogram({"since": since, "buckets": "96"}, NOW))
    assert sum(row[-1] for row in whole.rows) == counted


@pytest.mark.timeout(900)
@pytest.mark.parametrize("order", ["desc", "asc"])
def test_a_walk_through_all_pages_visits_every_log_once_while_others_arrive(heap: Heap, order: str) -> None:
    walked = ROWS if ROWS > 100_000 else 20_000  # all of a million, a part of what every day has time for
    until = NOW - SPAN + SPAN * walked / ROWS
    seen: list[str] = []
    cursor: dict[str, str] = {}
    late = found = 0
    with timed(f"a walk through {walked:,} logs, {order}"):
        while True:
            page = heap.search(order=order, limit="1000", since="-4d", until=until.isoformat(), **cursor)
            seen += [log["id"] for log in page.logs]
            found += sum(log["message"] != "late" for log in page.logs)
            if page.next_cursor is None:
                break
            cursor = {"cursor": page.next_cursor.to_text()}
            late += heap.arrive(100, until)
    assert late >= walked // 1000
    assert len(seen) == len(set(seen))
    assert found == walked
    heap.forget_arrivals()
