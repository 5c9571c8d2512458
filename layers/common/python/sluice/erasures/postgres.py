"""Erases from the database, in transactions that count what they delete."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from psycopg2.extensions import cursor

from sluice.archive.model import Content, StoredObject
from sluice.archive.postgres import CONFIRM, LOCK_MILLISECONDS, confirm_values, limit_waits
from sluice.archive.postgres_reads import OBJECT, read_object
from sluice.erasures.model import STEPS, Erasure, Subject
from sluice.errors import RejectedInput
from sluice.filters.postgres_slabs import Gone, open_members
from sluice.runtime.crash_points import crash_point
from sluice.runtime.postgres import Database
from sluice.search.model import Visible
from sluice.search.postgres_conditions import condition_sql

LETTERS_AT_ONCE, LETTER_BYTES_AT_ONCE = 200, 8_388_608  # whichever is reached first
_MINERS = 7_583_243  # space of the advisory locks of who mines, see templates.postgres

_COLUMNS = """
erasure_id::text, application_id, application, keys, digest, accepted, step, last_object_id,
coalesce(until_object_id, 0), last_letter_id, requested_at, completed_at, counts, checksum"""
_COUNT = """
UPDATE erasures
SET counts = counts || jsonb_build_object(%(name)s::text, coalesce((counts ->> %(name)s)::bigint, 0) + %(count)s)
WHERE erasure_id = %(id)s::uuid"""
_NEXT_DAY = """
SELECT retention_class, day FROM event_time_bounds b
WHERE application_id = %s AND retention_class > 0 AND NOT EXISTS (
    SELECT FROM erased_days e WHERE e.erasure_id = %s::uuid AND e.retention_class = b.retention_class AND e.day = b.day
    AND e.is_rewritten)
ORDER BY day, retention_class LIMIT 1"""
# With the filters of the rows, which are of their words, and the masked lines that wait for a template.
_DELETE = """
WITH gone AS (
    DELETE FROM log_entries WHERE application_id = %(application_id)s AND retention_class = %(class)s
        AND received_at >= %(first)s AND received_at < %(ending)s AND received_at <= %(requested_at)s AND ({condition})
    RETURNING received_at, position, template_id, template_key
), opened AS (
    UPDATE word_filters f SET filter = NULL, bit_count = 0
    FROM (SELECT received_at, min(position) AS first, max(position) AS last FROM gone GROUP BY 1) AS span
    WHERE f.application_id = %(application_id)s AND f.retention_class = %(class)s AND f.slab_id IS NULL
      AND f.received_from <= span.received_at AND f.received_until >= span.received_at
      AND f.position_from <= span.last AND f.position_until >= span.first
), forgotten AS (
    DELETE FROM unmined_lines u USING (SELECT DISTINCT template_key FROM gone WHERE template_id IS NULL) AS line
    WHERE u.application_id = %(application_id)s AND u.template_key = line.template_key
), quoted AS (
    INSERT INTO erased_templates AS known (erasure_id, template_id, row_count)
    SELECT %(id)s::uuid, template_id, count(*) FROM gone WHERE template_id IS NOT NULL GROUP BY 2
    ON CONFLICT (erasure_id, template_id) DO UPDATE SET row_count = known.row_count + excluded.row_count)
SELECT min(received_at), max(received_at), min(position), max(position), count(*) FROM gone
GROUP BY date_bin('1 second', received_at, 'epoch') ORDER BY 1"""
_DAY_DELETED = """
INSERT INTO erased_days AS known (erasure_id, retention_class, day, is_rewritten, row_count)
VALUES (%s::uuid, %s, %s, %s, %s)
ON CONFLICT (erasure_id, retention_class, day) DO UPDATE SET row_count = known.row_count + excluded.row_count"""
_OBJECTS = f"""
{OBJECT} AND application_id = %s AND object_id > %s AND object_id <= %s ORDER BY object_id LIMIT 1"""
# Of days that are on their way, and what a killed erasure wrote: whoever archives begins anew.
_DISCARD_OPEN = """
WITH discarded AS (
    UPDATE archive_objects SET status = 'discarded' FROM archive_days day
    WHERE archive_objects.archive_day_id = day.archive_day_id AND application_id = %(application_id)s
      AND archive_objects.status IN ('writing', 'stored')
      AND (day.status = 'open' OR archive_objects.status = 'writing')
    RETURNING archive_objects.archive_day_id)
UPDATE archive_days SET exported_change = -1
WHERE status = 'open' AND archive_day_id IN (SELECT archive_day_id FROM discarded)"""
_ANNOUNCE = """
INSERT INTO archive_objects (archive_day_id, application_id, number, key)
SELECT old.archive_day_id, old.application_id,
       (SELECT max(number) + 1 FROM archive_objects o
        WHERE o.archive_day_id = old.archive_day_id AND o.application_id = old.application_id), %s
FROM archive_objects old WHERE old.object_id = %s RETURNING object_id"""
_TOTALS = """
UPDATE archive_totals SET erased_count = erased_count + %s
WHERE (archive_day_id, application_id) = (
    SELECT archive_day_id, application_id FROM archive_objects WHERE object_id = %s)"""
_LETTERS = f"""
SELECT dead_letter_id, queued, is_nobodys
FROM (SELECT *, sum(octet_length(queued)) OVER (ORDER BY dead_letter_id) - octet_length(queued) AS bytes_before
      FROM (SELECT dead_letter_id, queued, application_id IS NULL AS is_nobodys FROM dead_letters
            WHERE (application_id = %s OR application_id IS NULL) AND dead_letter_id > %s
              AND coalesce(received_at, dead_lettered_at) <= %s
              AND queued <> '' ORDER BY dead_letter_id LIMIT {LETTERS_AT_ONCE}) AS next) AS next
WHERE bytes_before < {LETTER_BYTES_AT_ONCE} ORDER BY dead_letter_id"""
_BURY = """
UPDATE dead_letters SET queued = '', detail = 'erased', status = CASE status WHEN 'open' THEN 'dropped' ELSE status END
WHERE dead_letter_id = ANY (%s)"""
# A template that all other logs share says nothing of the subject; one that has no other rows may quote them.
_QUOTING = """
SELECT t.template_id FROM templates t JOIN erased_templates e USING (template_id)
WHERE e.erasure_id = %s::uuid AND t.text NOT LIKE '<erased> %%' AND e.row_count >= (
    SELECT coalesce(sum(record_count), 0) FROM template_counts c
    WHERE c.application_id = t.application_id AND c.template_id = t.template_id) + (
    SELECT coalesce(sum(record_count), 0) FROM template_history h
    WHERE h.application_id = t.application_id AND h.template_id = t.template_id)"""


class PostgresErasures:
    """Methods raise Unavailable and ContractError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, subject: Subject, accepted: Callable[[int], Mapping[int, int]], now: datetime) -> Erasure:
        """The unfinished erasure of the same subject, or a new one. ``accepted`` tells the sequence numbers that the
        application with this id has used up, by shard. Raises RejectedInput ``unknown_application``."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute("SELECT application_id FROM applications WHERE name = %s", (subject.application,))
            row = open_cursor.fetchone()
            if row is None:
                raise RejectedInput("unknown_application", "there is no such application", status=404)
            open_cursor.execute(
                f"SELECT {_COLUMNS} FROM erasures WHERE application_id = %s AND completed_at IS NULL", (row[0],)
            )
            for found in map(_erasure, open_cursor.fetchall()):
                if found.digest == subject.digest(found.erasure_id):
                    return found
            erasure_id = uuid4()
            open_cursor.execute(
                "INSERT INTO erasures (erasure_id, application_id, application, keys, digest, accepted, step,"
                f" requested_at) VALUES (%s::uuid, %s, %s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}",
                (
                    *(erasure_id.hex, row[0], subject.application, subject.keys, subject.digest(erasure_id)),
                    *(json.dumps(accepted(row[0])), STEPS[0], now),
                ),
            )
            return _erasure(open_cursor.fetchall()[0])

    def find(self, erasure_id: UUID) -> Erasure:
        """Raises RejectedInput ``unknown_erasure``."""
        found = self._found("WHERE erasure_id = %s::uuid", [erasure_id.hex])
        if not found:
            raise RejectedInput("unknown_erasure", "there is no such erasure", status=404)
        return found[0]

    def all(self) -> list[Erasure]:
        """All receipts, the latest first; at most 1,000."""
        return self._found("ORDER BY requested_at DESC LIMIT 1000", [])

    def advance(self, erasure: Erasure) -> None:
        """Ends the step that the erasure is at."""
        following = STEPS[STEPS.index(erasure.step) + 1]
        with self._database.transaction() as open_cursor:
            if following == "objects":
                open_cursor.execute(_DISCARD_OPEN, {"application_id": erasure.application_id})
            open_cursor.execute(
                "UPDATE erasures SET step = %s, until_object_id = (SELECT coalesce(max(object_id), 0)"
                " FROM archive_objects) WHERE erasure_id = %s::uuid AND step = %s",
                (following, erasure.erasure_id.hex, erasure.step),
            )

    def complete(self, erasure: Erasure, now: datetime) -> Erasure:
        """Seals the receipt."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(
                "UPDATE erasures SET completed_at = %s, step = 'done' WHERE erasure_id = %s::uuid"
                " AND completed_at IS NULL",
                (now, erasure.erasure_id.hex),
            )
            open_cursor.execute(
                f"SELECT {_COLUMNS} FROM erasures WHERE erasure_id = %s::uuid", (erasure.erasure_id.hex,)
            )
            done = _erasure(open_cursor.fetchall()[0])
            open_cursor.execute(
                "UPDATE erasures SET checksum = %s WHERE erasure_id = %s::uuid", (done.proof(), erasure.erasure_id.hex)
            )
        return self.find(erasure.erasure_id)

    def erase_day(self, erasure: Erasure, subject: Subject) -> bool:
        """Deletes the rows of one partition and writes it anew; returns whether there was one left."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_NEXT_DAY, (erasure.application_id, erasure.erasure_id.hex))
            row = open_cursor.fetchone()
            if row is None:
                return False
            retention_class, day = row
            count = _delete_rows(open_cursor, erasure, subject, retention_class, day)
            _add(open_cursor, erasure, "rows", count)
            open_cursor.execute(_DAY_DELETED, (erasure.erasure_id.hex, retention_class, day, count == 0, count))
            if __debug__:
                crash_point("erase.before_rows_commit")
        if __debug__:
            crash_point("erase.after_rows")
        return True

    def days_to_rewrite(self, erasure: Erasure) -> list[tuple[int, date]]:
        """Partitions that rows were deleted from."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(
                "SELECT retention_class, day FROM erased_days WHERE erasure_id = %s::uuid AND NOT is_rewritten",
                (erasure.erasure_id.hex,),
            )
            return open_cursor.fetchall()

    def rewrite_day(
        self, erasure: Erasure, retention_class: int, day: date, wait_milliseconds: int = LOCK_MILLISECONDS
    ) -> None:
        """Writes a partition anew. Raises Unavailable, too, while others hold it."""
        with self._database.transaction() as open_cursor:
            limit_waits(open_cursor, wait_milliseconds)
            open_cursor.execute("SELECT rewrite_log_day(%s::smallint, %s)", (retention_class, day))
            open_cursor.execute(
                "UPDATE erased_days SET is_rewritten = true WHERE erasure_id = %s::uuid AND retention_class = %s"
                " AND day = %s",
                (erasure.erasure_id.hex, retention_class, day),
            )
            if __debug__:
                crash_point("erase.before_rewrite_commit")

    def next_object(self, erasure: Erasure) -> StoredObject | None:
        """The next one that may hold rows of the subject."""
        with self._database.transaction() as open_cursor:
            values = (erasure.application_id, erasure.last_object_id, erasure.until_object_id)
            open_cursor.execute(_OBJECTS, values)
            row = open_cursor.fetchone()
        return read_object(row) if row else None

    def announce(self, item: StoredObject, key: str) -> int:
        """An object that is to take the place of another may be there from now on; returns its id."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute("DELETE FROM archive_objects WHERE status = 'writing' AND key = %s", (key,))
            open_cursor.execute(_ANNOUNCE, (key, item.object_id))
            return int(open_cursor.fetchall()[0][0])

    def swap(
        self,
        erasure: Erasure,
        item: StoredObject,
        templates: Mapping[int, int],
        new: tuple[int, Content] | None,
    ) -> None:
        """Puts the new object, which was read back, in the place of ``item``, or nothing where no row is left. Without
        ``templates``, the rows deleted by template (0: none), the object stays as it is."""
        count = sum(templates.values())
        with self._database.transaction() as open_cursor:
            if new is not None:
                open_cursor.execute(CONFIRM, confirm_values(*new))
            if count:
                open_cursor.execute(_TOTALS, (count, item.object_id))
                open_cursor.execute(
                    "UPDATE archive_objects SET status = 'discarded' WHERE object_id = %s", (item.object_id,)
                )
                _add(open_cursor, erasure, "archived_rows", count)
                _add(open_cursor, erasure, "objects", 1)
                _add_templates(open_cursor, erasure, templates)
            open_cursor.execute(
                "UPDATE erasures SET last_object_id = %s WHERE erasure_id = %s::uuid",
                (item.object_id, erasure.erasure_id.hex),
            )
            if __debug__:
                crash_point("erase.before_swap_commit")

    def letters(self, erasure: Erasure) -> list[tuple[int, bytes, bool]]:
        """The next dead letters: ids, queued bytes, and whether nobody knows whose they are."""
        with self._database.transaction() as open_cursor:
            values = (erasure.application_id, erasure.last_letter_id, erasure.requested_at)
            open_cursor.execute(_LETTERS, values)
            return [(number, bytes(queued), is_nobodys) for number, queued, is_nobodys in open_cursor.fetchall()]

    def bury(self, erasure: Erasure, last_id: int, ids: Sequence[int]) -> None:
        """Empties dead letters; those up to ``last_id`` are done."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_BURY, (list(ids),))
            _add(open_cursor, erasure, "dead_letters", len(ids))
            open_cursor.execute(
                "UPDATE erasures SET last_letter_id = %s WHERE erasure_id = %s::uuid", (last_id, erasure.erasure_id.hex)
            )
            if __debug__:
                crash_point("erase.before_letters_commit")

    def rewrite_dead_letters(self, wait_milliseconds: int = LOCK_MILLISECONDS) -> None:
        """Writes the table anew. Raises Unavailable, too, while others hold it."""
        with self._database.transaction() as open_cursor:
            limit_waits(open_cursor, wait_milliseconds)
            open_cursor.execute("SELECT rewrite_dead_letters()")

    def erase_quotations(self, erasure: Erasure, subject: Subject, wait_milliseconds: int = LOCK_MILLISECONDS) -> None:
        """Takes the logs out of what quotes them: templates that have no other rows, anomalies and incidents about
        those, incidents of a group that has a value of the subject's, and samples in alerts. Raises Unavailable, too,
        while others hold the tables."""
        with self._database.transaction() as open_cursor:
            ids: list[int] = []
            if subject.metadata:
                ids = _erase_templates(open_cursor, erasure)
                count = len(ids)
            else:
                open_cursor.execute(
                    "SELECT count(*) FROM templates WHERE application_id = %s", (erasure.application_id,)
                )
                count = int((open_cursor.fetchone() or (0,))[0])
                open_cursor.execute("SELECT forget_templates(%s)", (erasure.application_id,))
            _add(open_cursor, erasure, "templates", count)
            open_cursor.execute(
                "UPDATE alert_events SET payload = payload || '{\"samples\": []}'"
                " WHERE application_id = %s AND payload -> 'samples' <> '[]'",
                (erasure.application_id,),
            )
            _add(open_cursor, erasure, "alert_events", open_cursor.rowcount)
            open_cursor.execute(
                "SELECT forget_quotations(%s, %s::int[], %s::text[], %s)",
                (erasure.application_id, ids, list(subject.metadata.values()), not subject.metadata),
            )
            _add(open_cursor, erasure, "findings", (open_cursor.fetchone() or (0,))[0])
            open_cursor.execute(
                "UPDATE messages SET document = '{}' WHERE application_id = %s AND status <> 'pending'"
                " AND document <> '{}'",
                (erasure.application_id,),
            )
            _add(open_cursor, erasure, "messages", open_cursor.rowcount)
            if __debug__:
                crash_point("erase.before_quotations_commit")
        with self._database.transaction() as open_cursor:
            limit_waits(open_cursor, wait_milliseconds)
            open_cursor.execute("SELECT rewrite_quotations()")

    def _found(self, conditions: str, values: Sequence[Any]) -> list[Erasure]:
        with self._database.transaction() as open_cursor:
            open_cursor.execute(f"SELECT {_COLUMNS} FROM erasures {conditions}", values)
            return list(map(_erasure, open_cursor.fetchall()))


def _erasure(row: Any) -> Erasure:
    erasure_id, application_id, application, keys, digest, accepted, step, last_object_id, until_object_id, *rest = row
    last_letter_id, requested_at, completed_at, counts, checksum = rest
    return Erasure(
        erasure_id=UUID(erasure_id),
        application_id=application_id,
        application=application,
        keys=tuple(keys),
        digest=bytes(digest),
        accepted={int(shard): last for shard, last in accepted.items()},
        step=step,
        last_object_id=last_object_id,
        until_object_id=until_object_id,
        last_letter_id=last_letter_id,
        requested_at=requested_at.astimezone(UTC),
        completed_at=completed_at and completed_at.astimezone(UTC),
        counts=counts,
        checksum=checksum and bytes(checksum),
    )


def _add(open_cursor: cursor, erasure: Erasure, name: str, count: int) -> None:
    if count:
        open_cursor.execute(_COUNT, {"name": name, "count": count, "id": erasure.erasure_id.hex})


def _add_templates(open_cursor: cursor, erasure: Erasure, templates: Mapping[int, int]) -> None:
    for template_id, count in templates.items():
        if template_id:
            open_cursor.execute(
                "INSERT INTO erased_templates AS known VALUES (%s::uuid, %s, %s) ON CONFLICT (erasure_id, template_id)"
                " DO UPDATE SET row_count = known.row_count + excluded.row_count",
                (erasure.erasure_id.hex, template_id, count),
            )


def _delete_rows(open_cursor: cursor, erasure: Erasure, subject: Subject, retention_class: int, day: date) -> int:
    condition, condition_values = condition_sql(subject.condition, Visible({}))
    first = datetime.combine(day, time(), UTC)
    values = {
        "application_id": erasure.application_id,
        "class": retention_class,
        "requested_at": erasure.requested_at,
        "first": first,
        "ending": first + timedelta(days=1),
        "id": erasure.erasure_id.hex,
    }
    # The condition has its placeholders by position: it is filled in first.
    filled = open_cursor.mogrify(condition, condition_values).decode().replace("%", "%%")
    open_cursor.execute(_DELETE.replace("{condition}", filled), values)
    gone = open_cursor.fetchall()
    spans = [Gone(*span) for *span, _ in gone]
    open_members(open_cursor, erasure.application_id, retention_class, first, spans)
    return sum(count for *_, count in gone)


def _erase_templates(open_cursor: cursor, erasure: Erasure) -> list[int]:
    """Returns their ids. Their new text fits no line: in lines, numbers are masked."""
    open_cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_MINERS, erasure.application_id))
    open_cursor.execute(_QUOTING, (erasure.erasure_id.hex,))
    quoting = [template_id for (template_id,) in open_cursor.fetchall()]
    if quoting:
        open_cursor.execute(
            "UPDATE template_sets SET version = version + 1 WHERE application_id = %s", (erasure.application_id,)
        )
        open_cursor.execute(
            "UPDATE templates SET text = '<erased> ' || number, version = (SELECT version FROM template_sets s"
            " WHERE s.application_id = templates.application_id) WHERE template_id = ANY (%s)",
            (quoting,),
        )
    return quoting
