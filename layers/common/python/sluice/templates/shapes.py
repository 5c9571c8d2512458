"""Masked lines that are alike to all templates: unknown words are all the same to them."""

from collections import Counter
from collections.abc import Callable, Iterable

from sluice.templates.model import WILDCARD, Assignment
from sluice.templates.tokens import TOKEN, WORD, Tokens, label_of, marks_of, outline_of

_UNKNOWN = " "  # nothing that is in a chunk
_REST = 0  # in place of marks
_MAX_CHUNKS = 10_000
_MAX_CHARACTERS = 100  # of a chunk
_MAX_ALL_CHUNKS = 200_000  # of the answers

type Shape = tuple[str, ...]


class Shapes:
    """Answers by the shapes of lines, for templates whose words are known."""

    def __init__(self) -> None:
        self._labels: Counter[str] = Counter()
        self._starts: Counter[str] = Counter()  # of labels that any word with this start has
        self._all_starts: tuple[str, ...] = ()
        self._chunks = _Chunks(self._is_known)
        self._answers: dict[Shape, Assignment] = {}
        self._groups: dict[int, dict[int, list[Shape]]] = {}  # of answers, by marks and outline
        self._size = 0

    def shape(self, masked: str) -> Shape:
        """Equal for lines that all templates describe alike."""
        return tuple(map(self._chunks.__getitem__, masked.split(" ")))

    def get(self, shape: Shape) -> Assignment | None:
        """The answer for all lines of this shape, if it is known."""
        return self._answers.get(shape)

    def add(self, shape: Shape, tokens: Tokens, answer: Assignment, *, is_rest: bool) -> None:
        """Remembers an answer that changed nothing; ``is_rest`` if the template takes any rest of a line."""
        if self._size >= _MAX_ALL_CHUNKS:
            self._forget_all()
        self._size += len(shape)
        self._answers[shape] = answer
        group = self._groups.setdefault(_REST if is_rest else marks_of(tokens), {})
        group.setdefault(outline_of(tokens), []).append(shape)

    def forget(self, tokens: Tokens, *, is_wide: bool) -> None:
        """Forgets the answers for lines that a template which came or went may describe; ``is_wide`` if a value of it
        has several words."""
        outline = outline_of(tokens)
        for marks in (marks_of(tokens), _REST):
            group = self._groups.get(marks, {})
            for each in list(group) if is_wide else [outline]:
                for shape in group.pop(each, ()):
                    self._size -= len(shape)
                    del self._answers[shape]
            if not group:
                self._groups.pop(marks, None)

    def _forget_all(self) -> None:
        self._answers.clear()
        self._groups.clear()
        self._size = 0

    def count(self, labels: Iterable[str], change: int) -> None:
        """Templates have these words ``change`` times more."""
        for label in labels:
            is_start = label.endswith(WILDCARD) and label != WILDCARD
            counter = self._starts if is_start else self._labels
            key = label.removesuffix(WILDCARD) if is_start else label
            if not counter[key]:
                self._chunks.clear() if is_start else self._chunks.forget(key)
            counter[key] += change
            if not counter[key]:
                del counter[key]
        self._all_starts = tuple(self._starts)

    def _is_known(self, token: str) -> bool:
        label = label_of(token)
        return label in self._labels or label == WILDCARD or label.startswith(self._all_starts) or not WORD.match(token)


class _Chunks(dict[str, str]):
    """Shapes by chunk; forgets all when it is full, and those with a word when that becomes known. A word that is
    known no more may go on being told from others."""

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        self._is_known = is_known
        self._holders: dict[str, list[str]] = {}  # the chunks that have an unknown word

    def __missing__(self, chunk: str) -> str:
        tokens = TOKEN.findall(chunk)
        unknown = [token for token in tokens if not self._is_known(token)]
        shape = "".join([_UNKNOWN if token in unknown else token for token in tokens]) if unknown else chunk
        if len(chunk) <= _MAX_CHARACTERS:
            if len(self) >= _MAX_CHUNKS:
                self.clear()
            self[chunk] = shape
            for token in unknown:
                if token != chunk:
                    self._holders.setdefault(token, []).append(chunk)
        return shape

    def clear(self) -> None:
        super().clear()
        self._holders.clear()

    def forget(self, word: str) -> None:
        """Forgets the shapes of chunks with this word."""
        self.pop(word, None)
        for chunk in self._holders.pop(word, ()):
            self.pop(chunk, None)
