"""What grows with the rows that are stored: the same work where few are stored, and where a day is full."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from functools import cache
from statistics import median
from typing import Any

import psycopg2

from benchmarks.bench import Bench
from benchmarks.clients import repeating
from benchmarks.figures import BenchError, Measured
from benchmarks.installation import Installation
from benchmarks.logs import (
    APPLICATIONS,
    BATCH,
    COLUMNS,
    COMMON_WORD,
    LEDGER_COLUMNS,
    UNCOMMON_WORD,
    Block,
    ledger_rows,
    make_logs,
    rows,
)
from benchmarks.rounds import interleave, ratio

FEW, MANY, QUICK_MANY = 100_000, 10_000_000, 500_000
BLOCK_LOGS = 50_000
FILLERS = 2  # connections that fill at once
STORED_BATCHES, PAGES, ROUNDS, QUICK_ROUNDS, INSERT_ROUNDS = 30, 20, 3, 2, 7
LONE_WORD = "syzygy"  # in one log
_BOUNDS = """
INSERT INTO event_time_bounds (retention_class, day, application_id, event_from, event_until)
SELECT 1, (%s AT TIME ZONE 'UTC')::date, id, %s, %s FROM generate_series(1, %s) AS application (id)
ON CONFLICT DO NOTHING"""


def measure(bench: Bench) -> dict[str, Measured]:
    """Rates and times at both sizes, in turn; the search where many rows are stored."""
    many = QUICK_MANY if bench.is_quick else MANY
    fill(bench.small, FEW)
    seconds = fill(bench.product, many, has_filters=bench.wants("search_vs_scan"))
    bench.note(f"{many:,} rows were filled in at {many / seconds:,.0f}/s")
    measured: dict[str, Measured] = {}
    if bench.wants("store_10m_vs_100k"):
        measured["store_10m_vs_100k"] = _insert_rates(bench)
    if bench.wants("page_10m_vs_100k"):
        measured["page_10m_vs_100k"] = _pages(bench)
    if bench.wants("search_vs_scan"):
        measured["search_vs_scan"] = _search(bench, many)
    return measured


def fill(installation: Installation, count: int, *, has_filters: bool = False) -> float:
    """Stores rows and their ledger by COPY of finished text, if wanted while the function index makes word filters;
    returns the seconds it took.

    Each block is as received within a minute of its own: the last of them now, or the first at midnight if the day is
    too young. One log in the middle holds LONE_WORD.
    """
    installation.empty()
    size = min(count, BLOCK_LOGS)
    blocks = count // size
    now = datetime.now(UTC)
    first = max(now.replace(hour=0, minute=0, second=0, microsecond=0), now - timedelta(minutes=blocks))
    filler = _Filler(installation, _rows(size), ledger_rows(size), first, lone=blocks // 2)
    started = time.perf_counter()
    indexing = repeating(lambda: installation.ask("index"), 1) if has_filters else nullcontext()
    with indexing, ThreadPoolExecutor(FILLERS) as pool:
        list(pool.map(filler.run, (range(n, blocks, FILLERS) for n in range(FILLERS))))
    seconds = time.perf_counter() - started
    until = first + timedelta(minutes=blocks + 1)
    installation.cursor.execute(_BOUNDS, (now, first - timedelta(minutes=1), until, APPLICATIONS))
    installation.cursor.execute("VACUUM ANALYZE log_rows, ledger")
    installation.settle()
    return seconds


@cache
def _rows(count: int) -> Block:
    return rows(make_logs(count))


class _Filler:
    """Copies blocks into today's partition."""

    def __init__(self, installation: Installation, block: Block, ledger: Block, first: datetime, lone: int) -> None:
        self._url, self._block, self._ledger, self._first, self._lone = installation.url, block, ledger, first, lone
        self._leaf = installation.value("SELECT ensure_partition(1::smallint, (now() AT TIME ZONE 'UTC')::date)")

    def run(self, numbers: range) -> None:
        """On a connection of its own, a transaction for each block."""
        connection = psycopg2.connect(self._url)
        for number in numbers:
            moment = self._first + timedelta(minutes=number)
            text = self._block.rows(number, moment)
            if number == self._lone:
                text = text.replace(UNCOMMON_WORD.encode(), LONE_WORD.encode(), 1)
            with connection, connection.cursor() as cursor:
                ledger = io.BytesIO(self._ledger.rows(number, moment))
                cursor.copy_expert(f"COPY ledger ({LEDGER_COLUMNS}) FROM STDIN", ledger)
                cursor.copy_expert(f"COPY {self._leaf} ({COLUMNS}) FROM STDIN", io.BytesIO(text))
        connection.close()


def _rounds(bench: Bench) -> int:
    return QUICK_ROUNDS if bench.is_quick else ROUNDS


def _insert_rates(bench: Bench) -> Measured:
    def few(number: int) -> float:
        if not bench.is_quick:
            fill(bench.small, FEW)
        return _insert_rate(bench.small, number)

    contenders = {"few": few, "many": lambda number: _insert_rate(bench.product, number)}
    interleave(1, contenders)  # imports, connections and caches; and both miners have seen as many logs of their kind
    rates = interleave(QUICK_ROUNDS if bench.is_quick else INSERT_ROUNDS, contenders)
    return ratio(rates, "many", "few")


def _insert_rate(installation: Installation, number: int) -> float:
    installation.ask("ingest_batches", count=STORED_BATCHES, seed=number)
    installation.settle()
    return STORED_BATCHES * BATCH / installation.store(STORED_BATCHES * BATCH)


def _pages(bench: Bench) -> Measured:
    """Newest errors of one application, as its own key sees them."""
    query = {"level": "error", "limit": "100"}
    contenders = {
        name: lambda _, installation=installation: 1 / median(installation.ask("pages", query=query, count=PAGES))
        for name, installation in {"few": bench.small, "many": bench.product}.items()
    }
    interleave(1, contenders)
    rates = interleave(_rounds(bench), contenders)
    few, many = (1000 / median(rates[name]) for name in ("few", "many"))
    return Measured(ratio(rates, "few", "many").value, f"{many:.1f} ms against {few:.1f} ms")


def _search(bench: Bench, count: int) -> Measured:
    """For each word, all logs that hold it, by an operator's key, against one scan that counts them."""
    started = time.perf_counter()
    indexed = bench.product.ask("index")
    bench.note(
        f"word filters of the {indexed:,} rows that had none: {indexed / (time.perf_counter() - started):,.0f}/s"
    )
    found: list[Measured] = []
    for word, name in ((LONE_WORD, "1 row"), (UNCOMMON_WORD, "0.01 % of rows")):
        found.append(_search_word(bench, word, limit=1_000, is_all=True))
        bench.note(f"search_vs_scan for a word in {name}: {found[-1]}")
    common = _search_word(bench, COMMON_WORD, limit=100, is_all=False)
    bench.note(f"search_vs_scan for the first 100 of a word in 3 % of rows: {common}")
    return min(found, key=lambda measured: measured.value)


def _search_word(bench: Bench, word: str, *, limit: int, is_all: bool) -> Measured:
    installation = bench.product

    def scan(_: int) -> float:
        started = time.perf_counter()
        counts.add(installation.value("SELECT count(*) FROM log_entries WHERE message LIKE %s", f"%{word}%"))
        return time.perf_counter() - started

    def search(_: int) -> float:
        answer: dict[str, Any] = installation.ask("search", query={"q": word, "limit": str(limit)}, is_all=is_all)
        if is_all:
            counts.add(answer["found"])
        return float(answer["seconds"])

    counts: set[int] = set()
    contenders = {"scan": scan, "search": search}
    interleave(1, contenders)  # connections and caches
    seconds = interleave(ROUNDS, contenders)
    if len(counts) != 1:
        raise BenchError(f"scan and search do not find as many logs with {word!r}: {counts}")
    value = ratio(seconds, "scan", "search").value
    return Measured(
        value, f"{median(seconds['search']) * 1000:,.0f} ms against {median(seconds['scan']) * 1000:,.0f} ms"
    )
