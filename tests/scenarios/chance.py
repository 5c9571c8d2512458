"""Numbers drawn by chance, and how surprising they are."""

import math
import random
from collections.abc import Iterator


def poisson(chance: random.Random, mean: float) -> int:
    """By multiplying what is left of 1 (Knuth); by a normal approximation where that would take long."""
    if mean > 30:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    count, product, limit = 0, chance.random(), math.exp(-mean)
    while product > limit:
        count += 1
        product *= chance.random()
    return count


def log_uniform(chance: random.Random, least: float, most: float) -> float:
    """Between both, each order of magnitude as likely as the next."""
    return math.exp(chance.uniform(math.log(least), math.log(most)))


def wander(chance: random.Random, scatter: float, kept: float = 0.85) -> Iterator[float]:
    """Factors around 1 that resemble the one before: good and bad times come in rows."""
    state, fresh = chance.gauss(0, scatter), scatter * math.sqrt(1 - kept * kept)
    while True:
        yield math.exp(state - scatter * scatter / 2)
        state = kept * state + chance.gauss(0, fresh)


def surprise(count: float, mean: float, scatter: float) -> float:
    """About -ln of the probability of a count at least as far from the mean (Chernoff's bound); ``scatter`` is what
    comes on top of Poisson's, relative to the mean."""
    if mean <= 0:
        return 5 * count
    beyond = count * math.log(count / mean) - count + mean if count else mean
    return beyond / (1 + scatter * scatter * mean)


def thinned(chance: random.Random, count: int, share: float) -> int:
    """How many of them, if each is one with this probability; the binomial distribution, nearly."""
    if share >= 1 or not count:
        return count
    if share > 0.5:
        return count - thinned(chance, count, 1 - share)
    return min(count, poisson(chance, count * share))
