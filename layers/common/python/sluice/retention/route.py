"""Which class each record of an entry is kept in."""

import io
from collections.abc import Mapping
from dataclasses import replace

from sluice.streams.model import StreamEntry

_LEVEL_DIGITS = 2  # more are nobody's, and of thousands int() makes no number

type Classes = Mapping[int, int]  # retention class by level; a level that is missing is in the entry's own


def portions(entry: StreamEntry, classes: Classes) -> list[StreamEntry]:
    """The entry itself, or entries of the same batch and part that have its records, each in order and in one class
    alone. A record that cannot be read is in the entry's own class: all of those are in one portion."""
    if not classes:
        return [entry]
    lines = io.BytesIO(entry.lines).readlines()
    numbers: dict[int, list[int]] = {}
    for number, line in enumerate(lines):
        numbers.setdefault(_class_of(line, entry.retention_class, classes), []).append(number)
    if numbers.keys() <= {entry.retention_class}:
        return [entry]
    is_clustered = len(entry.clusters) == len(lines)
    return [
        replace(
            entry,
            retention_class=retention_class,
            record_count=len(chosen),
            records=b"".join([lines[number] for number in chosen]),
            clusters=[entry.clusters[number] for number in chosen] if is_clustered else (),
        )
        for retention_class, chosen in numbers.items()
    ]


def _class_of(line: bytes, own: int, classes: Classes) -> int:
    """By the line's level, which is its third field."""
    position, _, level, *_ = *line.split(b"\t", 3), b"", b"", b""
    is_read = position.isdigit() and level.isdigit() and len(level) <= _LEVEL_DIGITS
    return classes.get(int(level), own) if is_read else own
