"""How surprising a count is: minus the natural logarithm of a tail's probability.

Counts scatter as the negative binomial distribution does, given by mean and variance; as Poisson's where the variance
is no larger than the mean. Small counts are summed exactly. Large ones take Wilson and Hilferty's cube root, which
turns a gamma distribution of that mean and variance into a normal one (PNAS 17, 1931).
"""

import math

_EXACT_UP_TO = 300  # of a mean; sums of more terms gain nothing
_WIDEST = 50.0  # variance per mean, up to which a sum converges soon
_NEGLIGIBLE = 1e-6  # of a sum's first term
_FAR = 5.0  # standard deviations, from which the tail's expansion is exact enough
_OVERDISPERSED = 1.001  # variance per mean


def surprise_above(count: float, mean: float, variance: float) -> float:
    """-ln P(X >= count), at least 0. ``mean`` and ``variance`` are positive."""
    if count <= 0:
        return 0.0
    if mean > _EXACT_UP_TO or variance > _WIDEST * mean:
        return normal_surprise(deviation(count, mean, variance))
    overdispersion = _Overdispersion.of(mean, variance)
    place = math.ceil(count)
    term = total = 1.0
    while term > _NEGLIGIBLE * total:
        term *= overdispersion.ratio(place)
        place += 1
        total += term
    return max(0.0, -overdispersion.log_probability(math.ceil(count)) - math.log(total))


def surprise_below(count: float, mean: float, variance: float) -> float:
    """-ln P(X <= count), at least 0. ``mean`` and ``variance`` are positive."""
    if mean > _EXACT_UP_TO or variance > _WIDEST * mean:
        return normal_surprise(-deviation(count, mean, variance))
    overdispersion = _Overdispersion.of(mean, variance)
    place = math.floor(max(count, 0.0))
    term = total = 1.0
    while place > 0 and term > _NEGLIGIBLE * total:
        place -= 1
        term /= overdispersion.ratio(place)
        total += term
    return max(0.0, -overdispersion.log_probability(math.floor(max(count, 0.0))) - math.log(total))


def deviation(count: float, mean: float, variance: float) -> float:
    """Standard deviations of a normal distribution that are as far in the tail as the count, half a count nearer."""
    shape = mean * mean / variance
    nearer = count + 0.5 if count < mean else max(count - 0.5, mean)
    return (math.cbrt(max(nearer, 0.0) / mean) - 1 + 1 / (9 * shape)) * 3 * math.sqrt(shape)


def normal_surprise(deviations: float) -> float:
    """-ln P(Z >= deviations) for a standard normal Z, and 0 below its mean."""
    if deviations <= 0:
        return 0.0
    if deviations < _FAR:
        return -math.log(0.5 * math.erfc(deviations / math.sqrt(2)))
    return deviations * deviations / 2 + math.log(deviations * math.sqrt(2 * math.pi)) + 1 / (deviations * deviations)


class _Overdispersion:
    """A negative binomial distribution of ``size``, or Poisson's where size is infinite."""

    __slots__ = ("_mean", "_share", "_size")

    def __init__(self, mean: float, size: float) -> None:
        self._mean = mean
        self._size = size
        self._share = mean / (size + mean) if math.isfinite(size) else 0.0

    @classmethod
    def of(cls, mean: float, variance: float) -> "_Overdispersion":
        return cls(mean, mean * mean / (variance - mean) if variance > _OVERDISPERSED * mean else math.inf)

    def ratio(self, count: int) -> float:
        """P(X = count + 1) / P(X = count)."""
        if self._share:
            return (count + self._size) / (count + 1) * self._share
        return self._mean / (count + 1)

    def log_probability(self, count: int) -> float:
        if not self._share:
            return count * math.log(self._mean) - self._mean - math.lgamma(count + 1)
        size, share = self._size, self._share
        ways = math.lgamma(count + size) - math.lgamma(count + 1) - math.lgamma(size)
        return ways + size * math.log1p(-share) + count * math.log(share)
