"""Versions of services, as their logs name them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import accumulate

_HOUR = timedelta(hours=1)
_STRAY = 1_000  # one in so many logs may come with a clock that is wrong


@dataclass(frozen=True)
class Release:
    """A version of a service, and its ``hours``: logs by hour of the event, at least one."""

    release_id: int  # those that were stored first have lower ones
    service: str  # empty for logs that name none
    version: str
    hours: Mapping[datetime, int]

    @cached_property
    def logs(self) -> int:
        """How many there are."""
        return sum(self.hours.values())

    @cached_property
    def first(self) -> datetime:
        """The hour in which it began to log. Stray clocks are left out, here and below: they would make it older, and
        so another release's predecessor."""
        return self._beyond_strays(reverse=False)

    @cached_property
    def until(self) -> datetime:
        """The end of the hour in which it logged last."""
        return self._beyond_strays(reverse=True) + _HOUR

    @property
    def age(self) -> tuple[datetime, int]:
        """Sorts the releases of a service, the oldest first."""
        return self.first, self.release_id

    def _beyond_strays(self, *, reverse: bool) -> datetime:
        hours = sorted(self.hours, reverse=reverse)
        totals = accumulate(self.hours[hour] for hour in hours)
        return next(hour for hour, total in zip(hours, totals, strict=True) if total > self.logs // _STRAY)


@dataclass(frozen=True, slots=True)
class Counted:
    """Logs of one template, or else of one key, on both sides of a comparison."""

    template_id: int  # 0: look for the key
    template_key: int
    before: int  # since the comparison's beginning
    alike: int  # of these, at the hours of the day in which there are logs after
    ever: int  # by what came before, at any time
    after: int
    first_after: datetime | None  # the hour
    last_before: datetime | None
