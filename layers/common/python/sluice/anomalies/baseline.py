"""What a rate should be at a time: level x time of day x day of the week, learnt from one bucket after the other.

Time of day is a profile of half-hours, day of the week seven factors from a ridge regression of the days' totals, with
a trend. Both are shrunk towards 1 by what chance alone explains, so that a rare event's baseline is flat until it has
been seen often. The level follows slowly.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

SLOTS = 48  # of a day
_DAY_SECONDS = 86_400
_MAX_DAYS = 35
_DAYS_FOR_WEEK = 8  # totals of days, before a weekday is told from another
_LEVEL_DAYS = 2.0  # time constants of the level,
_SPREAD_DAYS = 7.0  # the scatter
_PROFILE_DAYS = 21.0  # and the profile
_LEAST_EVENTS = 8.0  # this many events speak as loud for a slot's own rate as the flat profile does
_WEEKDAY_VARIANCE = 0.1  # prior variance of a weekday's logarithm
_TREND_UNIT_DAYS = 14.0
_CLIPPED_AT = 3.0  # standard deviations of a bucket that may be learnt
_FORGOTTEN = 0.8  # of the profile, when the level shifts: what made the shift has a rhythm of its own
_FULL_DAY = 0.9  # share of its buckets that makes a day's total
_LOWEST_RATE = 1e-4
_LOWEST_FACTOR = 1e-3


@dataclass(slots=True)
class Baseline:
    """``buckets_per_day`` is a bucket's share of a day, inverted. All else is learnt; ``to_state`` is JSON-able."""

    buckets_per_day: float
    profile: list[float] = field(default_factory=lambda: [1.0] * SLOTS)
    weekdays: list[float] = field(default_factory=lambda: [1.0] * 7)
    slot_counts: list[float] = field(default_factory=lambda: [0.0] * SLOTS)
    slot_exposures: list[float] = field(default_factory=lambda: [0.0] * SLOTS)
    days: list[list[float]] = field(default_factory=list)  # weekday, logarithm of the mean rate
    day: int = 0  # ordinal of the day that is being added up
    day_count: float = 0.0
    day_buckets: int = 0
    level_count: float = 0.0
    level_exposure: float = 0.0
    excess: float = 0.0  # squared residuals beyond Poisson's, and what they are in proportion to
    excess_exposure: float = 0.0

    @property
    def level(self) -> float:
        """Events per bucket, of an average time."""
        return self.level_count / self.level_exposure if self.level_exposure else 0.0

    @property
    def dispersion(self) -> float:
        """Variance beyond Poisson's in units of the squared mean; 1 / shape of the negative binomial distribution."""
        return max(0.0, (self.excess + 0.1) / (self.excess_exposure + 1))

    def begin(self, bucket: datetime) -> None:
        """Closes the days before this bucket's."""
        day = bucket.toordinal()
        if day == self.day:
            return
        if self.day_buckets >= _FULL_DAY * self.buckets_per_day:
            # The day's weekday: ordinal 1 was a Monday.
            rate = math.log((self.day_count + 1) / self.day_buckets)
            self.days = [*self.days[1 - _MAX_DAYS :], [(self.day - 1) % 7, rate]]
        if self.day_buckets:
            self._learn_rhythm()
        self.day, self.day_count, self.day_buckets = day, 0.0, 0

    def factor(self, bucket: datetime) -> float:
        """This time's rate in units of the level."""
        seconds = bucket.hour * 3600 + bucket.minute * 60 + bucket.second
        place = seconds / _DAY_SECONDS * SLOTS - 0.5
        slot = math.floor(place)
        share = place - slot
        rate = self.profile[slot % SLOTS] * (1 - share) + self.profile[(slot + 1) % SLOTS] * share
        return rate * self.weekdays[bucket.weekday()]

    def expected(self, factor: float) -> float:
        """Events of a bucket at a time of this factor; positive."""
        return max(self.level * factor, _LOWEST_RATE)

    def variance(self, expected: float) -> float:
        """Of independent buckets."""
        return expected + self.dispersion * expected * expected

    def learn(
        self, bucket: datetime, count: float, factor: float, *, is_clipped: bool, is_spread_clipped: bool = True
    ) -> None:
        """``is_clipped`` lets a bucket count only up to what chance allows, ``is_spread_clipped`` likewise where the
        scatter is learnt."""
        expected = self.expected(factor)
        variance = self.variance(expected)
        residual = count - expected
        if self.level_exposure >= 100:
            most = 16 * variance if is_spread_clipped else math.inf
            self._learn_spread(expected, min(residual * residual, most))
        if is_clipped:
            widest = _CLIPPED_AT * math.sqrt(variance)
            count = expected + min(max(residual, -widest), widest + 1)
        slot = (bucket.hour * 2 + bucket.minute // 30) % SLOTS
        self.slot_counts[slot] += count
        self.slot_exposures[slot] += self.level * self.weekdays[bucket.weekday()]
        self.level_count += count
        self.level_exposure += factor
        kept = min(1.0, _LEVEL_DAYS * self.buckets_per_day / self.level_exposure)
        self.level_count *= kept
        self.level_exposure *= kept

    def add_up(self, count: float) -> None:
        """Towards the day's total; an incident's buckets count as what was expected."""
        self.day_count += count
        self.day_buckets += 1

    def shift(self, level: float) -> None:
        """Another level from now on, as if half a day had been seen of it."""
        if self.level > 0 < level:
            moved = math.log(level / self.level)
            self.days = [[weekday, rate + moved] for weekday, rate in self.days]
            self.day_count *= level / self.level
        self.level_exposure = self.buckets_per_day / 2
        self.level_count = level * self.level_exposure
        self.slot_counts = [count * (1 - _FORGOTTEN) for count in self.slot_counts]
        self.slot_exposures = [exposure * (1 - _FORGOTTEN) for exposure in self.slot_exposures]

    def to_state(self) -> dict[str, Any]:
        return {name: _copied(getattr(self, name)) for name in self.__slots__}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        return cls(**{name: _copied(value) for name, value in state.items()})

    def _learn_spread(self, expected: float, squared: float) -> None:
        kept = 1 - 1 / (_SPREAD_DAYS * self.buckets_per_day)
        self.excess = (self.excess + squared - expected) * kept
        self.excess_exposure = (self.excess_exposure + expected * expected) * kept

    def _learn_rhythm(self) -> None:
        """Profile and weekdays anew, once a day."""
        level = max(self.level, _LOWEST_FACTOR)
        clumping = 1 + self.dispersion * level  # variance per mean
        prior = _LEAST_EVENTS * clumping
        counts, exposures = _smoothed(self.slot_counts), _smoothed(self.slot_exposures)
        rates = [(count + prior) / (exposure + prior) for count, exposure in zip(counts, exposures, strict=True)]
        mean = sum(rates) / SLOTS
        if mean > 0:
            self.profile = [max(rate / mean, _LOWEST_FACTOR) for rate in rates]
        kept = math.exp(-1 / _PROFILE_DAYS)
        self.slot_counts = [count * kept for count in self.slot_counts]
        self.slot_exposures = [exposure * kept for exposure in self.slot_exposures]
        if len(self.days) >= _DAYS_FOR_WEEK:
            noise = clumping / max(level * self.buckets_per_day, _LOWEST_FACTOR) + 0.0004
            self.weekdays = _weekday_factors(self.days, noise)


def _copied(value: Any) -> Any:
    """What shares no list with it; deepcopy takes ten times as long."""
    return list(map(_copied, value)) if isinstance(value, list) else value


def _smoothed(values: list[float]) -> list[float]:
    """Each with half of both its neighbours, around the clock."""
    return [values[i - 1] / 2 + values[i] + values[(i + 1) % len(values)] / 2 for i in range(len(values))]


def _weekday_factors(days: list[list[float]], noise: float) -> list[float]:
    """Ridge regression of the logarithms of rates on a trend and the day of the week."""
    size = 9  # constant, trend, weekdays
    system = [[0.0] * (size + 1) for _ in range(size)]
    for age, (weekday, rate) in enumerate(reversed(days)):
        row = {0: 1.0, 1: -age / _TREND_UNIT_DAYS, 2 + int(weekday): 1.0}
        for i, value in row.items():
            for j, other in row.items():
                system[i][j] += value * other
            system[i][size] += value * rate
    for i in range(size):
        system[i][i] += noise / _WEEKDAY_VARIANCE if i else 1e-9
    return [math.exp(min(max(effect, -7.0), 7.0)) for effect in _solve(system)[2:]]


def _solve(system: list[list[float]]) -> list[float]:
    """Gauss and Jordan, for a positive definite matrix with its right side as the last column."""
    size = len(system)
    for i in range(size):
        pivot = system[i][i]
        system[i] = [value / pivot for value in system[i]]
        for k in range(size):
            if k != i and (multiple := system[k][i]):
                system[k] = [value - multiple * other for value, other in zip(system[k], system[i], strict=True)]
    return [row[size] for row in system]
