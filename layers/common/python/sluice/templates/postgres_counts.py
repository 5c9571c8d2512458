"""The census in Postgres."""

from collections.abc import Iterable, Mapping, Sequence

from psycopg2.extensions import cursor

from sluice.chunks.rows import DeadRow, Row
from sluice.streams.model import StreamEntry
from sluice.templates.census import ReleaseCell, census

MAX_RELEASES = 2_000  # of an application, about: chunks at the same time do not see each other's

# In the order of the key, so that chunks that count in the same rows wait for each other instead of deadlocking.
_ADD_COUNTS = """
INSERT INTO template_counts AS known (application_id, event_minute, template_id, template_key, level, received_minute,
                                      record_count)
SELECT * FROM unnest(%s::int[], %s::timestamptz[], %s::int[], %s::bigint[], %s::smallint[], %s::timestamptz[],
                     %s::int[])
ON CONFLICT (application_id, event_minute, template_id, template_key, level, received_minute)
DO UPDATE SET record_count = known.record_count + excluded.record_count"""

# The release of as many as there is room for; others count together, under 0.
_ADD_RELEASES = f"""
WITH fresh AS (
    SELECT DISTINCT * FROM unnest(%(application_id)s::int[], %(service)s::text[], %(version)s::text[])
        AS wanted (application_id, service, version)
    WHERE NOT EXISTS (SELECT FROM releases r WHERE (r.application_id, r.service, r.version) =
                                                   (wanted.application_id, wanted.service, wanted.version))
), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY application_id ORDER BY service, version)
              + (SELECT count(*) FROM releases r WHERE r.application_id = fresh.application_id) AS number FROM fresh
)
INSERT INTO releases (application_id, service, version)
SELECT application_id, service, version FROM numbered WHERE number <= {MAX_RELEASES} ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING"""
_ADD_RELEASE_COUNTS = """
WITH known_releases AS MATERIALIZED (
    SELECT place, application_id, coalesce(release_id, 0) AS release_id
    FROM unnest(%(application_id)s::int[], %(service)s::text[], %(version)s::text[])
        WITH ORDINALITY AS wanted (application_id, service, version, place)
    LEFT JOIN releases USING (application_id, service, version)
)
INSERT INTO release_counts AS known (application_id, release_id, event_hour, template_id, template_key, record_count)
SELECT application_id, release_id, event_hour, template_id, template_key, sum(record_count)
FROM unnest(%(place)s::bigint[], %(event_hour)s::timestamptz[], %(template_id)s::int[], %(template_key)s::bigint[],
            %(record_count)s::bigint[]) AS cell (place, event_hour, template_id, template_key, record_count)
JOIN known_releases USING (place)
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (application_id, release_id, event_hour, template_id, template_key)
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
    counts = census(entries, refused)
    if counts.templates:
        cells = [(*cell, count) for cell, count in sorted(counts.templates.items())]
        open_cursor.execute(_ADD_COUNTS, [list(column) for column in zip(*cells, strict=True)])
    if counts.releases:
        _add_releases(open_cursor, counts.releases)


def _add_releases(open_cursor: cursor, counts: Mapping[ReleaseCell, int]) -> None:
    """In one round trip; two statements, so that the second sees releases that others made meanwhile."""
    places = {release: place for place, release in enumerate(dict.fromkeys(cell.release for cell in counts), start=1)}
    columns = {
        "place": [places[cell.release] for cell in counts],
        "event_hour": [cell.event_hour for cell in counts],
        "template_id": [cell.template_id for cell in counts],
        "template_key": [cell.template_key for cell in counts],
        "record_count": list(counts.values()),
    }
    names = zip(("application_id", "service", "version"), zip(*places, strict=True), strict=True)
    columns |= {name: list(column) for name, column in names}
    open_cursor.execute(f"{_ADD_RELEASES}; {_ADD_RELEASE_COUNTS}", columns)
