"""Makes text and metadata storable: whatever JSON can say and Postgres cannot keep gets a documented stand-in.

U+0000 and lone surrogates become U+FFFD. NaN, infinities, integers beyond 64 bits and other numbers that jsonb would
write out with dozens of zeros become text. What lies deeper than 20 levels becomes its JSON text. An object's keys
beyond 256 are folded into one key, ``_more``, as JSON text; so is the beginning of metadata that are too long.
"""

import json
import re
from collections.abc import Container
from typing import Any

from sluice.entries.model import MAX_METADATA_CHARACTERS, MAX_METADATA_DEPTH, MAX_METADATA_KEYS, Flag

OVERFLOW_KEY = "_more"
MAX_INTEGER_DIGITS = 400  # beyond any number that means something; Python itself refuses to parse over 4,300
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_INTEGERS = range(-(2**63), 2**63)
_LARGEST, _SMALLEST = 1e30, 1e-30
_UNTOUCHED = Flag(0)
_ALTERED, _REPLACED = Flag.VALUES_ALTERED.value, Flag.TEXT_REPLACED.value
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class NumberText(str):
    """A number too long to parse, kept as the text it was sent as."""


def integer(digits: str) -> int | NumberText:
    """What JSON's integers become (``parse_int`` of json.loads)."""
    return int(digits) if len(digits) <= MAX_INTEGER_DIGITS else NumberText(digits)


def storable_text(text: str) -> tuple[str, Flag]:
    """``text`` without U+0000 and lone surrogates, and TEXT_REPLACED if there were any."""
    if _UNSTORABLE.search(text) is None:
        return text, _UNTOUCHED
    return _UNSTORABLE.sub("\ufffd", text), Flag.TEXT_REPLACED


def storable_metadata(metadata: dict[str, Any]) -> tuple[dict[str, Any], Flag]:
    """A copy of ``metadata`` (parsed JSON) in normal form, and what was changed."""
    walk = _Walk()
    return walk.object(metadata, 1), Flag(walk.flags)


def short_metadata(text: str) -> tuple[str, Flag]:
    """Metadata's JSON ``text``, cut if it is over MAX_METADATA_CHARACTERS."""
    if len(text) <= MAX_METADATA_CHARACTERS:
        return text, Flag(0)
    return json_text({OVERFLOW_KEY: text[:MAX_METADATA_CHARACTERS]}), Flag.METADATA_TRUNCATED


def free_key(key: str, taken: Container[str]) -> str:
    """``key``, or the first with 1, 2, 4, … leading underscores that hides no other: few tries, whatever is taken."""
    free, count = key, 1
    while free in taken:
        free, count = "_" * count + key, count * 2
    return free


def json_text(value: Any) -> str:
    """Compact JSON, non-ASCII kept as it is; NaN and infinities as Python writes them (callers keep those as text)."""
    return _ENCODER.encode(value)


class _Walk:
    """One pass over one record's metadata; ``flags`` gathers what it changed."""

    def __init__(self) -> None:
        self.flags = 0  # plain numbers: an IntFlag's "|" costs more than the rest of a value

    def object(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        items = list(value.items())
        kept: dict[str, Any] = {}
        for key, item in items[:MAX_METADATA_KEYS]:
            name = self.text(key)
            kept[free_key(name, kept) if name in kept else name] = self.value(item, depth)
        if len(items) > MAX_METADATA_KEYS:
            self.flags |= _ALTERED
            kept[free_key(OVERFLOW_KEY, kept)] = self.text(json_text(dict(items[MAX_METADATA_KEYS:])))
        return kept

    def value(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is int or kind is float:
            return self.number(value)
        if isinstance(value, NumberText):
            self.flags |= _ALTERED
            return str(value)
        if isinstance(value, dict | list) and depth >= MAX_METADATA_DEPTH:
            self.flags |= _ALTERED
            return self.text(json_text(value))
        if isinstance(value, dict):
            return self.object(value, depth + 1)
        if isinstance(value, list):
            return [self.value(item, depth + 1) for item in value]
        return value  # true, false, null

    def number(self, value: Any) -> Any:
        if value not in _INTEGERS if type(value) is int else _is_extreme(value):
            self.flags |= _ALTERED
            return str(value)
        return value

    def text(self, text: str) -> str:
        if _UNSTORABLE.search(text) is None:
            return text
        self.flags |= _REPLACED
        return _UNSTORABLE.sub("\ufffd", text)


def _is_extreme(number: float) -> bool:
    """NaN, infinite, or so large or small that writing it out takes dozens of digits."""
    return number != 0 and not _SMALLEST <= abs(number) <= _LARGEST
