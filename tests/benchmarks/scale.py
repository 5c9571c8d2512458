"""What grows with the rows that are stored: the same work where few are stored, and where a day is full."""

import time
from statistics import median
from typing import Any

from benchmarks.bench import Bench
from benchmarks.day import LONE_WORD, fill
from benchmarks.figures import BenchError, Measured
from benchmarks.installation import Installation
from benchmarks.logs import BATCH, COMMON_WORD, UNCOMMON_WORD
from benchmarks.rounds import interleave, ratio

FEW = 100_000
STORED_BATCHES, PAGES = 30, 10
INSERT_ROUNDS, QUICK_INSERT_ROUNDS, PAGE_ROUNDS, SEARCH_ROUNDS = 7, 4, 5, 3


def measure(bench: Bench) -> dict[str, Measured]:
    """The search where many rows are stored; times and rates at both sizes, in turn."""
    fill(bench.small, FEW)
    measured: dict[str, Measured] = {}
    if bench.wants("search_vs_scan"):
        measured["search_vs_scan"] = _search(bench)
    if bench.wants("page_10m_vs_100k"):
        measured["page_10m_vs_100k"] = _pages(bench)
    if bench.wants("store_10m_vs_100k"):
        measured["store_10m_vs_100k"] = _insert_rates(bench)
    return measured


def _insert_rates(bench: Bench) -> Measured:
    def few(_: int) -> float:
        if not bench.is_quick:
            fill(bench.small, FEW)
        return _insert_rate(bench.small)

    contenders = {"few": few, "many": lambda _: _insert_rate(bench.full)}
    interleave(1, contenders)  # imports, connections and caches; and both miners have seen these logs
    rates = interleave(QUICK_INSERT_ROUNDS if bench.is_quick else INSERT_ROUNDS, contenders)
    return ratio(rates, "many", "few")


def _insert_rate(installation: Installation) -> float:
    installation.ask("ingest_batches", count=STORED_BATCHES, seed=0)
    installation.settle()
    return STORED_BATCHES * BATCH / installation.store(STORED_BATCHES * BATCH)


def _pages(bench: Bench) -> Measured:
    """Newest errors of one application, as its own key sees them."""
    query = {"level": "error", "limit": "100"}
    contenders = {
        name: lambda _, installation=installation: 1 / median(installation.ask("pages", query=query, count=PAGES))
        for name, installation in {"few": bench.small, "many": bench.full}.items()
    }
    interleave(1, contenders)
    rates = interleave(PAGE_ROUNDS, contenders)
    few, many = (1000 / median(rates[name]) for name in ("few", "many"))
    return Measured(ratio(rates, "few", "many").value, f"{many:.1f} ms against {few:.1f} ms")


def _search(bench: Bench) -> Measured:
    """For each word, all logs that hold it, by an operator's key, against one scan that counts them."""
    # As on any day that does not come within a minute: filters that went into slabs are not looked at any more.
    bench.full.cursor.execute("VACUUM word_filters")
    found: list[Measured] = []
    for word, name in ((LONE_WORD, "1 row"), (UNCOMMON_WORD, "0.01 % of rows")):
        found.append(_search_word(bench, word, limit=1_000, is_all=True))
        bench.note(f"search_vs_scan for a word in {name}: {found[-1]}")
    common = _search_word(bench, COMMON_WORD, limit=100, is_all=False)
    bench.note(f"search_vs_scan for the first 100 of a word in 3 % of rows: {common}")
    return min(found, key=lambda measured: measured.value)


def _search_word(bench: Bench, word: str, *, limit: int, is_all: bool) -> Measured:
    installation = bench.full

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
    seconds = interleave(SEARCH_ROUNDS, contenders)
    if len(counts) != 1:
        raise BenchError(f"scan and search do not find as many logs with {word!r}: {counts}")
    value = ratio(seconds, "scan", "search").value
    return Measured(
        value, f"{median(seconds['search']) * 1000:,.0f} ms against {median(seconds['scan']) * 1000:,.0f} ms"
    )
