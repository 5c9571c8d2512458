"""Makes word filters of what was stored since its last run, so that text search need not read every row, finds the
templates of lines that were stored without, keeps the ledger's sums, and moves old counts by template to longer spans.

Trigger: a schedule of one minute, or an operator. Promise: each stored row is in exactly one filter, since filters and
progress are committed together; search reads what is in none yet as it is. A line waits for its template until it has
one. On failure it raises, and the next run goes on from the same place; of two runs at once one does nothing.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any

from sluice.errors import SluiceError
from sluice.filters.model import Advance
from sluice.filters.ports import FilterStore
from sluice.filters.postgres import PostgresFilterStore
from sluice.ledger.ports import LedgerSums
from sluice.ledger.postgres import PostgresLedgerSums
from sluice.metrics.model import Sample
from sluice.runtime.observability import Logger, Metrics, count, keep, told, utc_now
from sluice.runtime.postgres import Database
from sluice.runtime.settings import IndexSettings
from sluice.templates.ports import CountHistory, Repairer
from sluice.templates.postgres import PostgresClusterer
from sluice.templates.postgres_history import PostgresCountHistory

logger = Logger()
metrics = Metrics(namespace="Sluice")

ROWS_AT_ONCE = 20_000
ENTRIES_AT_ONCE = 100_000
COUNTS_AT_ONCE = 20_000
RESERVE_SECONDS = 15  # for the step that is running when time is up
DATABASE_SECONDS = 30


def catch_up(store: FilterStore, has_time: Callable[[], bool]) -> Advance:
    """Steps until everything stored has filters, another run is at it, or time is up. Raises what the store raises."""
    total = Advance()
    while has_time():
        step = store.advance(ROWS_AT_ONCE)
        total += step
        if step.is_busy or not step.entries:
            break
    return total


def repair_all(repairer: Repairer, has_time: Callable[[], bool]) -> int:
    """Steps until no line waits for its template, or time is up; how many lines got one. Raises what repairing does."""
    total = 0
    while has_time() and (found := repairer.repair()):
        total += found
    return total


def sum_up(sums: LedgerSums, has_time: Callable[[], bool]) -> int:
    """Steps until the ledger's sums hold all that is complete, or time is up; how many entries were added."""
    total = 0
    while has_time() and (added := sums.roll_up(ENTRIES_AT_ONCE)):
        total += added
    return total


def keep_history(history: CountHistory, now: datetime, has_time: Callable[[], bool]) -> int:
    """Steps until no count is too old for its span, or time is up; how many were moved."""
    total = 0
    while has_time() and (moved := history.roll_up(now, COUNTS_AT_ONCE)) is not None:
        total += moved
    return total


@cache
def _dependencies() -> tuple[FilterStore, Repairer, LedgerSums, CountHistory]:
    database = Database(IndexSettings.from_env().database_url, deadline_seconds=DATABASE_SECONDS)
    stores = PostgresFilterStore(database), PostgresClusterer(database), PostgresLedgerSums(database)
    return *stores, PostgresCountHistory(database)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Schedule and Invoke entry point."""
    store, repairer, sums, history = _dependencies()
    count(metrics, "indexes", 1)

    def has_time() -> bool:
        return bool(context.get_remaining_time_in_millis() / 1000 > RESERVE_SECONDS)

    try:
        total = catch_up(store, has_time)
        lag = store.lag()
        repaired = repair_all(repairer, has_time)
        summed = sum_up(sums, has_time)
        moved = keep_history(history, utc_now(), has_time)
    except SluiceError as error:
        logger.error("indexing failed", extra=told(error))
        keep(metrics, None, logger, [Sample("errors", 1, {"service": "index", "code": error.code})])
        raise
    count(metrics, "rows_filtered", total.rows)
    count(metrics, "filter_lag", round(lag.seconds))
    count(metrics, "lines_repaired", repaired)
    lagging = {"lag_entries": lag.entries, "lag_seconds": round(lag.seconds, 1)}
    answer = asdict(total) | lagging | {"lines_repaired": repaired, "entries_summed": summed, "counts_moved": moved}
    if total.rows or repaired:
        logger.info("indexed", extra=answer)
    return answer
