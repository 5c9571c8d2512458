"""Tail probabilities against sums of the textbook's formulas."""

import math

import pytest

from sluice.anomalies.tails import deviation, normal_surprise, surprise_above, surprise_below


def negative_binomial(mean: float, variance: float, count: int) -> float:
    size = mean * mean / (variance - mean)
    ways = math.lgamma(count + size) - math.lgamma(count + 1) - math.lgamma(size)
    return math.exp(ways + size * math.log(size / (size + mean)) + count * math.log(mean / (size + mean)))


def poisson(mean: float, count: int) -> float:
    return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))


@pytest.mark.parametrize("mean", [0.05, 1.0, 30.0, 250.0])
@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 2.0, 3.5])
def test_small_counts_are_exact(mean: float, factor: float) -> None:
    count = round(mean * factor)
    for variance, probability in (
        (mean + mean * mean / 5, lambda k: negative_binomial(mean, mean + mean * mean / 5, k)),
        (mean, lambda k: poisson(mean, k)),
    ):
        if variance > 40 * mean:
            continue
        above = sum(map(probability, range(count, count + 6_000)))
        below = sum(map(probability, range(count + 1)))
        assert surprise_above(count, mean, variance) == pytest.approx(max(0, -math.log(above)), rel=1e-3, abs=1e-5)
        assert surprise_below(count, mean, variance) == pytest.approx(max(0, -math.log(below)), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("count", [1_000, 1_100, 1_600, 2_500])
def test_large_counts_are_nearly_so(count: int) -> None:
    mean, variance = 1_000.0, 31_000.0
    exact = -math.log(sum(negative_binomial(mean, variance, k) for k in range(count, 20_000)))
    assert surprise_above(count, mean, variance) == pytest.approx(exact, rel=0.03, abs=0.03)


def test_the_normal_tail_has_no_step_where_the_method_changes() -> None:
    assert normal_surprise(4.999999) == pytest.approx(normal_surprise(5.000001), rel=2e-3)
    assert normal_surprise(0) == normal_surprise(-3) == 0
    assert normal_surprise(40) == pytest.approx(804.6, abs=0.1)


def test_deviations_are_those_of_a_normal_distribution_where_counts_are_large() -> None:
    assert deviation(1_000_000, 1_000_000, 1e6) == pytest.approx(0, abs=0.01)
    assert deviation(1_003_000, 1_000_000, 1e6) == pytest.approx(3, abs=0.02)
    assert deviation(997_000, 1_000_000, 1e6) == pytest.approx(-3, abs=0.02)
