"""What the database knows of one request."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from psycopg2.extensions import cursor

from sluice.ledger.batches import MAX_BATCHES, MAX_DEAD, Batch, DeadLetter, Settled
from sluice.runtime.postgres import Database, show_applications

_OF_TRACE = f"""
SELECT DISTINCT batch_id::text FROM ledger
WHERE traceparent IS NOT NULL AND substr(traceparent, 4, 32) = %s LIMIT {MAX_BATCHES}"""
_SETTLED = """
SELECT application_id, batch_id::text, received_at, traceparent,
       part, shard, stream_id, record_count, stored_count, 0, dead_lettered_count, stored_at
FROM ledger WHERE batch_id = ANY (%(ids)s::uuid[])
UNION ALL
SELECT application_id, batch_id::text, NULL, NULL,
       part, shard, stream_id, record_count, stored_count, duplicate_count, dead_lettered_count, stored_at
FROM ledger_duplicates WHERE batch_id = ANY (%(ids)s::uuid[])
ORDER BY 5, 12, 7"""
_DEAD = f"""
SELECT application_id, batch_id::text, dead_letter_id, position, reason, status, dead_lettered_at
FROM dead_letters WHERE (shard, stream_id) IN (SELECT * FROM unnest(%s::int[], %s::text[])) AND batch_id IS NOT NULL
ORDER BY dead_letter_id LIMIT {MAX_DEAD}"""


class PostgresBatches:
    """Batches of the applications given, or of all."""

    def __init__(self, database: Database, visible: Collection[int] | None) -> None:
        self._database, self._visible = database, visible

    def find(self, wanted: UUID) -> list[Batch]:
        """The settled part of the batch of this id, and of the batches of the trace of this id. Raises Unavailable."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute("SELECT set_config('statement_timeout', '10s', true)")
            show_applications(open_cursor, self._visible)
            open_cursor.execute(_OF_TRACE, (wanted.hex,))
            ids = [wanted.hex, *(batch_id for (batch_id,) in open_cursor.fetchall())]
            return _read(open_cursor, ids)


def _read(open_cursor: cursor, ids: list[str]) -> list[Batch]:
    open_cursor.execute(_SETTLED, {"ids": ids})
    rows = open_cursor.fetchall()
    dead: dict[tuple[int, str], list[DeadLetter]] = defaultdict(list)
    open_cursor.execute(_DEAD, ([row[5] for row in rows], [row[6] for row in rows]))
    for application_id, batch_id, *letter in open_cursor.fetchall():
        dead[application_id, batch_id].append(DeadLetter(*letter))
    parts: dict[tuple[int, str], list[Settled]] = defaultdict(list)
    about: dict[tuple[int, str], tuple[datetime | None, str | None]] = {}
    for application_id, batch_id, received_at, traceparent, *settled in rows:
        key = (application_id, batch_id)
        parts[key].append(Settled(*settled))
        if key not in about or received_at is not None:
            about[key] = (received_at, traceparent)
    return [Batch(key[0], UUID(key[1]), *about[key], tuple(parts[key]), tuple(dead[key])) for key in parts]
