"""When logs of templates happened, from the census: it counts each stored log that has a template or may get one."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

MAX_RUNS = 50

# The times behind the widest gaps, and the first one, each with the end of what is before its gap and the end of all.
_RUNS = f"""
WITH family AS (
    SELECT array_agg(member) AS ids FROM unnest(%s::int[]) AS wanted, unnest(template_family(wanted)) AS member
), known AS (
    SELECT event_from, span FROM template_census WHERE application_id = ANY (%s) AND template_key = 0
        AND template_id = ANY ((SELECT ids FROM family)::int[])
    UNION
    SELECT event_from, span FROM template_census WHERE application_id = ANY (%s) AND template_id = 0
        AND template_key IN (
            SELECT template_key FROM template_keys WHERE template_id = ANY ((SELECT ids FROM family)::int[]))
), times AS (
    SELECT event_from, max(event_from + span) OVER () AS last,
           max(event_from + span) OVER (ORDER BY event_from ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM known WHERE event_from > %s::timestamptz - interval '1 day' AND event_from + span > %s::timestamptz
                 AND event_from < %s::timestamptz
)
SELECT before, event_from, CASE WHEN last < '9999-12-31Z' THEN last END FROM times
WHERE before IS NULL OR event_from > before
ORDER BY event_from - before DESC NULLS FIRST LIMIT {MAX_RUNS}"""

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
    bounds = since or "-infinity", since or "-infinity", until or "infinity"
    rows = sorted(execute(_RUNS, [list(templates), ids, ids, *bounds]), key=lambda row: row[1])
    ends = [*(before for before, _, _ in rows[1:]), *(last for _, _, last in rows[:1])]
    return [(start, end) for (_, start, _), end in zip(rows, ends, strict=True)]
