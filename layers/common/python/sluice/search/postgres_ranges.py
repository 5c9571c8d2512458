"""Ranges of rows as SQL: read from their blocks where these are known to hold, else through the index on receipt."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sluice.search.postgres_conditions import Sql
from sluice.search.ranges import RowRange

type Execute = Callable[[str, Sequence[Any]], list[Any]]  # runs statements; returns the rows of the last one
type Build = Callable[[str, list[Any]], Sql]  # a SELECT over the table expression that it is given

# Locks the partitions before it asks: while the transaction lasts, nobody rewrites them.
_HEAPS = """
SELECT heap_identity(retention_class, day) FROM (
    SELECT DISTINCT retention_class, day FROM event_time_bounds
    WHERE day >= (%s AT TIME ZONE 'UTC')::date AND day <= (%s AT TIME ZONE 'UTC')::date
      AND application_id = ANY (%s)) AS known
WHERE NOT EXISTS (SELECT FROM log_entries WHERE received_at >= %s AND received_at < %s LIMIT 0)"""

# OFFSET keeps the planner from joining in any other way than one range after the other.
_ROWS = """
unnest(%s::int[], %s::timestamptz[], %s::timestamptz[], %s::int[], %s::int[], %s::text[], %s::text[])
    AS wanted (in_application, first_receipt, last_receipt, first_position, last_position, first_place, last_place),
LATERAL (
    SELECT {columns} FROM log_entries
    WHERE application_id = in_application AND received_at >= first_receipt AND received_at <= last_receipt
      AND received_at >= %s AND received_at < %s AND position BETWEEN first_position AND last_position
      AND {places} AND ({condition}) OFFSET 0) AS {name}"""
_IN_BLOCKS = "ctid >= first_place::tid AND ctid < last_place::tid"

# Planned while no other way of scanning is allowed.
_METHODS = "'{enable_seqscan,enable_indexscan,enable_indexonlyscan,enable_bitmapscan}'::text[]"
_BY_BLOCK = f"""
CLOSE ALL;
SELECT set_config(method, 'off', true) FROM unnest({_METHODS}) AS method;
DECLARE by_block NO SCROLL CURSOR FOR [statement];
SELECT set_config(method, 'on', true) FROM unnest({_METHODS}) AS method;
FETCH ALL FROM by_block"""


class RangeReader:
    """Reads ranges of the rows received within bounds, the second one excluded."""

    def __init__(self, execute: Execute, application_ids: Sequence[int], received: tuple[datetime, datetime]) -> None:
        self._execute, self._received = execute, received
        heaps = execute(_HEAPS, (*received, list(application_ids), *received))
        self._heap_ids = {heap_id for (heap_id,) in heaps} - {0}

    def read(
        self, ranges: Collection[RowRange], columns: str, name: str, condition: Sql, build: Build
    ) -> Iterator[Any]:
        """What the statement returns that ``build`` makes of a table expression: ``columns`` of the ranges' rows for
        which ``condition`` holds, under ``name``. Up to two statements run, each for some of the ranges."""
        near = [item for item in ranges if item.blocks and item.blocks.heap_id in self._heap_ids]
        others = [item for item in ranges if not (item.blocks and item.blocks.heap_id in self._heap_ids)]
        for items, places in ((near, _IN_BLOCKS), (others, "true")):
            if not items:
                continue
            rows = _ROWS.format(columns=columns, places=places, condition=condition[0], name=name)
            sql, values = build(rows, [*_columns(items), *self._received, *condition[1]])
            yield from self._execute(sql if items is others else _BY_BLOCK.replace("[statement]", sql), values)


def array_text(items: Iterable[object]) -> str:
    """Numbers, times or the like as the text of an array: an ARRAY constructor takes psycopg2 and Postgres longer."""
    return f"{{{','.join(map(str, items))}}}"


def _columns(items: Sequence[RowRange]) -> list[str]:
    """The values of ``wanted``."""
    columns = zip(*(item[:5] for item in items), strict=True)
    spans = [item.blocks for item in items]
    ends = [(span.first, span.first + span.length) if span else None for span in spans]
    return [
        *map(array_text, columns),
        array_text("null" if end is None else f'"({end[0]},0)"' for end in ends),
        array_text("null" if end is None else f'"({end[1]},0)"' for end in ends),
    ]
