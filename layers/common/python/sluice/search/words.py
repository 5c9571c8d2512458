"""What a log can be searched by, as tokens, and the bits that tokens set in a word filter.

A word filter is a Bloom filter over the tokens of some dozens of stored logs: all tokens of a matching log are in the
filter of its group, so a group whose filter lacks one need not be read. Nothing may be missed (the rows are checked
again), so wherever Postgres and Python might disagree about letters, a log has tokens for both opinions:

* a maximal run of ASCII letters, digits and underscores, in lower case: nobody thinks that a word ends within it;
* each pair of neighbouring other characters, case folded: true of every text that the pair is in, wherever words end;
* ``name=value`` of its fields and of the scalars in its metadata (``.key=value``, by the last part of a dotted key).
"""

import re
from array import array
from collections.abc import Collection, Iterable
from itertools import pairwise
from zlib import crc32

# Which tokens a match must hold: of each clause at least one. No clause at all: anything may match.
type Clauses = frozenset[frozenset[bytes]]
ANYTHING: Clauses = frozenset()

FIELD_SEPARATOR = b"\x01"  # between the fields of a row as they are read; a value that holds it has no token
FIELDS = ("trace_id", "span_id", "session_id", "logger", "host", "service", "version")

# With 18 bits a token and 5 hashes, 0.08 % of full filters hold a token that their logs do not: fewer groups than most
# words are in.
BITS_PER_TOKEN = 18
MAX_FILTER_BYTES = 1_920  # four rows of a filter each fill one page of 8 KB, and none is moved out of line
MAX_TOKENS = MAX_FILTER_BYTES * 8 // BITS_PER_TOKEN

_MAX_CLAUSES = 16
_ONE = ord("1")
_LOWER_HALF = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_MULTIPLIERS = (0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35, 0x27D4EB2F, 0x165667B1)  # odd, without pattern
_WORD_CHARACTERS = b"abcdefghijklmnopqrstuvwxyz0123456789_"
_LOWER_OR_BLANK = bytes(character if character in _WORD_CHARACTERS else 32 for character in bytes(range(256)).lower())
# Characters beyond ASCII that some collation takes for an ASCII letter in another case.
_SPECIAL = str.maketrans({"\u212a": "k", "\u017f": "s", "\u0130": "i", "\u0131": "i"})
_FOREIGN_RUN = re.compile(r"[^\x00-\x7f]{2,}")
HASHES = len(_MULTIPLIERS)
_FIRST_WORD = re.compile(r"\A[a-z0-9_]+")
_LAST_WORD = re.compile(r"[a-z0-9_]+\Z")


def fold(text: str) -> str:
    """The text such that whatever anybody takes for equal in another case is equal."""
    return text.lower() if text.isascii() else text.translate(_SPECIAL).casefold()


def ascii_words(text: bytes) -> list[bytes]:
    """The maximal runs of word characters of UTF-8 text, in lower case, with repetitions."""
    return text.translate(_LOWER_OR_BLANK).split()


def foreign_tokens(text: str) -> set[bytes]:
    """The tokens of a text that is not all ASCII: those of both opinions about case."""
    opinions = (text, text.translate(_SPECIAL))
    return _folded_tokens(fold(text)).union(*(ascii_words(opinion.encode()) for opinion in opinions))


def text_tokens(text: str) -> set[bytes]:
    """The tokens that a log has for its message."""
    return set(ascii_words(text.encode())) if text.isascii() else foreign_tokens(text)


def field_token(name: str, value: str) -> bytes:
    """The token that a log has for a field, of which the row holds ``value``: one of FIELDS, ``level``, or
    ``metadata.KEY`` for a scalar in the metadata."""
    if name.startswith("metadata."):
        name = "." + name.rpartition(".")[2]
    return fold(f"{name}={value}").encode()


def words(text: str, *, is_prefix: bool = False) -> Clauses:
    """What every message holds in which ``text`` occurs between word boundaries, in any case; a prefix may end within
    a word."""
    folded = fold(text)
    return _all_of(_folded_tokens(_LAST_WORD.sub(" ", folded) if is_prefix else folded))


def piece(text: str) -> Clauses:
    """What every message holds in which ``text`` occurs anywhere, in any case: words that it cuts off do not count."""
    return _all_of(_folded_tokens(_LAST_WORD.sub(" ", _FIRST_WORD.sub(" ", fold(text)))))


def field(name: str, value: str) -> Clauses:
    """What every log holds whose field ``name`` equals ``value``, see ``field_token``; in metadata, a scalar's text."""
    if name.startswith("metadata."):
        key = name.rpartition(".")[2]
        if value[:1] in ("{", "[") or key.strip().lstrip("+-").isdigit():  # may be an element of an array
            return ANYTHING
    elif FIELD_SEPARATOR.decode() in value:
        return ANYTHING
    return _all_of([field_token(name, value)])


def levels(numbers: Iterable[int]) -> Clauses:
    """What every log of one of these levels holds."""
    clause = frozenset(field_token("level", str(int(number))) for number in numbers)
    return frozenset([clause]) if clause else ANYTHING


def are_levels(clauses: Clauses) -> bool:
    """Whether nothing but levels is required, and something is."""
    return bool(clauses) and all(token.startswith(b"level=") for clause in clauses for token in clause)


def both(*conditions: Clauses) -> Clauses:
    """What every log holds for which all conditions hold."""
    return frozenset[frozenset[bytes]]().union(*conditions)


def either(*conditions: Clauses) -> Clauses:
    """What every log holds for which one of the conditions holds. Leaves clauses out rather than make very many."""
    found: Clauses = frozenset([frozenset()])
    for condition in conditions:
        merged = sorted(
            (left | right for left in found for right in condition), key=lambda clause: (len(clause), sorted(clause))
        )
        found = frozenset(merged[:_MAX_CLAUSES])
    return found if conditions else ANYTHING


def hashes(token: bytes) -> tuple[int, ...]:
    """32-bit numbers: in a filter of n bits, a number h stands for the bit h * n >> 32."""
    checksum = crc32(token)
    return tuple(checksum * multiplier & 0xFFFFFFFF for multiplier in _MULTIPLIERS)


def make_filter(tokens: Collection[bytes]) -> bytes:
    """The filter of these tokens: MAX_FILTER_BYTES, or half, a quarter … of it, so that many are of one size; bit n is
    bit n % 8 of byte n // 8, lowest first."""
    size = MAX_FILTER_BYTES
    while size % 2 == 0 and size * 4 >= len(tokens) * BITS_PER_TOKEN:
        size //= 2
    bits = size * 8
    digits = bytearray(b"0" * bits)
    # The function ``hashes`` for all tokens at once: a long integer of 64-bit lanes, so that no product leaves its own.
    lanes = int.from_bytes(array("Q", map(crc32, tokens)).tobytes(), "little")
    lower_halves = int.from_bytes(_LOWER_HALF * len(tokens), "little")
    for multiplier in _MULTIPLIERS:
        numbers = (lanes * multiplier & lower_halves) * bits
        for position in memoryview(numbers.to_bytes(8 * len(tokens), "little")).cast("I")[1::2]:
            digits[position] = _ONE
    digits.reverse()
    return int(digits, 2).to_bytes(size, "little")


def may_match(word_filter: bytes, clauses: Clauses) -> bool:
    """Whether the filter holds a token of each clause, as far as it can tell; what the database is asked in SQL."""
    return all(any(_holds(word_filter, token) for token in clause) for clause in clauses)


def _holds(word_filter: bytes, token: bytes) -> bool:
    positions = (number * len(word_filter) * 8 >> 32 for number in hashes(token))
    return all(word_filter[position // 8] >> position % 8 & 1 for position in positions)


def _folded_tokens(folded: str) -> set[bytes]:
    tokens = set(ascii_words(folded.encode()))
    if not folded.isascii():
        runs = _FOREIGN_RUN.findall(folded)
        tokens.update((first + second).encode() for run in runs for first, second in pairwise(run))
    return tokens


def _all_of(tokens: Iterable[bytes]) -> Clauses:
    return frozenset(frozenset([token]) for token in tokens)
