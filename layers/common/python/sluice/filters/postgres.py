"""Makes word filters of what Postgres holds, by the ledger in storing order."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from uuid import UUID

from psycopg2.extensions import cursor

from sluice.filters.grouping import FilterBuilder
from sluice.filters.model import Advance, Batch, Lag, Row, Slice, WordFilter
from sluice.filters.postgres_rows import add_filters
from sluice.filters.postgres_slabs import seal
from sluice.runtime.crash_points import crash_point
from sluice.runtime.postgres import Database
from sluice.search import words
from sluice.search.slabs import MEMBERS

_MAX_ENTRIES = 5_000  # a step

# Not a lock of the row: that would give the transaction its number before all the reading, and hold back as long who
# follows the order of storing.
_LOCK = """
SELECT stored_xid::text, batch_id::text, part FROM word_filter_progress
WHERE pg_try_advisory_xact_lock(hashtext('sluice.word_filters'))"""

# Below the oldest running transaction nothing can be added any more. (The order names the table: the bare name would be
# the text of the output.)
_NEXT_ENTRIES = f"""
SELECT stored_xid::text, batch_id, part, application_id, retention_class, received_at, stored_count FROM ledger
WHERE (stored_xid, batch_id, part) > (%s::xid8, %s::uuid, %s)
  AND stored_xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY ledger.stored_xid, ledger.batch_id, ledger.part LIMIT {_MAX_ENTRIES}"""

_PARTS = "SELECT batch_id, part, stored_count FROM ledger WHERE batch_id = ANY (%s::uuid[])"

# OFFSET keeps the planner from joining in any other way than one batch after the other, by the index on receipt.
_FIELDS = ", ".join(f"'{name}=' || {name}" for name in ("level", *words.FIELDS))
_ROWS = f"""
COPY (SELECT number, found.* FROM unnest(%s::int[], %s::timestamptz[], %s::uuid[])
    WITH ORDINALITY AS wanted (in_application, at, in_batch, number), LATERAL (
    SELECT retention_class, ctid, position, event_at, concat_ws(E'\\x{words.FIELD_SEPARATOR.hex()}', {_FIELDS}),
           message, metadata
    FROM log_entries
    WHERE application_id = in_application AND received_at = at AND batch_id = in_batch
      AND received_at >= %s AND received_at <= %s AND retention_class > 0 OFFSET 0) AS found) TO STDOUT"""

_ADVANCE = "UPDATE word_filter_progress SET stored_xid = %s::xid8, batch_id = %s::uuid, part = %s"

_LAG = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(ledger.stored_at)), 0)::float
FROM word_filter_progress AS progress, ledger
WHERE (ledger.stored_xid, ledger.batch_id, ledger.part) > (progress.stored_xid, progress.batch_id, progress.part)"""

type _Key = tuple[str, str, int]  # stored_xid, batch id, part


class PostgresFilterStore:
    """See FilterStore."""

    def __init__(self, database: Database, *, slab_members: int = MEMBERS) -> None:
        """``slab_members``: how many filters go into a slab, at most MEMBERS."""
        self._database, self._slab_members = database, slab_members

    def advance(self, max_rows: int) -> Advance:
        """See FilterStore.advance."""
        with self._database.transaction() as open_cursor:
            # One snapshot: the ledger's counts must be those of the rows.
            open_cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            open_cursor.execute(_LOCK)
            mark = open_cursor.fetchone()
            if mark is None:
                return Advance(is_busy=True)
            open_cursor.execute("SET LOCAL timezone TO 'UTC'")
            keys, batches = _next_entries(open_cursor, mark, max_rows)
            if not keys:
                return Advance()
            filters = _make_filters(open_cursor, keys, batches)
            if __debug__:
                crash_point("index.after_read")
            add_filters(open_cursor, filters)
            slab_count = seal(open_cursor, filters, self._slab_members)
            open_cursor.execute(_ADVANCE, keys[-1])
            if __debug__:
                crash_point("index.before_commit")
        if __debug__:
            crash_point("index.after_commit")
        return Advance(len(keys), sum(item.row_count for item in filters), len(filters), slab_count)

    def lag(self) -> Lag:
        """See FilterStore.lag."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute(_LAG)
            return Lag(*(open_cursor.fetchone() or (0, 0.0)))


def _next_entries(open_cursor: cursor, mark: tuple[object, ...], max_rows: int) -> tuple[list[_Key], dict[str, Batch]]:
    """The keys of the next entries in storing order, and their batches by id."""
    open_cursor.execute(_NEXT_ENTRIES, mark)
    keys: list[_Key] = []
    batches: dict[str, Batch] = {}
    total = 0
    for stored_xid, batch_id, part, application_id, retention_class, received_at, stored_count in open_cursor:
        if keys and total + stored_count > max_rows:
            break
        total += stored_count
        keys.append((stored_xid, batch_id, part))
        batches[batch_id] = Batch(application_id, retention_class, received_at.astimezone(UTC), UUID(batch_id))
    return keys, batches


def _make_filters(open_cursor: cursor, keys: Sequence[_Key], batches: dict[str, Batch]) -> list[WordFilter]:
    """The filters of the entries with these keys."""
    open_cursor.execute(_PARTS, (list(batches),))
    parts: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for batch_id, part, stored_count in open_cursor.fetchall():
        parts[batch_id][part] = stored_count
    wanted: defaultdict[str, set[int]] = defaultdict(set)
    for _, batch_id, part in keys:
        wanted[batch_id].add(part)
    ordered = sorted(batches, key=lambda batch_id: batches[batch_id].order)
    sink = _RowSink([(batches[batch_id], parts[batch_id], wanted[batch_id]) for batch_id in ordered])
    times = [batches[batch_id].received_at for batch_id in ordered]
    applications = [batches[batch_id].application_id for batch_id in ordered]
    values = (applications, times, ordered, min(times), max(times))
    # As text: making Python values of the rows would take longer than all else.
    open_cursor.copy_expert(open_cursor.mogrify(_ROWS, values).decode(), sink)
    return sink.finish()


class _RowSink:
    """Takes COPY's text as it comes, batch after batch, and lets go of a batch's rows as soon as it is complete."""

    def __init__(self, batches: Sequence[tuple[Batch, dict[int, int], set[int]]]) -> None:
        self._batches = batches  # with the stored rows of each part, and the parts wanted
        self._builder = FilterBuilder()
        self._rest = b""
        self._rows: list[Row] = []

    def write(self, text: bytes) -> None:
        *lines, self._rest = (self._rest + text).split(b"\n")
        for line in lines:
            row = Row._make(line.split(b"\t"))
            if self._rows and row.batch != self._rows[0].batch:
                self._end_batch()
            self._rows.append(row)

    def finish(self) -> list[WordFilter]:
        """The filters of all that was written."""
        self._end_batch()
        return self._builder.finish()

    def _end_batch(self) -> None:
        if not self._rows:
            return
        batch, stored_counts, wanted = self._batches[int(self._rows[0].batch) - 1]
        own = _own(sorted(self._rows, key=lambda row: int(row.position)), stored_counts, wanted)
        for number in sorted({row.retention_class for row in own}):
            rows = [row for row in own if row.retention_class == number]
            self._builder.add(Slice(replace(batch, retention_class=int(number)), rows))
        self._rows = []


def _own(rows: list[Row], stored_counts: dict[int, int], wanted: set[int]) -> list[Row]:
    """A batch's rows that belong to the parts wanted. Parts follow each other in the order of positions, and the ledger
    counts how many rows of each are stored. All rows if the counts do not fit: a row twice is better than none."""
    if wanted == stored_counts.keys() or sum(stored_counts.values()) != len(rows):
        return rows
    own: list[Row] = []
    start = 0
    for part in sorted(stored_counts):
        end = start + stored_counts[part]
        own += rows[start:end] if part in wanted else []
        start = end
    return own
