"""Where windows end, and sums over them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from sluice.search.counts import ORIGIN

MINUTE = timedelta(minutes=1)


def last_end(moment: datetime, step: timedelta) -> datetime:
    """The last end of a window that is not after ``moment``."""
    return ORIGIN + (moment - ORIGIN) // step * step


def ends(after: datetime, until: datetime, step: timedelta) -> list[datetime]:
    """The ends of windows after ``after``, up to ``until``."""
    first = last_end(after, step) + step
    return [first + number * step for number in range(max(0, (until - first) // step + 1))]


def sums(counts: Mapping[datetime, int], points: Sequence[datetime], window: timedelta, step: timedelta) -> list[int]:
    """The counts in the windows that end at ``points``, which follow each other in steps. ``counts`` are by the
    beginning of each step."""
    if not points:
        return []
    size = window // step
    first = points[0] - window
    totals = [0, *accumulate(counts.get(first + number * step, 0) for number in range(size + len(points) - 1))]
    return [totals[number + size] - totals[number] for number in range(len(points))]


def touched_ends(
    minutes: Iterable[datetime], window: timedelta, step: timedelta, after: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    """First and last end of the windows in which any of ``minutes`` lies, by stretches in order of time, of those that
    end after ``after`` and up to ``until``."""
    stretches: list[tuple[datetime, datetime]] = []
    for minute in sorted(set(minutes)):
        first = max(last_end(minute, step) + step, last_end(after, step) + step)
        last = last_end(min(minute + MINUTE + window - timedelta(microseconds=1), until), step)
        if first > last:
            continue
        if stretches and first <= stretches[-1][1] + step:
            stretches[-1] = stretches[-1][0], max(last, stretches[-1][1])
        else:
            stretches.append((first, last))
    return stretches
