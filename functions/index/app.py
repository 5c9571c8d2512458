"""Makes word filters of what was stored since its last run, so that text search need not read every row.

Trigger: a schedule of one minute, or an operator. Promise: each stored row is in exactly one filter, since filters and
progress are committed together; search reads what is in none yet as it is. On failure it raises, and the next run goes
on from the same place; of two runs at once one does nothing.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Any

from sluice.errors import SluiceError
from sluice.filters.model import Advance
from sluice.filters.ports import FilterStore
from sluice.filters.postgres import PostgresFilterStore
from sluice.runtime.observability import Logger, Metrics, count
from sluice.runtime.postgres import Database
from sluice.runtime.settings import IndexSettings

logger = Logger()
metrics = Metrics(namespace="Sluice")

ROWS_AT_ONCE = 20_000
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


@cache
def _dependencies() -> FilterStore:
    settings = IndexSettings.from_env()
    return PostgresFilterStore(Database(settings.database_url, deadline_seconds=DATABASE_SECONDS))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Schedule and Invoke entry point."""
    store = _dependencies()
    count(metrics, "indexes", 1)
    try:
        total = catch_up(store, lambda: context.get_remaining_time_in_millis() / 1000 > RESERVE_SECONDS)
        lag = store.lag()
    except SluiceError as error:
        logger.error("indexing failed", extra={"code": error.code, "detail": error.detail})
        count(metrics, f"error_{error.code}", 1)
        raise
    count(metrics, "rows_filtered", total.rows)
    count(metrics, "filter_lag_seconds", round(lag.seconds))
    answer = asdict(total) | {"lag_entries": lag.entries, "lag_seconds": round(lag.seconds, 1)}
    if total.rows:
        logger.info("indexed", extra=answer)
    return answer
