"""Contenders measured in turn, so that what disturbs the machine disturbs all of them. Pure."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from benchmarks.figures import Measured

type Rates = Mapping[str, Sequence[float]]


def interleave(rounds: int, contenders: Mapping[str, Callable[[int], float]]) -> dict[str, list[float]]:
    """What each contender (called with the number of the round) answers in each round; every other round the other way
    round, so that nobody always follows the same neighbour."""
    answers: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        names = list(contenders) if number % 2 == 0 else list(contenders)[::-1]
        for name in names:
            answers[name].append(contenders[name](number))
    return answers


def ratio(rates: Rates, ours: str, theirs: str) -> Measured:
    """The median of the rounds' ratios, and the median rates (per second) behind it."""
    value = median(our / their for our, their in zip(rates[ours], rates[theirs], strict=True))
    return Measured(value, f"{median(rates[ours]):,.0f}/s against {median(rates[theirs]):,.0f}/s")
