"""Puts word filters into slabs, and takes words out of these again."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from psycopg2.extensions import cursor

from sluice.filters.model import WordFilter
from sluice.search.slabs import MEMBER_SQL, make_slab, opened, ranges

# Each run in one statement, by the indexes of its day. (The bounds are for the planner.)
_FULL = """
SELECT run.* FROM unnest(%s::int[], %s::smallint[], %s::timestamptz[], %s::int[]) AS run (of_one, class, first, bits),
LATERAL (
    SELECT FROM word_filters
    WHERE application_id = of_one AND retention_class = class AND bit_count = bits AND filter IS NOT NULL
      AND received_from >= first AND received_from < first + interval '1 day'
      AND received_from >= %s AND received_from < %s
    OFFSET %s LIMIT 1) AS last"""
_RUN = """application_id = %(application)s AND retention_class = %(class)s AND bit_count = %(bits)s
    AND filter IS NOT NULL AND received_from >= %(first)s AND received_from < %(first)s + interval '1 day'"""
# Deleting them is what an erasure waits for, or waits for it, which takes words from them.
_TAKE = f"""
WITH taken AS (
    DELETE FROM word_filters WHERE {_RUN} AND ctid = ANY (ARRAY (
        SELECT ctid FROM word_filters WHERE {_RUN} ORDER BY received_from, position_from LIMIT %(count)s))
    RETURNING *
), ordered AS (
    SELECT * FROM taken ORDER BY received_from, position_from)
SELECT string_agg(filter, ''::bytea), string_agg({MEMBER_SQL}, ''::bytea), min(received_from), max(received_until),
       min(position_from), max(position_until), min(event_from), max(event_until), sum(row_count) FROM ordered"""
_INSERT = """
INSERT INTO word_filters (application_id, retention_class, bit_count, slab_id, slab, members, received_from,
                          received_until, position_from, position_until, event_from, event_until, row_count)
VALUES (%s, %s, %s, %s::uuid, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
_SPANNING = """
SELECT slab_id::text, members FROM word_filters
WHERE application_id = %s AND retention_class = %s AND received_from >= %s AND received_from < %s
  AND received_from <= %s AND received_until >= %s AND slab IS NOT NULL"""
_OF_SLAB = "WHERE slab_id = %s::uuid AND retention_class = %s AND received_from >= %s AND received_from < %s"


class Gone(NamedTuple):
    """Rows that are deleted: received from … until, at positions from … until."""

    received_from: datetime
    received_until: datetime
    position_from: int
    position_until: int


class _Run(NamedTuple):
    """Filters that may share a slab: of one application, class, day (its first moment) and size."""

    application_id: int
    retention_class: int
    first: datetime
    bit_count: int


def seal(open_cursor: cursor, filters: Iterable[WordFilter], count: int) -> int:
    """Puts filters into slabs of ``count`` (at most MEMBERS) where these last ones, inserted already, complete enough
    of a kind; returns how many slabs. In the caller's transaction: each filter is by itself or in a slab."""
    sealed = 0
    runs = sorted({_run(item) for item in filters if item.filter_bytes is not None})
    while runs := _full(open_cursor, runs, count):
        for run in runs:
            _seal_run(open_cursor, run, count)
        sealed += len(runs)
    return sealed


def open_members(
    open_cursor: cursor, application_id: int, retention_class: int, first: datetime, gone: Sequence[Gone]
) -> None:
    """Takes the words of all groups with rows in ``gone`` (spans of time, one after the other, in the day that begins
    with ``first``) out of their slabs: searches read these groups whatever they look for. Filters that are in no slab
    are the caller's, and come first: meanwhile they may get into one."""
    if not gone:
        return
    day = (retention_class, first, first + timedelta(days=1))
    open_cursor.execute(_SPANNING, (application_id, *day, gone[-1].received_until, gone[0].received_from))
    for slab_id, members in open_cursor.fetchall():
        if numbers := _numbers(bytes(members), gone):
            open_cursor.execute(f"SELECT slab FROM word_filters {_OF_SLAB} FOR UPDATE", (slab_id, *day))
            ((slab,),) = open_cursor.fetchall()
            emptied = opened(bytes(slab), numbers)
            open_cursor.execute(f"UPDATE word_filters SET slab = %s {_OF_SLAB}", (emptied, slab_id, *day))


def _run(item: WordFilter) -> _Run:
    assert item.filter_bytes is not None
    first = datetime.combine(item.received_from.astimezone(UTC), time(), UTC)
    return _Run(item.application_id, item.retention_class, first, len(item.filter_bytes) * 8)


def _full(open_cursor: cursor, runs: Sequence[_Run], count: int) -> list[_Run]:
    """Those of the runs that have enough filters for a slab."""
    if not runs:
        return []
    bounds = min(run.first for run in runs), max(run.first for run in runs) + timedelta(days=1)
    open_cursor.execute(_FULL, (*map(list, zip(*runs, strict=True)), *bounds, count - 1))
    return [_Run(*row) for row in open_cursor.fetchall()]


def _seal_run(open_cursor: cursor, run: _Run, count: int) -> None:
    values = {"application": run.application_id, "class": run.retention_class, "first": run.first}
    open_cursor.execute(_TAKE, values | {"bits": run.bit_count, "count": count})
    ((filters, members, *spans),) = open_cursor.fetchall()
    slab = make_slab(bytes(filters), run.bit_count // 8)
    keys: tuple[Any, ...] = (run.application_id, run.retention_class, run.bit_count, uuid4().hex)
    open_cursor.execute(_INSERT, (*keys, slab, bytes(members), *spans))


def _numbers(members: bytes, gone: Sequence[Gone]) -> list[int]:
    """The members that have rows among those that are gone, as far as spans tell."""
    starts, ends = [item.received_from for item in gone], [item.received_until for item in gone]
    return [
        number
        for number, item in enumerate(ranges(members, 0))
        if any(
            span.position_from <= item.position_until and item.position_from <= span.position_until
            for span in gone[bisect_left(ends, item.received_from) : bisect_right(starts, item.received_until)]
        )
    ]
