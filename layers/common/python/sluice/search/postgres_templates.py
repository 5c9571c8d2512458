"""When logs of templates happened, from the census: it counts each stored log that has a template or may get one."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

MAX_RUNS = 50
_MINUTE = timedelta(minutes=1)

# The minutes behind the widest gaps, and the first minute, each with the minute before its gap and the last of all.
_RUNS = f"""
WITH family AS (
    SELECT array_agg(member) AS ids FROM unnest(%s::int[]) AS wanted, unnest(template_family(wanted)) AS member
), known AS (
    SELECT event_minute FROM template_counts WHERE application_id = ANY (%s) AND template_key = 0
        AND template_id = ANY ((SELECT ids FROM family)::int[])
    UNION
    SELECT event_minute FROM template_counts WHERE application_id = ANY (%s) AND template_id = 0
        AND template_key IN (
            SELECT template_key FROM template_keys WHERE template_id = ANY ((SELECT ids FROM family)::int[]))
), minutes AS (
    SELECT event_minute, lag(event_minute) OVER (ORDER BY event_minute) AS before, max(event_minute) OVER () AS last
    FROM known WHERE event_minute > %s::timestamptz - interval '1 minute' AND event_minute < %s::timestamptz
)
SELECT before, event_minute, last FROM minutes WHERE before IS NULL OR event_minute - before > interval '1 minute'
ORDER BY event_minute - before DESC NULLS FIRST LIMIT {MAX_RUNS}"""

type Runs = list[tuple[datetime, datetime | None]]  # from, up to but without; None: up to the end of time


def template_runs(
    execute: Callable[[str, Sequence[Any]], list[Any]],
    templates: Collection[int],
    application_ids: Collection[int],
    times: tuple[datetime | None, datetime | None],
) -> Runs:
    """Few stretches of event time, in order, that hold all logs of these templates between two ``times``."""
    since, until = times
    ids = list(application_ids)
    bounds = since or "-infinity", until or "infinity"
    rows = sorted(execute(_RUNS, [list(templates), ids, ids, *bounds]), key=lambda row: row[1])
    ends = [*(before for before, _, _ in rows[1:]), *(last for _, _, last in rows[:1])]
    return [(start, _end(last)) for (_, start, _), last in zip(rows, ends, strict=True)]


def _end(minute: datetime) -> datetime | None:
    try:
        return minute + _MINUTE
    except OverflowError:
        return None
