"""The settled side of the ledger, read under the reader's row security."""

from collections.abc import Collection
from typing import Any

from sluice.ledger.model import SettledRanges
from sluice.ledger.ports import Sequences
from sluice.ledger.ranges import Ranges
from sluice.runtime.postgres import Database, show_applications

# range_agg joins touching ranges, so years of entries come back as a few ranges.
_SETTLED = """
WITH accepted AS (SELECT * FROM unnest(%s::int[], %s::int[], %s::bigint[]) AS a (application_id, shard, last)),
entries AS (
    SELECT application_id, shard, first_sequence, record_count, stored_count, 0 AS duplicate_count, dead_lettered_count
    FROM ledger
    UNION ALL
    SELECT application_id, shard, first_sequence, record_count, stored_count, duplicate_count, dead_lettered_count
    FROM ledger_duplicates
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


class PostgresLedger:
    """See LedgerReader; sees the applications given, or all."""

    def __init__(self, database: Database, visible: Collection[int] | None) -> None:
        self._database, self._visible = database, visible

    def settled(self, accepted: Sequences) -> dict[tuple[int, int], SettledRanges]:
        """See LedgerReader.settled."""
        columns = [[key[0] for key in accepted], [key[1] for key in accepted], list(accepted.values())]
        return {
            (application_id, shard): SettledRanges(stored, duplicate, dead, _ranges(spans), highest)
            for application_id, shard, stored, duplicate, dead, spans, highest in self._rows(_SETTLED, columns)
        }

    def application_names(self) -> dict[int, str]:
        """See LedgerReader.application_names."""
        return dict(self._rows("SELECT application_id, name FROM applications", []))

    def _rows(self, sql: str, arguments: list[Any]) -> list[Any]:
        with self._database.transaction() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', '15s', true)")
            show_applications(cursor, self._visible)
            cursor.execute(sql, arguments)
            return cursor.fetchall()


def _ranges(spans: list[list[int]] | None) -> Ranges:
    return tuple((low, high) for low, high in spans or ())
