"""Whether the census is what the ledger says is stored."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sluice.runtime.postgres import Database, show_applications

# Records redriven of entries whose batch id was taken are in ledger_duplicates, which knows no time of receipt.
_DIFFERENCES = """
WITH stored AS (
    SELECT application_id, received_at, stored_count AS stored, 0 AS counted FROM ledger
    UNION ALL
    SELECT application_id, received_at, 1, 0 FROM dead_letters WHERE status = 'redriven' AND reason = 'batch_id_reused'
    UNION ALL
    SELECT application_id, received_from, 0, record_count FROM template_census
), placed AS (
    SELECT stored.*, CASE WHEN received_at < received_before THEN date_trunc('day', received_at, 'UTC')
                          ELSE date_trunc('minute', received_at, 'UTC') END AS received_from
    FROM stored LEFT JOIN template_rollups USING (application_id) WHERE received_at >= %(since)s
)
SELECT application_id, received_from, sum(stored)::bigint, sum(counted)::bigint
FROM placed WHERE received_from >= %(since)s GROUP BY 1, 2 HAVING sum(stored) <> sum(counted) ORDER BY 1, 2"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A minute of receipt, or a day of long ago, in which one application has more or fewer stored records than counted
    ones."""

    application_id: int
    received_from: datetime
    stored: int
    counted: int


def audit_census(database: Database, visible: Collection[int] | None, since: datetime) -> list[Difference]:
    """What does not add up, of the minutes from ``since`` on (a whole one), for the applications given or all: nothing,
    if templates were on all the time. Of what is counted by the day, whole days are looked at. Raises Unavailable."""
    with database.transaction() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '15s', true)")
        show_applications(cursor, visible)
        cursor.execute(_DIFFERENCES, {"since": since})
        return [Difference(*row) for row in cursor.fetchall()]
