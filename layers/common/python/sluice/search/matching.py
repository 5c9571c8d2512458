"""Conditions on logs that no database holds: the same logs fit as in SQL (see ``postgres_conditions``)."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from sluice.entries.model import Level
from sluice.search.model import METADATA, AllOf, AnyOf, Condition, Field, Has, Levels, Not, OfTemplate, Text

_INDEX = re.compile(r"\s*[+-]?[0-9]+")
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


def no_template(_template_id: int) -> bool:
    """Of a log without a template."""
    return False


@dataclass(frozen=True, slots=True)
class Log:
    """What conditions are about. ``fields`` are texts by names of FIELDS, ``metadata`` is an object's JSON text."""

    level: Level
    message: str
    metadata: bytes
    fields: Mapping[str, str | None] = field(default_factory=dict)
    is_of: Callable[[int], bool] = no_template  # of a template, or of one that is the same by now


type Test = Callable[[Log], bool]


def matcher(condition: Condition) -> Test:
    """Whether a log fits."""
    match condition:
        case Text(text, is_prefix):
            found = _word(text, is_prefix=is_prefix).search
            return lambda log: found(log.message) is not None
        case Levels(lowest, highest):
            return lambda log: lowest <= log.level <= highest
        case OfTemplate(template_id):
            return lambda log: log.is_of(template_id)
        case Has(name):
            return lambda log: _has(name, log)
        case Field(name, value, is_prefix):
            return _field(name, value, is_prefix=is_prefix)
        case Not(negated):
            test = matcher(negated)
            return lambda log: not test(log)
        case AllOf(conditions):
            tests = list(map(matcher, conditions))
            return lambda log: all(test(log) for test in tests)
        case AnyOf(conditions):
            tests = list(map(matcher, conditions))
            return lambda log: any(test(log) for test in tests)


def piece_matcher(text: str) -> Test:
    """Whether a piece of text is in the message, in any case, also within words."""
    found = re.compile(re.escape(text), re.IGNORECASE).search
    return lambda log: found(log.message) is not None


def _word(text: str, *, is_prefix: bool) -> re.Pattern[str]:
    begins = r"(?<!\w)" if re.match(r"\w", text) else ""
    ends = r"(?!\w)" if re.search(r"\w\Z", text) and not is_prefix else ""
    return re.compile(begins + re.escape(text) + ends, re.IGNORECASE)


def _field(name: str, value: str, *, is_prefix: bool) -> Test:
    def test(log: Log) -> bool:
        held = _text_of(name, log)
        return held is not None and (held.startswith(value) if is_prefix else held == value)

    return test


def _has(name: str, log: Log) -> bool:
    if not name.startswith(METADATA):
        return name == "application" or log.fields.get(name) is not None
    return any(_at(log.metadata, path) is not None for path in _paths(name))


def _text_of(name: str, log: Log) -> str | None:
    if not name.startswith(METADATA):
        return log.fields.get(name)
    texts = (_text(_at(log.metadata, path)) for path in _paths(name))
    return next((text for text in texts if text is not None), None)


def _paths(name: str) -> Iterator[list[str]]:
    key = name.removeprefix(METADATA)
    yield [key]
    if "." in key:
        yield key.split(".")


def _at(value: bytes, path: list[str]) -> bytes | None:
    """The JSON text under a path; arrays are entered by number, from either end."""
    for step in path:
        found: msgspec.Raw | None = None
        if value.startswith(b"{"):
            found = _decode_object(value).get(step)
        elif value.startswith(b"[") and _INDEX.fullmatch(step):
            elements, index = _decode_array(value), int(step)
            found = elements[index] if -len(elements) <= index < len(elements) else None
        if found is None:
            return None
        value = bytes(found)
    return value


def _text(value: bytes | None) -> str | None:
    """As SQL's ``#>>``: a string without its quotes, a null as nothing, all else as it is written."""
    if value is None or value == b"null":
        return None
    return _decode_text(value) if value.startswith(b'"') else value.decode()
