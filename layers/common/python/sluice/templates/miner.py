"""Clusters masked lines into templates, one line at a time.

A line that no template describes becomes a template of its own. Templates that differ in one word only are siblings;
once a place has had more different words than constants would, by their shape and place, it is a variable, and the
siblings become one template. So clusters only ever grow: nothing is split, and an answer given once stays true.
"""

import re
from collections.abc import Iterable, Sequence

from sluice.templates.model import OVERFLOW_TEXT, WILDCARD, Assignment, Template

MAX_TEMPLATES = 5_000
MAX_TOKENS = 256  # of a line; the rest is one variable

# How many different words make a place a variable.
_ENOUGH = 5
_ENOUGH_NUMBERED = 3  # words with digits in them
_ENOUGH_EVIDENT = 2  # values after "=", names with dots, or a masked value among words
_ENOUGH_FIRST = 12

_TOKEN = re.compile(r"""<\*>(?:(?: |, ?)<\*>)*|[^\s,;=()\[\]{}<>"'|:]+|.""", re.DOTALL)
_WORD = re.compile(r"""<\*>|[^\s,;=()\[\]{}<>"'|:]""")
_DIGIT = re.compile(r"\d")
_DOTTED = re.compile(r"\w[\w$-]*(?:\.[\w$-]+){2,}")
_LETTERS = re.compile(r"[^\W\d_]{2}")

type _Tokens = tuple[str, ...]


class Miner:
    """The templates of one application. Lines have to come one after the other; the same ones give the same answers."""

    def __init__(self, templates: Iterable[Template] = (), *, max_templates: int = MAX_TEMPLATES) -> None:
        self._max_templates = max_templates
        self._templates: dict[int, Template] = {}
        self._active: dict[int, _Tokens] = {}  # the tokens of templates that are not merged
        self._tree = _Node()
        self._siblings: dict[tuple[int, int, int], dict[str, int]] = {}
        for template in sorted(templates, key=lambda template: template.template_id):
            self._templates[template.template_id] = template
            if template.merged_into is None and template.text != OVERFLOW_TEXT:
                self._add(template.template_id, _tokens(template.text))

    @property
    def templates(self) -> tuple[Template, ...]:
        """All templates, also merged ones, by their number."""
        return tuple(self._templates.values())

    def assign(self, masked: str) -> Assignment:
        """The template of a masked line (see ``masks.mask``), and what that changed."""
        tokens = _tokens(masked)
        number = self._find(tokens)
        changed: dict[int, Template] = {}
        if number is not None:
            changed = self._generalise(number, tokens)
        else:
            while found := self._variable(tokens):
                place, numbers = found
                tokens = (*tokens[:place], WILDCARD, *tokens[place + 1 :])
                if (same := self._find(tokens)) is not None:
                    numbers.add(same)
                number = min(numbers)
                changed |= self._merge(number, numbers, tokens)
                tokens = self._active[number]
            if number is None:
                return self._create(tokens)
        return Assignment(number, is_new=False, changed=tuple(changed.values()))

    def _create(self, tokens: _Tokens) -> Assignment:
        is_full = len(self._templates) >= self._max_templates
        last = next(reversed(self._templates.values()), None)
        if is_full and last is not None and last.text == OVERFLOW_TEXT:
            return Assignment(last.template_id, is_new=False, changed=(), is_overflow=True)
        number = 1 if last is None else last.template_id + 1
        template = Template(number, OVERFLOW_TEXT if is_full else "".join(tokens))
        self._templates[number] = template
        if not is_full:
            self._add(number, tokens)
        return Assignment(number, is_new=True, changed=(template,), is_overflow=is_full)

    def _generalise(self, number: int, tokens: _Tokens) -> dict[int, Template]:
        """Lists of values that are not equally long become one variable."""
        before = self._active[number]
        after = _joined(before, tokens)
        if after == before:
            return {}
        self._active[number] = after
        self._templates[number] = Template(number, "".join(after))
        return {number: self._templates[number]}

    def _merge(self, number: int, numbers: set[int], tokens: _Tokens) -> dict[int, Template]:
        changed = {}
        for other in sorted(numbers):
            tokens = _joined(tokens, self._active[other])
            self._remove(other)
            if other != number:
                changed[other] = Template(other, self._templates[other].text, number)
        changed[number] = Template(number, "".join(tokens))
        self._add(number, tokens)
        self._templates.update(changed)
        return changed

    def _variable(self, tokens: _Tokens) -> tuple[int, set[int]] | None:
        """A place that is a variable after all, and the templates that differ there only."""
        for place, key in _places(tokens):
            siblings = self._siblings.get(key)
            label = _label(tokens[place])
            if siblings and siblings.keys() - {label} and _is_variable(tokens, place, {*siblings, label}):
                return place, set(siblings.values())
        return None

    def _find(self, tokens: _Tokens) -> int | None:
        """The template that describes a line; where several do, that with the earliest constant."""
        waiting = [(self._tree, 0)]
        while waiting:
            node, depth = waiting.pop()
            if depth == len(tokens):
                if node.number is not None:
                    return node.number
                continue
            label = _label(tokens[depth])
            if label != WILDCARD and _WORD.match(label) and WILDCARD in node.children:
                waiting.append((node.children[WILDCARD], depth + 1))
            if label in node.children:
                waiting.append((node.children[label], depth + 1))
        return None

    def _add(self, number: int, tokens: _Tokens) -> None:
        self._active[number] = tokens
        node = self._tree
        for token in tokens:
            node = node.children.setdefault(_label(token), _Node())
        node.number = number
        for place, key in _places(tokens):
            self._siblings.setdefault(key, {})[_label(tokens[place])] = number

    def _remove(self, number: int) -> None:
        tokens = self._active.pop(number)
        labels = [_label(token) for token in tokens]
        path = [self._tree]
        for label in labels:
            path.append(path[-1].children[label])
        path[-1].number = None
        for node, label in zip(reversed(path[:-1]), reversed(labels), strict=True):
            if node.children[label].number is not None or node.children[label].children:
                break
            del node.children[label]
        for place, key in _places(tokens):
            siblings = self._siblings[key]
            if siblings.get(labels[place]) == number:
                del siblings[labels[place]]
                if not siblings:
                    del self._siblings[key]


class _Node:
    """A word in the tree of all templates; ``number`` is of the template that ends here."""

    __slots__ = ("children", "number")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.number: int | None = None


def _label(token: str) -> str:
    """What a token is compared by: a list of values is a value."""
    return WILDCARD if token.startswith(WILDCARD) else token


def _joined(one: _Tokens, other: _Tokens) -> _Tokens:
    return tuple(a if a == b else WILDCARD for a, b in zip(one, other, strict=True))


def _tokens(text: str) -> _Tokens:
    tokens = _TOKEN.findall(text)
    return tuple(tokens) if len(tokens) <= MAX_TOKENS else (*tokens[: MAX_TOKENS - 1], WILDCARD)


def _places(tokens: _Tokens) -> Iterable[tuple[int, tuple[int, int, int]]]:
    """The places of words, each with what identifies all the rest."""
    before = [0]
    labels = [_label(token) for token in tokens]
    for token in labels:
        before.append(hash((before[-1], token)))
    after = [0]
    for token in reversed(labels):
        after.append(hash((after[-1], token)))
    for place, token in enumerate(tokens):
        if _WORD.match(token):
            yield place, (place, before[place], after[len(tokens) - 1 - place])


def _is_variable(tokens: _Tokens, place: int, words: set[str]) -> bool:
    constants = sum(1 for other, token in enumerate(tokens) if other != place and _LETTERS.match(token))
    if not constants:
        return False
    return len(words) >= _enough(tokens, place, words)


def _enough(tokens: Sequence[str], place: int, words: set[str]) -> int:
    if WILDCARD in words or all(_DOTTED.fullmatch(word) for word in words):
        return _ENOUGH_EVIDENT
    before = "".join(tokens[max(place - 2, 0) : place]).rstrip("\"' ")
    if before.endswith("="):
        return _ENOUGH_EVIDENT
    if any(_DIGIT.search(word) for word in words):
        return _ENOUGH_NUMBERED
    if place == 0:
        return _ENOUGH_FIRST
    return _ENOUGH
