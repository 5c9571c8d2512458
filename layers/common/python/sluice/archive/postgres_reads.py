"""What the archive holds, and whether it is what the ledger says."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sluice.archive.model import Family, StoredObject
from sluice.errors import RejectedInput
from sluice.runtime.postgres import Database

_DAYS = """
SELECT row_to_json(found) FROM (
SELECT class.name AS retention_class, day.day, day.status, day.opened_at, day.dropped_at, class.is_archived,
       coalesce(totals.applications, 0) AS applications, coalesce(totals.row_count, 0)::bigint AS row_count,
       coalesce(totals.erased_count, 0)::bigint AS erased_count,
       coalesce(objects.object_count, 0) AS object_count, coalesce(objects.row_count, 0)::bigint AS archived_count,
       coalesce(objects.byte_count, 0)::bigint AS byte_count, coalesce(objects.text_bytes, 0)::bigint AS text_bytes,
       coalesce(objects.gone_count, 0)::bigint AS gone_count, objects.event_from, objects.event_until
FROM archive_days day JOIN retention_classes class USING (retention_class)
LEFT JOIN LATERAL (SELECT count(*) AS applications, sum(row_count) AS row_count, sum(erased_count) AS erased_count
                   FROM archive_totals WHERE archive_day_id = day.archive_day_id
                     AND (%(application_id)s IS NULL OR application_id = %(application_id)s)) AS totals ON true
LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE status = 'stored') AS object_count,
                          sum(row_count) FILTER (WHERE status = 'stored') AS row_count,
                          sum(row_count) FILTER (WHERE status IN ('expired', 'gone')) AS gone_count,
                          sum(byte_count) FILTER (WHERE status = 'stored') AS byte_count,
                          sum(text_bytes) FILTER (WHERE status = 'stored') AS text_bytes,
                          min(event_from) FILTER (WHERE status = 'stored') AS event_from,
                          max(event_until) FILTER (WHERE status = 'stored') AS event_until
                   FROM archive_objects WHERE archive_day_id = day.archive_day_id
                     AND (%(application_id)s IS NULL OR application_id = %(application_id)s)) AS objects ON true
WHERE day.day >= coalesce(%(since)s, '-infinity'::date) AND day.day <= coalesce(%(until)s, 'infinity'::date)
  AND (%(application_id)s IS NULL OR totals.applications > 0)
ORDER BY day.day DESC, day.archive_day_id DESC LIMIT %(limit)s) AS found"""

OBJECT = """
SELECT object_id, key, day.retention_class, day.day, application_id, row_count, byte_count, text_bytes, sha256,
       event_from, event_until, received_from, received_until
FROM archive_objects JOIN archive_days day USING (archive_day_id)
WHERE archive_objects.status = 'stored' AND day.status = 'dropped'"""

# Of each application and day that is archived at least in part: what the ledger counts, and where the rows are.
_BALANCE = """
WITH wanted AS (
    SELECT DISTINCT day FROM archive_days WHERE status = 'dropped' AND day > %(after)s ORDER BY day LIMIT %(limit)s
), settled AS (
    SELECT day, application_id, row_count FROM wanted, stored_of_day(day)
), hot AS (
    SELECT day, application_id, count(*) AS row_count FROM wanted, LATERAL (
        SELECT application_id FROM log_entries
        WHERE received_at >= day::timestamp AT TIME ZONE 'UTC' AND received_at < (day + 1)::timestamp AT TIME ZONE 'UTC'
          AND retention_class > 0) AS row
    GROUP BY 1, 2
), dropped AS (
    SELECT day.day, application_id, sum(row_count) AS row_count
    FROM archive_totals JOIN archive_days day USING (archive_day_id) JOIN wanted USING (day)
    WHERE day.status = 'dropped' GROUP BY 1, 2
), erased AS (
    SELECT day, application_id, sum(row_count) AS row_count
    FROM erased_days JOIN erasures USING (erasure_id) JOIN wanted USING (day) GROUP BY 1, 2)
SELECT day, application_id, coalesce(settled.row_count, 0)::bigint, coalesce(hot.row_count, 0)::bigint,
       coalesce(dropped.row_count, 0)::bigint, coalesce(erased.row_count, 0)::bigint
FROM settled FULL JOIN hot USING (day, application_id) FULL JOIN dropped USING (day, application_id)
LEFT JOIN erased USING (day, application_id) ORDER BY 1, 2"""

# Dropped days whose objects are not all of the rows that the partition held.
_INCOMPLETE = """
SELECT class.name, day.day, totals.application_id, totals.row_count - totals.erased_count,
       coalesce(sum(objects.row_count), 0)::bigint
FROM archive_days day JOIN retention_classes class USING (retention_class)
JOIN archive_totals totals USING (archive_day_id)
LEFT JOIN archive_objects objects ON objects.archive_day_id = day.archive_day_id
     AND objects.application_id = totals.application_id AND objects.status IN ('stored', 'expired', 'gone')
WHERE day.status = 'dropped'
  AND EXISTS (SELECT FROM archive_objects kept WHERE kept.archive_day_id = day.archive_day_id)
GROUP BY 1, 2, 3, 4, day.archive_day_id
HAVING coalesce(sum(objects.row_count), 0) <> totals.row_count - totals.erased_count ORDER BY 2, 3"""


_BETWEEN = """
archive_objects.application_id = %s AND archive_objects.event_until >= coalesce(%s, '-infinity'::timestamptz)
AND archive_objects.event_from < coalesce(%s, 'infinity'::timestamptz)"""
_COUNT = """
SELECT count(*), coalesce(sum(row_count), 0), count(*) FILTER (WHERE (day.day, object_id) <= (%s, %s)),
       coalesce(sum(row_count) FILTER (WHERE (day.day, object_id) <= (%s, %s)), 0)
FROM archive_objects JOIN archive_days day USING (archive_day_id)
WHERE archive_objects.status = 'stored' AND day.status = 'dropped'"""
_FAMILIES = """
SELECT wanted, family.ids, (SELECT array_agg(template_key) FROM template_keys WHERE template_id = ANY (family.ids))
FROM unnest(%s::int[]) AS wanted, LATERAL (SELECT template_family(wanted)) AS family (ids)"""


class PostgresArchiveReads:
    """The manifest for its readers. Methods raise Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def days(
        self, application_id: int | None, since: date | None, until: date | None, limit: int
    ) -> list[dict[str, Any]]:
        """Days that left the log table or are about to, the latest first; of one application, or all."""
        values = {"application_id": application_id, "since": since, "until": until, "limit": limit}
        with self._database.transaction() as open_cursor:
            open_cursor.execute("SET LOCAL timezone TO 'UTC'")
            open_cursor.execute(_DAYS, values)
            return [day for (day,) in open_cursor.fetchall()]

    def application_id(self, name: str) -> int:
        """Raises RejectedInput ``unknown_application``."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute("SELECT application_id FROM applications WHERE name = %s", (name,))
            row = open_cursor.fetchone()
        if row is None:
            raise RejectedInput("unknown_application", "there is no such application", status=404)
        return int(row[0])

    def objects(self, after: int, limit: int) -> list[StoredObject]:
        """Objects behind the id ``after``, in the order of ids."""
        return self._objects("object_id > %s ORDER BY object_id LIMIT %s", [after, limit])

    def objects_of(
        self, application_id: int, since: datetime | None, until: datetime | None, after: tuple[date, int], limit: int
    ) -> list[StoredObject]:
        """Objects of an application with event times from ``since`` up to ``until``, by day of receipt and id, behind
        a pair of them."""
        return self._objects(
            f"{_BETWEEN} AND (day.day, object_id) > (%s, %s) ORDER BY day.day, object_id LIMIT %s",
            [application_id, since, until, *after, limit],
        )

    def count_of(
        self, application_id: int, since: datetime | None, until: datetime | None, up_to: tuple[date, int]
    ) -> list[int]:
        """Of the same objects: how many there are, their rows, and both of those up to a pair of day and id."""
        with self._database.transaction() as open_cursor:
            values = [*up_to, *up_to, application_id, since, until]
            open_cursor.execute(f"{_COUNT} AND {_BETWEEN}", values)
            return list(map(int, open_cursor.fetchone() or (0, 0, 0, 0)))

    def template_families(self, template_ids: Sequence[int]) -> dict[int, Family]:
        """What stands for each of these templates in a row: ids, and keys of rows that were stored without one."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_FAMILIES, (list(template_ids),))
            return {row[0]: Family(frozenset(row[1] or ()), frozenset(row[2] or ())) for row in open_cursor.fetchall()}

    def balance(self, after: date, limit: int) -> list[tuple[date, int, int, int, int, int]]:
        """Of the next archived days of receipt, by application: day, application id, rows that the ledger says were
        stored, rows in the log table, rows that left it, and rows that were deleted on demand before that."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_BALANCE, {"after": after, "limit": limit})
            return open_cursor.fetchall()

    def incomplete(self) -> list[tuple[str, date, int, int, int]]:
        """Where objects do not hold what was dropped: class, day, application id, rows expected and found."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_INCOMPLETE)
            return open_cursor.fetchall()

    def _objects(self, conditions: str, values: Sequence[Any]) -> list[StoredObject]:
        with self._database.transaction() as open_cursor:
            open_cursor.execute(f"{OBJECT} AND {conditions}", values)
            return [read_object(row) for row in open_cursor.fetchall()]


def read_object(row: Any) -> StoredObject:
    object_id, key, retention_class, day, application_id, row_count, byte_count, text_bytes, sha256, *spans = row
    sizes = (row_count, byte_count, text_bytes, bytes(sha256))
    return StoredObject(object_id, key, retention_class, day, application_id, *sizes, *spans)
