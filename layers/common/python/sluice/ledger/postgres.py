"""The settled side of the ledger, read under the reader's row security.

Most of it is in the sums of ledger_totals, see the function roll_up_ledger; row by row are read what came since, what
has dead-lettered records, and applications whose sums hold numbers that the caller does not ask for.
"""

from collections.abc import Collection
from typing import Any

from psycopg2.extensions import cursor

from sluice.ledger.model import SettledRanges
from sluice.ledger.ports import Sequences
from sluice.ledger.ranges import Ranges
from sluice.runtime.postgres import Database, show_applications

_UNTIL = "SELECT stored_xid::text FROM ledger_totals_until WHERE server = server_identity()"
_SUMS = """
SELECT application_id, shard, record_count, duplicate_count, 0,
       (SELECT array_agg(ARRAY [lower(span), upper(span)]) FROM unnest(settled) AS span),
       coalesce(upper(settled) - 1, 0)
FROM ledger_totals"""
_DEAD = """
SELECT application_id, shard, -sum(dead_lettered_count)::bigint, 0, sum(dead_lettered_count)::bigint, NULL, 0
FROM (SELECT application_id, shard, dead_lettered_count FROM ledger
      WHERE dead_lettered_count > 0 AND stored_xid < %(until)s::xid8
      UNION ALL
      SELECT application_id, shard, dead_lettered_count FROM ledger_duplicates
      WHERE dead_lettered_count > 0 AND stored_xid < %(until)s::xid8) AS entries
GROUP BY application_id, shard"""

# range_agg joins touching ranges, so years of entries come back as a few ranges.
_ROWS = """
WITH accepted AS (
    SELECT * FROM unnest(%(applications)s::int[], %(shards)s::int[], %(last)s::bigint[])
         AS a (application_id, shard, last)
), entries AS (
    SELECT application_id, shard, first_sequence, record_count, stored_count, 0 AS duplicate_count, dead_lettered_count
    FROM ledger WHERE {condition}
    UNION ALL
    SELECT application_id, shard, first_sequence, record_count, stored_count, duplicate_count, dead_lettered_count
    FROM ledger_duplicates WHERE {condition}
)
SELECT application_id, shard,
       coalesce(sum(stored_count) FILTER (WHERE first_sequence <= last), 0)::bigint,
       coalesce(sum(duplicate_count) FILTER (WHERE first_sequence <= last), 0)::bigint,
       coalesce(sum(dead_lettered_count) FILTER (WHERE first_sequence <= last), 0)::bigint,
       (SELECT array_agg(ARRAY [lower(span), upper(span)]) FROM unnest(
           range_agg(int8range(first_sequence, first_sequence + record_count)) FILTER (WHERE first_sequence <= last)
       ) AS span),
       max(first_sequence + record_count - 1)
FROM entries LEFT JOIN accepted USING (application_id, shard)
GROUP BY application_id, shard"""
_SINCE = _ROWS.format(condition="stored_xid >= %(until)s::xid8")
_BEFORE = _ROWS.format(
    condition="stored_xid < %(until)s::xid8 AND application_id = %(application)s AND shard = %(shard)s"
)

type _Settled = dict[tuple[int, int], SettledRanges]


class PostgresLedger:
    """See LedgerReader; sees the applications given, or all."""

    def __init__(self, database: Database, visible: Collection[int] | None) -> None:
        self._database, self._visible = database, visible

    def settled(self, accepted: Sequences) -> _Settled:
        """See LedgerReader.settled."""
        with self._database.transaction() as open_cursor:
            # One snapshot, or what is added to the sums meanwhile would count twice.
            open_cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            self._begin(open_cursor)
            return _settled(open_cursor, accepted)

    def application_names(self) -> dict[int, str]:
        """See LedgerReader.application_names."""
        with self._database.transaction() as open_cursor:
            self._begin(open_cursor, "SELECT application_id, name FROM applications")
            return dict(open_cursor.fetchall())

    def _begin(self, open_cursor: cursor, then: str = "") -> None:
        show_applications(open_cursor, self._visible, then, statement_timeout="15s")


class PostgresLedgerSums:
    """See LedgerSums."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def roll_up(self, max_entries: int) -> int:
        """See LedgerSums.roll_up."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute("SELECT roll_up_ledger(%s)", (max_entries,))
            ((added,),) = open_cursor.fetchall()
        return int(added)


def _settled(open_cursor: cursor, accepted: Sequences) -> _Settled:
    open_cursor.execute(_UNTIL)
    row = open_cursor.fetchone()
    arguments: dict[str, Any] = {
        "until": row[0] if row else "0",
        "applications": [application_id for application_id, _ in accepted],
        "shards": [shard for _, shard in accepted],
        "last": list(accepted.values()),
    }
    found = _read(open_cursor, _SINCE, arguments)
    if row is None:
        return found
    sums = _read(open_cursor, _SUMS, arguments)
    fitting = {key: settled for key, settled in sums.items() if settled.highest <= accepted.get(key, 0)}
    dead = _read(open_cursor, _DEAD, arguments)
    found = _sum(found, fitting, {key: settled for key, settled in dead.items() if key in fitting})
    for application_id, shard in sums.keys() - fitting.keys():
        found = _sum(found, _read(open_cursor, _BEFORE, arguments | {"application": application_id, "shard": shard}))
    return found


def _sum(*parts: _Settled) -> _Settled:
    total: _Settled = {}
    for part in parts:
        for key, settled in part.items():
            total[key] = total[key] + settled if key in total else settled
    return total


def _read(open_cursor: cursor, sql: str, arguments: dict[str, Any]) -> _Settled:
    open_cursor.execute(sql, arguments)
    return {
        (application_id, shard): SettledRanges(stored, duplicate, dead, _ranges(spans), highest)
        for application_id, shard, stored, duplicate, dead, spans, highest in open_cursor.fetchall()
    }


def _ranges(spans: list[list[int]] | None) -> Ranges:
    return tuple((low, high) for low, high in spans or ())
