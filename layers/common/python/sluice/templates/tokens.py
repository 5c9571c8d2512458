"""Masked lines as words and what stands between them."""

import re

from sluice.templates.model import WILDCARD

MAX_TOKENS = 256  # of a line; the rest is one variable

# A list of values, which is a value; a word with a value at its end; a word; or what stands between words.
TOKEN = re.compile(
    r"""<\*>(?:(?: |, ?)<\*>)*|\.{2,}"""
    r"""|(?:(?!\.{2}|[.!?]+(?:\s|\Z))[^\s,;=()\[\]{}<>"'|:])+(?:(?<=[.@#$/_-])<\*>)?|.""",
    re.DOTALL,
)
WORD = re.compile(r"""<\*>|(?!\.{2}|[.!?]+\Z)[^\s,;=()\[\]{}<>"'|:]""")

BETWEEN = frozenset({" ", ","})  # words of one value

type Tokens = tuple[str, ...]


def tokens_of(text: str) -> Tokens:
    """At most MAX_TOKENS of them."""
    tokens = TOKEN.findall(text)
    return tuple(tokens) if len(tokens) <= MAX_TOKENS else tokens_of("".join(tokens[: MAX_TOKENS - 1]) + WILDCARD)


def label_of(token: str) -> str:
    """What a token is compared by: a list of values is a value."""
    return WILDCARD if token.startswith(WILDCARD) else token


def accepts(label: str, word: str) -> bool:
    """Whether a word may stand where a template has this label."""
    return label in (word, WILDCARD) or (label.endswith(WILDCARD) and word.startswith(label[: -len(WILDCARD)]))


def outline_of(tokens: Tokens) -> int:
    """What lines have in common that differ in words only."""
    return hash(tuple("" if WORD.match(token) else token for token in tokens))


def marks_of(tokens: Tokens) -> int:
    """What lines have in common that differ in words and in their number only."""
    return hash(tuple(token for token in tokens if token not in BETWEEN and not WORD.match(token)))
