"""Trailing windows of several lengths, each tested as one sum: short ones see spikes, long ones moderate changes."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from sluice.anomalies.tails import deviation, surprise_above, surprise_below

WINDOWS = (1, 2, 3, 4, 6, 8, 12, 18, 24, 36)  # buckets
_LONGEST = WINDOWS[-1]
_WORTH_A_SUM = 2.5  # standard deviations, below which a window cannot stand out
_RARE = 2.0  # expected events, below which standard deviations say little
_LEAST = 1e-9  # of what is expected, and of its variance, where rounding leaves less
_OUTLIER = 9.0  # squared standard deviations that a window may teach
_PRIOR_WEIGHT = 50.0  # windows that spoke for independent buckets before the first


class Finding(NamedTuple):
    """The window that stands out most: ``surprise`` is -ln of its probability."""

    surprise: float
    buckets: int
    observed: float
    expected: float


NOTHING = Finding(0.0, 1, 0.0, 0.0)


@dataclass(slots=True)
class Scan:
    """Keeps running sums of the last buckets, and for each length how much wider its sums scatter than those of
    independent buckets would: in real traffic good and bad minutes come in rows."""

    sums: list[list[float]] = field(default_factory=lambda: [[0.0, 0.0, 0.0]])  # counts, expected, variance
    scatter: list[list[float]] = field(default_factory=lambda: [[0.0, 0.0] for _ in WINDOWS])  # squares, weight

    def add(self, count: float, expected: float, variance: float) -> None:
        last = self.sums[-1]
        self.sums.append([last[0] + count, last[1] + expected, last[2] + variance])
        if len(self.sums) > 2 * _LONGEST:
            first = self.sums[-_LONGEST - 1]
            self.sums = [[x - y for x, y in zip(each, first, strict=True)] for each in self.sums[-_LONGEST - 1 :]]

    def peek(self, count: float, expected: float, variance: float, doubt: float) -> Finding:
        """What ``find`` would say after this bucket."""
        sums = self.sums
        last = sums[-1]
        self.sums = [*sums, [last[0] + count, last[1] + expected, last[2] + variance]]
        finding = self.find(doubt)
        self.sums = sums
        return finding

    def restart(self) -> None:
        """Forgets the buckets, so that no window reaches back into an incident."""
        self.sums = [[0.0, 0.0, 0.0]]

    def find(self, doubt: float) -> Finding:
        """The most surprising window. ``doubt`` is the relative variance of the expected rate itself."""
        best = NOTHING
        for place, (buckets, observed, expected, variance) in enumerate(self._windows()):
            squares, weight = self.scatter[place]
            wider = max(1.0, (squares + _PRIOR_WEIGHT) / (weight + _PRIOR_WEIGHT))
            scatter = max(variance * wider + doubt * expected * expected, expected)
            is_above = observed > expected
            if abs(deviation(observed, expected, scatter)) > _WORTH_A_SUM or (is_above and expected < _RARE):
                surprise = (surprise_above if is_above else surprise_below)(observed, expected, scatter)
                if surprise > best.surprise:
                    best = Finding(surprise, buckets, observed, expected)
        return best

    def learn(self, memory: float) -> None:
        """How the windows that end here scatter; ``memory`` is a number of buckets."""
        for place, (_, observed, expected, variance) in enumerate(self._windows()):
            squares, weight = self.scatter[place]
            squares += min((observed - expected) ** 2 / variance, _OUTLIER)
            weight += 1
            kept = min(1.0, memory / weight)
            self.scatter[place] = [squares * kept, weight * kept]

    def to_state(self) -> dict[str, Any]:
        return {"sums": list(map(list, self.sums)), "scatter": list(map(list, self.scatter))}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        return cls(list(map(list, state["sums"])), list(map(list, state["scatter"])))

    def _windows(self) -> list[tuple[int, float, float, float]]:
        last, seen = self.sums[-1], len(self.sums)
        starts = ((buckets, self.sums[-1 - buckets]) for buckets in WINDOWS if buckets < seen)
        return [
            (buckets, last[0] - start[0], max(last[1] - start[1], _LEAST), max(last[2] - start[2], _LEAST))
            for buckets, start in starts
        ]
