"""Masked lines that are alike to all templates: unknown words are all the same to them."""

from collections import Counter
from collections.abc import Callable, Iterable

from sluice.templates.model import WILDCARD, Assignment
from sluice.templates.tokens import TOKEN, WORD, label_of

_UNKNOWN = " "  # nothing that is in a chunk
_MAX_CHUNKS = 10_000
_MAX_CHARACTERS = 100  # of a chunk
_MAX_ALL_CHUNKS = 200_000  # of the answers

type Shape = tuple[str, ...]


class Shapes:
    """Answers by the shapes of lines, for templates whose words are known; forgets them when templates change."""

    def __init__(self) -> None:
        self._labels: Counter[str] = Counter()
        self._starts: Counter[str] = Counter()  # of labels that any word with this start has
        self._chunks = _Chunks(self._shape_of_chunk)
        self._answers: dict[Shape, Assignment] = {}
        self._size = 0

    def shape(self, masked: str) -> Shape:
        """Equal for lines that all templates describe alike."""
        return tuple(map(self._chunks.__getitem__, masked.split(" ")))

    def get(self, shape: Shape) -> Assignment | None:
        """The answer for all lines of this shape, if it is known."""
        return self._answers.get(shape)

    def add(self, shape: Shape, answer: Assignment) -> None:
        """Remembers an answer that changed nothing."""
        if self._size >= _MAX_ALL_CHUNKS:
            self._forget()
        self._size += len(shape)
        self._answers[shape] = answer

    def count(self, labels: Iterable[str], change: int) -> None:
        """Templates have these words ``change`` times more; answers are forgotten."""
        self._forget()
        for label in labels:
            counter = self._starts if label.endswith(WILDCARD) and label != WILDCARD else self._labels
            key = label.removesuffix(WILDCARD) if counter is self._starts else label
            counter[key] += change
            if not counter[key]:
                del counter[key]

    def _forget(self) -> None:
        self._answers.clear()
        self._chunks.clear()
        self._size = 0

    def _shape_of_chunk(self, chunk: str) -> str:
        return "".join(token if self._is_known(token) else _UNKNOWN for token in TOKEN.findall(chunk))

    def _is_known(self, token: str) -> bool:
        label = label_of(token)
        return (
            label == WILDCARD or label in self._labels or not WORD.match(token) or label.startswith(tuple(self._starts))
        )


class _Chunks(dict[str, str]):
    """Shapes by chunk; forgets all when it is full."""

    def __init__(self, shape: Callable[[str], str]) -> None:
        self._shape = shape

    def __missing__(self, chunk: str) -> str:
        shape = self._shape(chunk)
        if len(chunk) <= _MAX_CHARACTERS:
            if len(self) >= _MAX_CHUNKS:
                self.clear()
            self[chunk] = shape
        return shape
