"""COPY that survives poison: what the database can never take comes back, and everything else is in.

Everything goes at once first. If that fails, the metadata of all rows are checked in one query, since they are the one
column whose text can be refused for many reasons (the table's check is jsonb's, too); the rest is bisected.
"""

import io
from collections import defaultdict
from collections.abc import Sequence

from psycopg2.extensions import cursor

from sluice.chunks import rows
from sluice.chunks.binary import HEADER, TRAILER
from sluice.chunks.rows import CopyForm, DeadRow, Row
from sluice.errors import Poison
from sluice.runtime.crash_points import crash_point
from sluice.runtime.postgres import savepoint
from sluice.streams.model import StreamEntry

_MESSAGE_BYTES = 65_536  # in one message to the server; by default a chunk would take hundreds

_SCREEN = """
SELECT number::int - 1, error.sql_error_code, error.message
FROM unnest(%s::text[]) WITH ORDINALITY AS suspect (metadata, number), pg_input_error_info(metadata, 'jsonb') AS error
WHERE error.sql_error_code IS NOT NULL"""


def copy_entries(open_cursor: cursor, leaf: str, entries: Sequence[StreamEntry]) -> list[DeadRow]:
    """Copies all records of ``entries`` into the partition ``leaf``; returns those that can never be stored."""
    alike: defaultdict[CopyForm, list[tuple[StreamEntry, bytes]]] = defaultdict(list)
    for entry in entries:
        form, content = rows.copied(entry)
        alike[form].append((entry, content))
    return [row for form, group in alike.items() for row in _copy_alike(open_cursor, leaf, form, group)]


def _copy_alike(
    open_cursor: cursor, leaf: str, form: CopyForm, entries: Sequence[tuple[StreamEntry, bytes]]
) -> list[DeadRow]:
    """The same for entries whose rows have one form."""
    target = f"{leaf} ({', '.join(form.columns)})"
    contents = [content for _, content in entries]
    try:
        if form.is_binary:
            _copy(open_cursor, target, b"".join((HEADER, *contents, TRAILER)), "WITH (FORMAT binary)")
        else:
            _copy(open_cursor, target, b"".join(contents))
    except Poison:
        return _copy_what_can_be(open_cursor, target, [row for entry, _ in entries for row in rows.entry_rows(entry)])
    return []


def _copy_what_can_be(open_cursor: cursor, target: str, suspects: Sequence[Row]) -> list[DeadRow]:
    try:
        dead = _screen(open_cursor, suspects)
    except Poison:  # so bad that it cannot even be checked
        dead = []
    refused = {id(row.source) for row in dead}
    return dead + _bisect(open_cursor, target, [row for row in suspects if id(row) not in refused])


def _screen(open_cursor: cursor, suspects: Sequence[Row]) -> list[DeadRow]:
    """The rows whose metadata are no jsonb. Rows that are not even text are left to the bisection."""
    texts = [(row, row.metadata) for row in suspects]
    checked = [(row, text) for row, text in texts if text is not None]
    with savepoint(open_cursor):
        open_cursor.execute(_SCREEN, ([text for _, text in checked],))
        found = open_cursor.fetchall()
    return [DeadRow(checked[index][0], f"sqlstate_{state.lower()}", message) for index, state, message in found]


def _bisect(open_cursor: cursor, target: str, suspects: Sequence[Row]) -> list[DeadRow]:
    if not suspects:
        return []
    try:
        _copy(open_cursor, target, b"".join(row.text for row in suspects))
    except Poison as poison:
        if len(suspects) == 1:
            return [DeadRow(suspects[0], poison.code, poison.detail)]
        middle = len(suspects) // 2
        return _bisect(open_cursor, target, suspects[:middle]) + _bisect(open_cursor, target, suspects[middle:])
    return []


def _copy(open_cursor: cursor, target: str, content: bytes, options: str = "") -> None:
    with savepoint(open_cursor):
        open_cursor.copy_expert(f"COPY {target} FROM STDIN {options}", io.BytesIO(content), _MESSAGE_BYTES)
    if __debug__:
        crash_point("process_chunk.after_copy")
