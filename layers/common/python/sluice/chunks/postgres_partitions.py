"""The day partitions that rows go to, and the event times that each holds."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date

from psycopg2.extensions import cursor

from sluice.streams.model import StreamEntry

_Day = tuple[int, date]  # retention class, day of receipt (UTC)

# Widening only where it is needed keeps parallel chunks of one application from queueing for one row.
_WIDEN_BOUNDS = """
INSERT INTO event_time_bounds (retention_class, day, application_id, event_from, event_until)
SELECT class, day, application_id, date_trunc('hour', event_from), date_trunc('hour', event_to) + interval '1 hour'
FROM unnest(%s::smallint[], %s::date[], %s::int[], %s::timestamptz[], %s::timestamptz[])
     AS seen (class, day, application_id, event_from, event_to)
WHERE NOT EXISTS (SELECT FROM event_time_bounds AS known
                  WHERE known.application_id = seen.application_id AND known.retention_class = class
                    AND known.day = seen.day AND known.event_from <= seen.event_from
                    AND known.event_until > seen.event_to)
ON CONFLICT (application_id, retention_class, day) DO UPDATE
SET event_from = least(event_time_bounds.event_from, excluded.event_from),
    event_until = greatest(event_time_bounds.event_until, excluded.event_until)"""


class Partitions:
    """Finds and creates partitions; remembers those it has seen."""

    def __init__(self) -> None:
        self._names: dict[_Day, str] = {}

    def lack(self, entries: Iterable[StreamEntry]) -> bool:
        """Whether ``ensure`` has not yet seen all partitions of ``entries``."""
        return any(_day_of(entry) not in self._names for entry in entries)

    def ensure(self, open_cursor: cursor, entries: Iterable[StreamEntry]) -> None:
        """Creates the partitions of ``entries`` that are missing; who creates one locks the others out until COMMIT."""
        for day in {_day_of(entry) for entry in entries} - self._names.keys():
            open_cursor.execute("SELECT ensure_partition(%s::smallint, %s)", day)
            (self._names[day],) = open_cursor.fetchone() or ("",)

    def forget(self) -> None:
        """Makes ``ensure`` look again: a day that was seen may have left the log table."""
        self._names.clear()

    def group(self, entries: Iterable[StreamEntry]) -> dict[str, list[StreamEntry]]:
        """Entries by the name of their partition, which ``ensure`` has seen."""
        groups: defaultdict[str, list[StreamEntry]] = defaultdict(list)
        for entry in entries:
            groups[self._names[_day_of(entry)]].append(entry)
        return groups


def widen_bounds(open_cursor: cursor, entries: Sequence[StreamEntry]) -> None:
    """Makes the event time bounds of the entries' days and applications include them."""
    groups: defaultdict[tuple[int, date, int], list[StreamEntry]] = defaultdict(list)
    for entry in entries:
        groups[*_day_of(entry), entry.application_id].append(entry)
    keys = sorted(groups)
    open_cursor.execute(
        _WIDEN_BOUNDS,
        (
            *map(list, zip(*keys, strict=True)),
            [min(entry.event_from for entry in groups[key]) for key in keys],
            [max(entry.event_to for entry in groups[key]) for key in keys],
        ),
    )


def _day_of(entry: StreamEntry) -> _Day:
    return entry.retention_class, entry.received_at.astimezone(UTC).date()
