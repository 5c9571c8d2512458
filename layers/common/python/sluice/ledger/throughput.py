"""How much was settled in each minute of the last hour."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTES = 60


@dataclass(frozen=True, slots=True)
class Settled:
    """Record counts of one minute, by when their entries were settled."""

    stored: int = 0
    duplicate: int = 0
    dead_lettered: int = 0

    def __add__(self, other: "Settled") -> "Settled":
        return Settled(
            self.stored + other.stored,
            self.duplicate + other.duplicate,
            self.dead_lettered + other.dead_lettered,
        )


@dataclass(frozen=True, slots=True)
class Throughput:
    """``minutes`` by their beginning, oldest first, without gaps; the last one is not over. ``is_cut``: there was more
    than could be read, so the minutes before are missing."""

    minutes: Mapping[datetime, Settled]
    is_cut: bool


def first_minute(now: datetime) -> datetime:
    """The beginning of the first of the minutes."""
    return now.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)


def without_gaps(found: Mapping[datetime, Settled], now: datetime, cut_at: datetime | None) -> Throughput:
    """Every minute up to ``now``; if nothing before ``cut_at`` was read, those that begin after it."""
    minute = first_minute(now)
    if cut_at is not None:
        minute = max(minute, cut_at.replace(second=0, microsecond=0) + timedelta(minutes=1))
    minutes = {}
    while minute <= now:
        minutes[minute] = found.get(minute, Settled())
        minute += timedelta(minutes=1)
    return Throughput(minutes, is_cut=cut_at is not None)
