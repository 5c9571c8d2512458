"""What an operator's page asks of the database, again and again: every answer reads a bounded number of rows."""

from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor

from sluice.ledger.throughput import Settled, Throughput, first_minute, without_gaps
from sluice.runtime.postgres import Database, show_applications

_READ_ENTRIES = (2_000, 20_000, 200_000)  # first few: an idle hour should not cost the entries of a busy day
_COUNTED_LETTERS = 10_000

_BY_MINUTE = """
SELECT date_trunc('minute', stored_at), sum(stored_count)::bigint, sum(duplicate_count)::bigint,
       sum(dead_lettered_count)::bigint, (SELECT count(*) FROM newest), (SELECT min(stored_at) FROM newest)
FROM newest GROUP BY 1"""
_ENTRIES = f"""
WITH newest AS (
    SELECT stored_at, stored_count, 0 AS duplicate_count, dead_lettered_count FROM ledger
    ORDER BY stored_xid DESC, batch_id DESC, part DESC LIMIT %(limit)s)
{_BY_MINUTE}"""
_DUPLICATES = f"""
WITH newest AS (
    SELECT stored_at, stored_count, duplicate_count, dead_lettered_count FROM ledger_duplicates
    WHERE stored_at >= %(first_minute)s ORDER BY stored_at DESC LIMIT %(limit)s)
{_BY_MINUTE}"""

_OPEN = "SELECT count(*) FROM (SELECT FROM dead_letters WHERE status = 'open' LIMIT %s) AS open_letters"


class PostgresPipeline:
    """See SettledView."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def throughput(self) -> Throughput:
        """See SettledView.throughput; by the database's clock."""
        with self._database.transaction() as open_cursor:
            _begin(open_cursor)
            open_cursor.execute("SELECT now()")
            ((now,),) = open_cursor.fetchall()
            for limit in _READ_ENTRIES:
                entries, cut_at = _minutes(open_cursor, _ENTRIES, now, limit)
                if cut_at is None:
                    break
            duplicates, cut_again_at = _minutes(open_cursor, _DUPLICATES, now, _READ_ENTRIES[-1])
        found = {
            minute: entries.get(minute, Settled()) + duplicates.get(minute, Settled())
            for minute in entries.keys() | duplicates.keys()
        }
        return without_gaps(found, now, max(filter(None, (cut_at, cut_again_at)), default=None))

    def count_open_letters(self) -> tuple[int, bool]:
        """See SettledView.count_open_letters."""
        with self._database.transaction() as open_cursor:
            _begin(open_cursor)
            open_cursor.execute(_OPEN, (_COUNTED_LETTERS,))
            ((count,),) = open_cursor.fetchall()
        return count, count == _COUNTED_LETTERS


def _begin(open_cursor: cursor) -> None:
    open_cursor.execute("SELECT set_config('statement_timeout', '5s', true)")
    show_applications(open_cursor, None)


def _minutes(
    open_cursor: cursor, sql: str, now: datetime, limit: int
) -> tuple[dict[datetime, Settled], datetime | None]:
    """Counts by minute, and the time of the oldest row that was read if the limit came before the hour's beginning."""
    open_cursor.execute(sql, {"limit": limit, "first_minute": first_minute(now)})
    rows: list[Any] = open_cursor.fetchall()
    found = {minute: Settled(*map(int, counts)) for minute, *counts, _, _ in rows}
    is_cut = bool(rows) and rows[0][-2] == limit and rows[0][-1] >= first_minute(now)
    return found, rows[0][-1] if is_cut else None
