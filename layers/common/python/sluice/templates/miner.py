"""Clusters masked lines into templates, one line at a time.

A line that no template describes becomes a template of its own. Templates that differ in one word only are siblings;
once a place has had more different words than constants would, by their shape and place, it is a variable, and the
siblings become one template. So clusters only ever grow, and an answer given once stays true, until a person splits
them.
"""

import re
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, compress, count
from operator import attrgetter, ne
from typing import Self

from sluice.templates.model import OVERFLOW_TEXT, WILDCARD, Assignment, Template
from sluice.templates.shapes import Shapes
from sluice.templates.tokens import BETWEEN, WORD, Tokens, accepts, label_of, outline_of, tokens_of

MAX_TEMPLATES = 5_000
MAX_ALL_TOKENS = 200_000  # of the templates that are not merged; each takes about 400 bytes
MAX_RELATIVES = 64  # templates that a new line is compared with

_MERGED_PER_ACTIVE = 20  # templates that are merged stay: they, too, have to be bounded

# How many different words make a place a variable.
_ENOUGH = 5
_ENOUGH_NUMBERED = 3  # words with digits in them
_ENOUGH_EVIDENT = 2  # values after "=" or a JSON key, names with dots, or a masked value among words
_ENOUGH_FIRST = 12
_ENOUGH_FREE = 16  # where more than half of the words differ, between many templates
_ENOUGH_FURTHER = 3  # words of values that have several words, where other values are known

_DIGIT = re.compile(r"\d")
_DOTTED = re.compile(r"\w[\w$-]*(?:\.[\w$-]+){2,}")
_ASSIGNED = re.compile(r"""(?:(?<![=!<>])=|":) ?["']?$""")
_LETTERS = re.compile(r"[^\W\d_]{2}")


class Miner:
    """The templates of one application. Lines have to come one after the other; the same ones give the same answers."""

    def __init__(self, templates: Iterable[Template] = (), *, max_templates: int = MAX_TEMPLATES) -> None:
        self._max_templates = max_templates
        self._templates: dict[int, Template] = {}
        self._active: dict[int, Tokens] = {}  # the tokens of templates that are not merged
        self._labels: dict[int, Tokens] = {}  # of these
        self._tree = _Node()
        self._shapes = Shapes()
        self._size = 0  # tokens of all these
        self._siblings: dict[int, tuple[int, ...]] = {}  # by what identifies all but one word
        self._relatives: dict[int, list[int]] = {}  # by outline, in order
        self._wide: set[int] = set()  # templates with a value of several words
        self._trailing: set[int] = set()  # those where it is the last one, and may hold anything
        self.apply(templates)

    @property
    def templates(self) -> tuple[Template, ...]:
        """All templates, also merged ones, by their number."""
        return tuple(self._templates.values())

    def apply(self, templates: Iterable[Template]) -> None:
        """Takes over what another miner of the same application changed since both were equal: its new templates,
        whose numbers are higher than all here, and the present state of the others it changed. Where ``is_split``
        changed, a new miner has to be made."""
        news = {each.template_id: each for each in sorted(templates, key=attrgetter("template_id"))}
        wide, trailing = self._wide & news.keys(), self._trailing & news.keys()
        self._templates |= news
        finals = {number: self._final(template).template_id for number, template in news.items()}
        for number in self._active.keys() & {*finals, *finals.values()}:
            wide |= self._wide & {number}
            trailing |= self._trailing & {number}
            self._remove(number)
        self._wide |= {finals.get(number, number) for number in wide}
        self._trailing |= {finals.get(number, number) for number in trailing}
        for number, final in finals.items():
            self._widen(final, tokens_of(self._templates[final].text), tokens_of(news[number].text))
        for number in sorted({*finals.values()}):
            self._add(number, tokens_of(self._templates[number].text))

    def find(self, masked: str) -> Assignment | None:
        """The template of a masked line (see ``masks.mask``), if nothing has to change for it."""
        shape = self._shapes.shape(masked)
        if (known := self._shapes.get(shape)) is not None:
            return known
        tokens = tokens_of(masked)
        if (number := self._find(tokens)) is None:
            return self._find_overflow(tokens)
        if self._joined(number, tokens) != self._active[number]:
            return None
        answer = Assignment(number, is_new=False, changed=())
        self._shapes.add(shape, tokens, answer, is_rest=number in self._trailing)
        return answer

    def _find_overflow(self, tokens: Tokens) -> Assignment | None:
        """The template for all the rest, for a line that no other describes, nor makes others one."""
        if not self._is_full() or self._siblings_of(tokens):
            return None
        number = self._find(tokens_of(OVERFLOW_TEXT))
        return None if number is None else Assignment(number, is_new=False, changed=(), is_overflow=True)

    def assign(self, masked: str) -> Assignment:
        """The template of a masked line (see ``masks.mask``), and what that changed."""
        shape = self._shapes.shape(masked)
        if (known := self._shapes.get(shape)) is not None:
            return known
        tokens = tokens_of(masked)
        if (number := self._find(tokens)) is None:
            return self._learn(tokens)
        answer = Assignment(number, is_new=False, changed=self._generalise(number, tokens))
        if not answer.changed:
            self._shapes.add(shape, tokens, answer, is_rest=number in self._trailing)
        return answer

    def _learn(self, tokens: Tokens) -> Assignment:
        """What becomes of a line that no template describes."""
        number, changed = None, dict[int, Template]()
        while found := self._siblings_of(tokens) or self._kin_of(tokens):
            places, numbers = found
            joined = self._generalised(tokens, places, numbers)
            numbers |= self._described(joined, numbers)
            if number is None and len(numbers) == 1 and len(joined) != len(tokens):
                numbers.add(self._new(tokens).template_id)  # who rebuilds the miner has to know how long it was
            number = min(numbers)
            changed |= self._merge(number, numbers, joined)
            tokens = self._active[number]
        if number is None:
            return self._create(tokens)
        return Assignment(number, is_new=False, changed=tuple(changed.values()))

    def _final(self, template: Template) -> Template:
        while template.merged_into is not None:
            template = self._templates[template.merged_into]
        return template

    def _is_full(self) -> bool:
        return (
            len(self._active) >= self._max_templates
            or len(self._templates) >= _MERGED_PER_ACTIVE * self._max_templates
            or self._size >= MAX_ALL_TOKENS
        )

    def _create(self, tokens: Tokens) -> Assignment:
        is_overflow = self._is_full()
        if is_overflow:
            tokens = tokens_of(OVERFLOW_TEXT)
            if (known := self._find(tokens)) is not None:
                return Assignment(known, is_new=False, changed=(), is_overflow=True)
        template = self._new(tokens)
        return Assignment(template.template_id, is_new=True, changed=(template,), is_overflow=is_overflow)

    def _new(self, tokens: Tokens) -> Template:
        number = next(reversed(self._templates), 0) + 1
        template = Template(number, "".join(tokens))
        self._templates[number] = template
        self._add(number, tokens)
        return template

    def _joined(self, number: int, tokens: Tokens) -> Tokens:
        """What becomes of a template when it takes a line that it describes."""
        template = self._active[number]
        return _joined(template, tokens) if len(template) == len(tokens) else template

    def _generalise(self, number: int, tokens: Tokens) -> tuple[Template, ...]:
        """Lists of values that are not equally long become one variable."""
        after = self._joined(number, tokens)
        if after == self._active[number]:
            return ()
        self._active[number] = after
        self._templates[number] = replace(self._templates[number], text="".join(after))
        return (self._templates[number],)

    def _generalised(self, tokens: Tokens, places: Iterable[int], numbers: Iterable[int]) -> Tokens:
        joined = list(tokens)
        for place in places:
            joined[place] = _common([tokens[place], *(self._active[number][place] for number in numbers)])
        return tokens_of("".join(joined))

    def _described(self, tokens: Tokens, numbers: set[int]) -> set[int]:
        """The templates that one made of ``numbers`` leaves nothing to describe."""
        is_wide = self._is_wide(tokens, numbers)
        others = self._active if is_wide else self._relatives.get(outline_of(tokens), ())
        labels = tuple(map(label_of, tokens))
        return {
            other
            for other in others
            if _may_describe(labels, self._labels[other])
            and not self._templates[other].is_split
            and _describes(tokens, self._active[other], is_wide=is_wide)
        }

    def _is_wide(self, tokens: Tokens, numbers: set[int]) -> bool:
        return bool(numbers & self._wide) or any(len(self._active[other]) != len(tokens) for other in numbers)

    def _merge(self, number: int, numbers: set[int], tokens: Tokens) -> dict[int, Template]:
        changed = {}
        is_wide, is_trailing = bool(numbers & self._wide), bool(numbers & self._trailing)
        members = [self._active[other] for other in numbers]
        for other in sorted(numbers):
            if len(self._active[other]) == len(tokens):
                tokens = _joined(tokens, self._active[other])
            self._remove(other)
            if other != number:
                changed[other] = Template(other, self._templates[other].text, number)
        tokens = tokens_of("".join(tokens))
        changed[number] = Template(number, "".join(tokens))
        if is_wide:
            self._wide.add(number)
        if is_trailing:
            self._trailing.add(number)
        for member in members:
            self._widen(number, tokens, member)
        self._add(number, tokens)
        self._templates.update(changed)
        return changed

    def _widen(self, number: int, tokens: Tokens, member: Tokens) -> None:
        """Notes which values have several words in a line or template that became part of this one."""
        if len(member) != len(tokens):
            self._wide.add(number)
            if _has_longer_end(tokens, member):
                self._trailing.add(number)

    def _siblings_of(self, tokens: Tokens) -> tuple[tuple[int], set[int]] | None:
        """A place that is a variable after all, and the templates that differ there only."""
        for place, key in _places(tokens):
            numbers = self._siblings.get(key, ())
            label = label_of(tokens[place])
            words = {self._labels[number][place] for number in numbers}
            if words - {label} and _is_variable(tokens, place, {*words, label}):
                return (place,), set(numbers)
        return None

    def _kin_of(self, tokens: Tokens) -> tuple[Sequence[int], set[int]] | None:
        """Places that are variables after all, or free text, and the templates that differ there only."""
        if self._is_full():  # merging what nearly all templates are would only make room for more of them
            return None
        differing = self._differing(tokens)
        return self._relatives_of(tokens, differing) or self._crowd_of(tokens, differing)

    def _relatives_of(
        self, tokens: Tokens, differing: dict[int, frozenset[int]]
    ) -> tuple[Sequence[int], set[int]] | None:
        """Several places that are variables after all, and the templates that differ there only."""
        letters = _letters(tokens)
        some = {places for places in differing.values() if letters - places}
        for places, numbers, columns in self._columns(tokens, differing, some):
            if not _are_unlike(columns):
                continue
            are_few = len(places) <= len(letters.difference(places))
            if are_few and all(_is_variable(tokens, place, words) for place, words in columns.items()):
                return places, numbers
            if all(len(words) >= _ENOUGH_FURTHER for words in columns.values()):
                joined = self._generalised(tokens, places, numbers)
                if len(joined) != len(tokens) and self._find(joined) is not None:
                    return places, numbers
        return None

    def _crowd_of(self, tokens: Tokens, differing: dict[int, frozenset[int]]) -> tuple[Sequence[int], set[int]] | None:
        """Any number of places that are free text, and the templates that differ there only."""
        if len(self._relatives.get(outline_of(tokens), ())) < MAX_RELATIVES:
            return None
        letters = _letters(tokens)
        for places, numbers, columns in self._columns(tokens, differing, set(differing.values())):
            if letters.difference(places) and all(len(words) >= _ENOUGH_FREE for words in columns.values()):
                return places, numbers
        return None

    def _differing(self, tokens: Tokens) -> dict[int, frozenset[int]]:
        """Where the youngest relatives of a line differ from it."""
        labels = [label_of(token) for token in tokens]
        differing = {}
        for number in self._relatives.get(outline_of(tokens), [])[: -MAX_RELATIVES - 1 : -1]:
            unequal = map(ne, labels, self._labels[number])
            if places := frozenset(compress(count(), unequal)):
                differing[number] = places
        return differing

    def _columns(
        self, tokens: Tokens, differing: dict[int, frozenset[int]], candidates: set[frozenset[int]]
    ) -> Iterator[tuple[list[int], set[int], dict[int, set[str]]]]:
        """Places, few first; the templates that differ there only; and the words of each place."""
        for places in sorted(candidates, key=lambda places: (len(places), sorted(places))):
            numbers = {number for number, others in differing.items() if others <= places}
            columns = {
                place: {label_of(tokens[place]), *(self._labels[number][place] for number in numbers)}
                for place in places
            }
            yield sorted(places), numbers, columns

    def _find(self, tokens: Tokens) -> int | None:
        """The template that describes a line; where several do, that with the earliest constant. Only where none does,
        free text at the end of a template is any rest of a line."""
        waiting = [(self._tree, 0, False, False)]  # with whether a word, and whether several were taken for a value
        labels, seen, rest = tuple(map(label_of, tokens)), set(), None
        while waiting:
            state = waiting.pop()
            node, depth, is_guessed, is_stretched = state
            if is_stretched:
                if state in seen:
                    continue
                seen.add(state)
            if depth == len(tokens):
                if node.number is None or (is_guessed and node.is_vague):
                    continue
                if not is_stretched or node.number in self._wide:
                    return node.number
                continue
            children, label = node.children, labels[depth]
            if (child := children.get(WILDCARD)) is not None and WORD.match(label):
                if child.number in self._trailing:
                    rest = child.number
                if child.leads_to_wide:
                    waiting.extend((child, end, True, True) for end in _ends(tokens, depth))
                if label != WILDCARD:
                    waiting.append((child, depth + 1, True, is_stretched))
            if node.starts:
                waiting.extend(
                    (children[start], depth + 1, is_guessed, is_stretched)
                    for start in node.starts
                    if accepts(start, label)
                )
            if (child := children.get(label)) is not None:
                waiting.append((child, depth + 1, is_guessed, is_stretched))
        return rest

    def _add(self, number: int, tokens: Tokens) -> None:
        self._active[number] = tokens
        self._size += len(tokens)
        labels = self._labels[number] = tuple(map(label_of, tokens))
        self._shapes.count(labels, 1)
        self._shapes.forget(tokens, is_wide=number in self._wide)
        node = self._tree
        for label in labels:
            node = node.child(label)
            node.leads_to_wide |= number in self._wide
        if node.number is None or not self._templates[node.number].is_split:
            node.number = number
        node.is_vague = not _letters(tokens)
        if self._templates[number].is_split:
            return
        insort(self._relatives.setdefault(outline_of(tokens), []), number)
        for _, key in _places(tokens):
            self._siblings[key] = (*self._siblings.get(key, ()), number)

    def _remove(self, number: int) -> None:
        tokens = self._active.pop(number)
        self._size -= len(tokens)
        self._shapes.forget(tokens, is_wide=number in self._wide)
        self._wide.discard(number)
        self._trailing.discard(number)
        labels = self._labels.pop(number)
        self._shapes.count(labels, -1)
        path = [self._tree]
        for label in labels:
            path.append(path[-1].children[label])
        if path[-1].number == number:
            path[-1].number = None
        for node, label in zip(reversed(path[:-1]), reversed(labels), strict=True):
            if node.children[label].number is not None or node.children[label].children:
                break
            node.drop(label)
        if self._templates[number].is_split:
            return
        relatives = self._relatives[outline_of(tokens)]
        del relatives[bisect_left(relatives, number)]
        for _, key in _places(tokens):
            if others := tuple(other for other in self._siblings[key] if other != number):
                self._siblings[key] = others
            else:
                del self._siblings[key]


class _Node:
    """A word in the tree of all templates; ``number`` is of the template that ends here."""

    __slots__ = ("children", "is_vague", "leads_to_wide", "number", "starts")

    def __init__(self) -> None:
        self.children: dict[str, Self] = {}
        self.starts: tuple[str, ...] = ()  # labels of children that any word with this start is
        self.number: int | None = None
        self.is_vague = False  # the template has no word: nobody knows what its values may be
        self.leads_to_wide = False

    def child(self, label: str) -> Self:
        if label not in self.children:
            self.children[label] = type(self)()
            if label.endswith(WILDCARD) and label != WILDCARD:
                self.starts = tuple(sorted((*self.starts, label), key=len))  # the longest is tried first
        return self.children[label]

    def drop(self, label: str) -> None:
        del self.children[label]
        self.starts = tuple(start for start in self.starts if start != label)


def _common(words: list[str]) -> str:
    """A variable for all these words; names of two parts keep the first if all have the same."""
    first, *others = {word.rpartition(".")[0] for word in words}
    return WILDCARD if others or not first or "." in first else f"{first}.{WILDCARD}"


def _are_unlike(columns: dict[int, set[str]]) -> bool:
    """Whether no two places have the same words; places of states that follow each other do."""
    return all(
        2 * len(one & other) < min(len(one), len(other))
        for one, other in combinations([words - {WILDCARD} for words in columns.values()], 2)
        if one and other
    )


def _letters(tokens: Tokens) -> set[int]:
    """The places of words that may be constants: two letters, or a name before "="."""
    after = (*tokens[1:], "")
    return {
        place
        for place, token in enumerate(tokens)
        if _LETTERS.match(token) or (after[place] == "=" and WORD.match(token) and label_of(token) != WILDCARD)
    }


def _may_describe(labels: Tokens, others: Tokens) -> bool:
    """What is true wherever ``_describes`` is, and sooner known."""
    return len(labels) <= len(others) and accepts(labels[0], others[0]) and accepts(labels[-1], others[-1])


def _describes(tokens: Tokens, others: Tokens, *, is_wide: bool) -> bool:
    """Whether a template describes all that another one does."""
    waiting, seen = [(0, 0)], set[tuple[int, int]]()
    while waiting:
        state = waiting.pop()
        if state in seen:
            continue
        seen.add(state)
        one, other = state
        if one == len(tokens) or other == len(others):
            if one == len(tokens) and other == len(others):
                return True
            continue
        label, word = label_of(tokens[one]), label_of(others[other])
        if word == label or (WORD.match(word) and accepts(label, word)):
            waiting.append((one + 1, other + 1))
            if is_wide and label == WILDCARD:
                waiting.extend((one + 1, end) for end in _ends(others, other))
    return False


def _has_longer_end(tokens: Tokens, member: Tokens) -> bool:
    """Whether the last value of a template has several words in a member: another one before the last."""
    if label_of(tokens[-1]) != WILDCARD or member[-2:-1] not in {(between,) for between in BETWEEN}:
        return False
    return len(tokens) < 3 or not accepts(label_of(tokens[-3]), label_of(member[-3]))


def _ends(tokens: Tokens, start: int) -> Iterator[int]:
    """Where a value of several words, or a list of them, may end that starts with this word."""
    end = start + 1
    while end < len(tokens) and tokens[end] in BETWEEN:
        end += 2 if tokens[end : end + 2] == (",", " ") else 1
        if end == len(tokens) or not WORD.match(tokens[end]):
            return
        end += 1
        yield end


def _joined(one: Tokens, other: Tokens) -> Tokens:
    """The first tokens, with one variable where lists of values are not equally long."""
    return tuple(
        a if a == b or (label_of(a) != WILDCARD and accepts(a, b)) else WILDCARD
        for a, b in zip(one, other, strict=True)
    )


def _places(tokens: Tokens) -> Iterable[tuple[int, int]]:
    """The places of words, each with what identifies all the rest."""
    before = [0]
    labels = [label_of(token) for token in tokens]
    for token in labels:
        before.append(hash((before[-1], token)))
    after = [0]
    for token in reversed(labels):
        after.append(hash((after[-1], token)))
    for place, token in enumerate(tokens):
        if WORD.match(token):
            yield place, hash((place, before[place], after[len(tokens) - 1 - place]))


def _is_variable(tokens: Tokens, place: int, words: set[str]) -> bool:
    return bool(_letters(tokens) - {place}) and len(words) >= _enough(tokens, place, words)


def _enough(tokens: Sequence[str], place: int, words: set[str]) -> int:
    if WILDCARD in words or all(_DOTTED.fullmatch(word) for word in words):
        return _ENOUGH_EVIDENT
    if _ASSIGNED.search("".join(tokens[max(place - 4, 0) : place])):
        return _ENOUGH_EVIDENT
    if any(_DIGIT.search(word) for word in words):
        return _ENOUGH_NUMBERED
    if place == 0 and sum(1 for token in tokens[1:] if _LETTERS.match(token)) < 4:
        return _ENOUGH_FIRST
    return _ENOUGH
