"""Whether the census is what the ledger says is stored."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sluice.runtime.postgres import Database, show_applications

# Records redriven of entries whose batch id was taken are in ledger_duplicates, which knows no time of receipt.
_DIFFERENCES = """
WITH stored AS (
    SELECT application_id, received_at, stored_count FROM ledger
    UNION ALL
    SELECT application_id, received_at, 1 FROM dead_letters WHERE status = 'redriven' AND reason = 'batch_id_reused'
), by_minute AS (
    SELECT application_id, date_trunc('minute', received_at, 'UTC') AS minute, sum(stored_count) AS stored
    FROM stored WHERE received_at >= %(since)s GROUP BY 1, 2
), counted AS (
    SELECT application_id, received_minute AS minute, sum(record_count) AS counted
    FROM template_counts WHERE received_minute >= %(since)s GROUP BY 1, 2
)
SELECT application_id, minute, coalesce(stored, 0)::bigint, coalesce(counted, 0)::bigint
FROM by_minute FULL JOIN counted USING (application_id, minute)
WHERE coalesce(stored, 0) <> coalesce(counted, 0) ORDER BY 1, 2"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A minute of receipt in which one application has more or fewer stored records than counted ones."""

    application_id: int
    minute: datetime
    stored: int
    counted: int


def audit_census(database: Database, visible: Collection[int] | None, since: datetime) -> list[Difference]:
    """What does not add up, of the minutes from ``since`` on (a whole one), for the applications given or all: nothing,
    if templates were on all the time. Raises Unavailable."""
    with database.transaction() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '15s', true)")
        show_applications(cursor, visible)
        cursor.execute(_DIFFERENCES, {"since": since})
        return [Difference(*row) for row in cursor.fetchall()]
