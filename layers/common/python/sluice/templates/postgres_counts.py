"""The census in Postgres."""

from collections.abc import Iterable, Sequence

from psycopg2.extensions import cursor

from sluice.chunks.rows import DeadRow, Row
from sluice.streams.model import StreamEntry
from sluice.templates.census import census

# In the order of the key, so that chunks that count in the same rows wait for each other instead of deadlocking.
_ADD_COUNTS = """
INSERT INTO template_counts AS known (application_id, event_minute, template_id, template_key, level, received_minute,
                                      record_count)
SELECT * FROM unnest(%s::int[], %s::timestamptz[], %s::int[], %s::bigint[], %s::smallint[], %s::timestamptz[],
                     %s::int[])
ON CONFLICT (application_id, event_minute, template_id, template_key, level, received_minute)
DO UPDATE SET record_count = known.record_count + excluded.record_count"""

_ADD_UNMINED = """
INSERT INTO unmined_lines (application_id, template_key, masked)
SELECT * FROM unnest(%s::int[], %s::bigint[], %s::text[]) ON CONFLICT DO NOTHING"""


def add_counts(open_cursor: cursor, entries: Sequence[StreamEntry], dead: Iterable[DeadRow]) -> None:
    """Counts the clustered records of ``entries`` but for the ``dead``, in the transaction that stores them, and keeps
    the lines whose template is to be found later. The last thing before COMMIT: others wait for these rows."""
    refused = {(id(row.source.entry), row.source.number) for row in dead if isinstance(row.source, Row)}
    unmined = {
        (entry.application_id, cluster.key): cluster.masked
        for entry in entries
        for cluster in entry.clusters
        if cluster.masked is not None
    }
    if unmined:
        lines = sorted((*key, masked) for key, masked in unmined.items())
        open_cursor.execute(_ADD_UNMINED, [list(column) for column in zip(*lines, strict=True)])
    counts = sorted(census(entries, refused).items())
    if counts:
        cells = [(*cell, count) for cell, count in counts]
        open_cursor.execute(_ADD_COUNTS, [list(column) for column in zip(*cells, strict=True)])
