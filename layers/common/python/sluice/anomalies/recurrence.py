"""Spikes that come again and again, and so are no news: of jobs, of deployments."""

from copy import deepcopy
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

_MEMORY = timedelta(days=36)  # five weeks, for what comes each week
_ENOUGH = 2  # other days with such spikes
_LARGER = 1.5  # than those before, up to which a spike is one of them
_LASTS = timedelta(hours=2)  # at most; then the next bucket is another spike
_EARLIER = timedelta(hours=1)  # than on other days, at this time of the day nevertheless
_OTHER_DAY = timedelta(hours=18)
_DAY = timedelta(days=1)
_MOST = 100


@dataclass(slots=True)
class Recurrence:
    """Of one rate. What it remembers is bounded and JSON-able."""

    spikes: list[list[float]] = field(default_factory=list)  # seconds since 1970 of the first bucket, the largest count

    def remember(self, bucket: datetime, count: float) -> None:
        """A bucket of a spike; buckets come in order."""
        at = bucket.timestamp()
        if self.spikes and at - self.spikes[-1][0] < _LASTS.total_seconds():
            self.spikes[-1][1] = max(count, self.spikes[-1][1])
        else:
            first = at - _MEMORY.total_seconds()
            self.spikes = [*(spike for spike in self.spikes[1 - _MOST :] if spike[0] >= first), [at, count]]

    def expects(self, bucket: datetime, count: float, *, is_minor: bool) -> bool:
        """Whether about as many came at this time of the day: on two other days, or on this day of the week. Where a
        spike ``is_minor``, once at any time is enough."""
        now = bucket.timestamp()
        ago = [timedelta(seconds=now - at) for at, largest in self.spikes if count <= _LARGER * largest]
        others = [each for each in ago if _OTHER_DAY <= each <= _MEMORY]
        days = {round(each / _DAY) for each in others if (each + _EARLIER) % _DAY <= _EARLIER + _LASTS}
        return len(days) >= _ENOUGH or any(day % 7 == 0 for day in days) or (is_minor and bool(others))

    def to_state(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        return cls(**deepcopy(state))
