"""Durations in constant memory: counts in buckets that are 1/128 of their value wide. Pure."""

from dataclasses import dataclass, field

_MANTISSA_BITS = 7
_PRECISION = 1 << _MANTISSA_BITS
_UNIT_SECONDS = 1e-6
_MAX_UNITS = 1 << 40  # 12 days
_BUCKETS = 2 * _PRECISION + (41 - _MANTISSA_BITS - 1) * _PRECISION


@dataclass
class Histogram:
    """Durations from 1 µs on. A percentile is at most 1 % above the true value, and never below it."""

    count: int = 0
    max_seconds: float = 0.0
    _buckets: list[int] = field(default_factory=lambda: [0] * _BUCKETS)

    def record(self, seconds: float) -> None:
        """Counts one duration."""
        units = min(max(int(seconds / _UNIT_SECONDS), 0), _MAX_UNITS)
        shift = max(units.bit_length() - _MANTISSA_BITS - 1, 0)
        self._buckets[(shift << _MANTISSA_BITS) + (units >> shift)] += 1
        self.count += 1
        self.max_seconds = max(self.max_seconds, seconds)

    def percentile(self, percent: float) -> float:
        """Seconds that this share of all durations did not exceed; 0 of none."""
        wanted = self.count * percent / 100
        seen = 0
        for index, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                return min(_highest(index), self.max_seconds)
        return self.max_seconds


def _highest(index: int) -> float:
    """The upper end of a bucket."""
    shift = max((index >> _MANTISSA_BITS) - 1, 0)
    return float((index - (shift << _MANTISSA_BITS) + 1) << shift) * _UNIT_SECONDS
