"""Values and short sequences of values that were never seen before, for series that are no counts or scatter like none.

The idea is that of lag-vector detectors (KNN-CAD, Burnaev and Ishimtsev 2016) and of adaptive resonance (ART): a
vocabulary of patterns, and the distance of what comes to its nearest word, in units of the range of values so far.
"""

import math
from bisect import bisect_left, insort
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from operator import sub
from typing import Any, Self

_SEQUENCE = 3  # values
_NEW_VALUE = 0.035  # of the range
_NEW_SEQUENCE = 0.135  # mean distance per value, of the range
_SAME = 0.1  # of these, up to which two patterns are one
_MAX_VALUES, _MAX_SEQUENCES = 512, 1024

type _Word = list[float]  # mean, when it was last met, values


@dataclass(slots=True)
class Patterns:
    """Both vocabularies are bounded: the word that was not met for longest goes first."""

    values: list[_Word] = field(default_factory=list)
    sequences: list[_Word] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)
    time: int = 0

    def novelty(self, value: float) -> float:
        """How new the value and the sequence that it ends are; 1 is new. Learns both."""
        self.time += 1
        self.recent = [*self.recent[1 - 2 * _SEQUENCE :], value]
        width = self.values[-1][0] - self.values[0][0] if self.values else math.inf
        strength = 0.0
        if math.isfinite(width):
            scales = (max(width * share, 1e-9 * abs(value), 1e-300) for share in (_NEW_VALUE, _NEW_SEQUENCE))
            patterns = ([value], self.recent[-_SEQUENCE:])
            strength = math.hypot(
                *(
                    _nearest(words, pattern)[0] / scale
                    for words, pattern, scale in zip((self.values, self.sequences), patterns, scales, strict=True)
                    if words
                )
            )
        self._learn(width if math.isfinite(width) else 0.0)
        return strength

    def nearest(self, value: float) -> float:
        """The known value next to this one, or itself."""
        found = _nearest(self.values, [value])[1]
        return self.values[found][0] if self.values else value

    def to_state(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        return cls(**deepcopy(state))

    def _learn(self, width: float) -> None:
        _remember(self.values, [self.recent[-1]], width * _NEW_VALUE * _SAME, self.time, _MAX_VALUES)
        if len(self.recent) == 2 * _SEQUENCE:
            # Only once it no longer overlaps what comes next.
            same = width * _NEW_SEQUENCE * _SAME
            _remember(self.sequences, self.recent[:_SEQUENCE], same, self.time, _MAX_SEQUENCES)


def _nearest(words: list[_Word], pattern: list[float]) -> tuple[float, int]:
    """Mean distance and place of the nearest word. Words are sorted by mean, and means differ by no more than that."""
    mean = sum(pattern) / len(pattern)
    start = bisect_left(words, [mean])
    best, found = math.inf, 0
    for places in (range(start, len(words)), range(start - 1, -1, -1)):
        for place in places:
            word = words[place]
            if abs(word[0] - mean) >= best:
                break
            distance = sum(map(abs, map(sub, word[2:], pattern))) / len(pattern)
            if distance < best:
                best, found = distance, place
    return best, found


def _remember(words: list[_Word], pattern: list[float], same: float, time: int, most: int) -> None:
    distance, found = _nearest(words, pattern)
    if distance <= same:
        words[found][1] = time
        return
    if len(words) == most:
        words.remove(min(words, key=lambda word: word[1]))
    insort(words, [sum(pattern) / len(pattern), time, *pattern])
