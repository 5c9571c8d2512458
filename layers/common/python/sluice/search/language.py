"""The query language: from text to a condition and back.

    query = [ any ]                            level:error app:checkout "connection refused" -healthcheck
    any   = all { "OR" all }
    all   = one { [ "AND" ] one }
    one   = ( "NOT" | "-" ) one | "(" any ")" | term
    term  = value | field ":" value | "has:" field
    value = ( word | '"' … '"' ) [ "*" ]       of a level: [ "<" | "<=" | ">" | ">=" ] name

Time is linear in the text's length, which is bounded, as are its depth and the number of terms.
"""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import NamedTuple

from sluice.entries.model import Level
from sluice.errors import RejectedInput
from sluice.search.model import (
    EVERYTHING,
    FIELDS,
    METADATA,
    AllOf,
    AnyOf,
    Condition,
    Field,
    Has,
    Levels,
    Not,
    OfTemplate,
    Text,
    all_of,
    any_of,
)

MAX_CHARACTERS = 4_096
MAX_DEPTH = 20  # of parentheses and negations
MAX_TERMS = 64
ALIASES = {"app": "application", "trace": "trace_id", "span": "span_id", "session": "session_id"}
FIELD_NAMES = ("level", "template", *FIELDS, *ALIASES, f"{METADATA}KEY", "has")
LEVEL_NAMES = tuple(level.name.lower() for level in Level)
LEVEL_ALIASES = {
    "trace": "debug",
    "notice": "info",
    "warn": "warning",
    "err": "error",
    "crit": "critical",
    "fatal": "critical",
}
CONDITION = ("a word", '"a phrase"', "field:value", "(", "-")

# Each piece of text can be matched in one way only, so no input makes them go back.
_QUOTED = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN = re.compile(rf'\s+|[()]|-|(?:[^\s()"]|{_QUOTED})+', re.DOTALL)
_NAME = re.compile(rf'([^":]*)({_QUOTED})?', re.DOTALL)
_VALUE = re.compile(rf'({_QUOTED}|[^"*]*)(\*?)', re.DOTALL)
_COMPARISON = re.compile(r"([<>]=?)?([^<>=]*)", re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')
_PLAIN = re.compile(r'[^\s()":*<>=-][^\s()":*]*')
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class _Token(NamedTuple):
    text: str
    start: int


def parse_condition(text: str) -> Condition:
    """The condition that ``text`` states. Raises RejectedInput ``invalid_query``, whose members tell the ``position``
    of the mistake (characters from 0) and what was ``expected`` there."""
    if len(text) > MAX_CHARACTERS:
        raise _mistake(MAX_CHARACTERS, "the query is too long", f"at most {MAX_CHARACTERS} characters")
    if unstorable := _UNSTORABLE.search(text):
        raise _mistake(unstorable.start(), "no log holds this character", "another one")
    return _Parser(text).parse()


def text_of(condition: Condition) -> str:
    """Text that ``parse_condition`` reads as ``condition``."""
    match condition:
        case Text(text, is_prefix):
            return _value_text(text, is_prefix)
        case Field(name, value, is_prefix):
            return f"{_name_text(name)}:{_value_text(value, is_prefix)}"
        case Has(name):
            return f"has:{_name_text(name)}"
        case OfTemplate(template_id):
            return f"template:{template_id}"
        case Levels(lowest, highest) if lowest == highest:
            return f"level:{lowest.name.lower()}"
        case Levels(lowest, highest):
            return f"level:<={highest.name.lower()}" if lowest == Level.DEBUG else f"level:>={lowest.name.lower()}"
        case Not(negated):
            inner = text_of(negated)
            return f"-({inner})" if isinstance(negated, AllOf | AnyOf) and negated.conditions else f"-{inner}"
        case AllOf(conditions):
            parts = [f"({text_of(part)})" if isinstance(part, AnyOf) else text_of(part) for part in conditions]
            return " ".join(parts) or "*"
        case AnyOf(conditions):
            return " OR ".join(map(text_of, conditions))


def level_named(text: str) -> Level | None:
    """The level of that name or alias, in any case. Only these: what senders write in a hundred ways, and some by
    mistake, is known by its name once it is stored."""
    name = text.lower()
    name = LEVEL_ALIASES.get(name, name)
    return Level[name.upper()] if name in LEVEL_NAMES else None


def no_level(text: str) -> str:
    """What is wrong with ``text``, which names no level."""
    return f"{text!r} is no level{_meant(text, (*LEVEL_NAMES, *LEVEL_ALIASES))}"


def _meant(text: str, names: Iterable[str]) -> str:
    """Asks whether the nearest of ``names`` was meant, if one is near."""
    return "".join(f"; did you mean {name}?" for name in get_close_matches(text.lower(), names, 1))


def _mistake(position: int, problem: str, *expected: str) -> RejectedInput:
    error = RejectedInput("invalid_query", f"{problem} (at {position}); expected: {', '.join(expected)}")
    error.members = {"position": position, "expected": list(expected)}
    return error


def _tokens(text: str) -> Iterator[_Token]:
    """Parentheses, leading minus signs, and terms up to the next blank or parenthesis outside of quotes."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _mistake(at, "this quote is never closed", '"')
        if not found[0].isspace():
            yield _Token(found[0], at)
        at = found.end()


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._length = len(text)
        self._tokens = list(_tokens(text))
        self._tokens.reverse()  # the next one is the last
        self._depth = self._term_count = 0

    def parse(self) -> Condition:
        condition = self._any() if self._tokens else EVERYTHING
        if self._tokens:  # all else would have been read as a term
            raise _mistake(self._tokens[-1].start, "this parenthesis was never opened", *CONDITION)
        return condition

    def _next_is(self, *texts: str) -> bool:
        return bool(self._tokens) and self._tokens[-1].text in texts

    def _any(self) -> Condition:
        conditions = [self._all()]
        while self._next_is("OR"):
            self._tokens.pop()
            conditions.append(self._all())
        return any_of(*conditions)

    def _all(self) -> Condition:
        conditions = [self._one()]
        while self._tokens and not self._next_is("OR", ")"):
            if self._next_is("AND"):
                self._tokens.pop()
            conditions.append(self._one())
        return all_of(*conditions)

    def _one(self) -> Condition:
        if not self._tokens or self._next_is("AND", "OR", ")"):
            at = self._tokens[-1].start if self._tokens else self._length
            raise _mistake(at, "a condition is missing", *CONDITION)
        token = self._tokens.pop()
        if token.text not in ("NOT", "-", "("):
            self._term_count += 1
            if self._term_count > MAX_TERMS:
                raise _mistake(token.start, "too many terms", f"at most {MAX_TERMS}")
            return _term(token)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _mistake(token.start, "too deep", f"at most {MAX_DEPTH} parentheses and negations within each other")
        condition = self._parenthesised(token) if token.text == "(" else self._negated(token)
        self._depth -= 1
        return condition

    def _negated(self, token: _Token) -> Condition:
        if token.text == "-" and self._tokens and self._tokens[-1].start > token.start + 1:
            raise _mistake(token.start + 1, "a minus stands right before what it excludes", *CONDITION)
        return Not(self._one())

    def _parenthesised(self, opening: _Token) -> Condition:
        condition = self._any()
        if not self._tokens:
            raise _mistake(opening.start, "this parenthesis is never closed", ")")
        self._tokens.pop()
        return condition


def _term(token: _Token) -> Condition:
    text, start = token
    head = _NAME.match(text)
    if head is None or text[head.end() : head.end() + 1] != ":":
        value, is_prefix = _value(text, start)
        if not value and not is_prefix:
            raise _mistake(start, "there is nothing between the quotes", "text")
        return Text(value, is_prefix) if value else EVERYTHING
    rest, rest_start = text[head.end() + 1 :], start + head.end() + 1
    if head[0] == "has":
        return Has(_field_name(rest, rest_start))
    if head[0] == "level":
        return _levels(rest, rest_start)
    if head[0] == "template":
        return _template(rest, rest_start)
    name = _field_name(head[0], start)
    if not rest:
        raise _mistake(rest_start, f"{name} has no value", "a value", '"a value"', "*")
    if rest[0] in "<>":
        raise _mistake(rest_start, "only levels can be compared", '"a value"')
    value, is_prefix = _value(rest, rest_start)
    return Has(name) if is_prefix and not value else Field(name, value, is_prefix)


def _field_name(text: str, start: int) -> str:
    """The field's name in full, a quoted key of the metadata without its quotes."""
    head = _NAME.fullmatch(text)
    if head and head[1] == METADATA and head[2]:
        return METADATA + _unquoted(head[2])
    if (text.startswith(METADATA) and text != METADATA and '"' not in text) or text in FIELDS:
        return text
    if text in ALIASES:
        return ALIASES[text]
    problem = f"there is no field {text!r}, and text with a colon needs quotes{_meant(text, FIELD_NAMES)}"
    raise _mistake(start, problem, *FIELD_NAMES)


def _value(text: str, start: int) -> tuple[str, bool]:
    """The text, and whether a ``*`` makes it a prefix."""
    found = _VALUE.match(text)
    end = found.end() if found else 0
    if found is None or end < len(text):
        problem = "a star stands at the end" if "*" in text[:end] else "text with quotes or stars within needs quotes"
        raise _mistake(start + end, problem, "a blank", "the text in quotes")
    return _unquoted(found[1]) if found[1].startswith('"') else found[1], bool(found[2])


def _template(text: str, start: int) -> Condition:
    template_id = template_id_of(text)
    if template_id is None:
        raise _mistake(start, f"{text!r} is no template's id", "a number, as GET /api/templates shows it")
    return OfTemplate(template_id)


def template_id_of(text: str) -> int | None:
    """The id of a template, which may exist or not; None if it cannot."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0
    return number if 0 < number < 2**31 else None


def _levels(text: str, start: int) -> Condition:
    found = _COMPARISON.fullmatch(text)
    name = found[2].strip('"') if found else text
    level = level_named(name)
    if found is None or level is None:
        raise _mistake(start + len(text) - len(text.lstrip("<>=")), no_level(name), *LEVEL_NAMES, ">=warning")
    match found[1]:
        case ">=":
            return Levels(level, Level.CRITICAL)
        case "<=":
            return Levels(Level.DEBUG, level)
        case None:
            return Levels(level, level)
    every = sorted(Level)
    beyond = every.index(level) + (1 if found[1] == ">" else -1)
    if not 0 <= beyond < len(every):
        raise _mistake(
            start, f"no level is {'above' if found[1] == '>' else 'below'} {level.name.lower()}", *LEVEL_NAMES
        )
    return Levels(every[beyond], Level.CRITICAL) if found[1] == ">" else Levels(Level.DEBUG, every[beyond])


def _unquoted(text: str) -> str:
    return _ESCAPE.sub(r"\1", text[1:-1])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _value_text(value: str, is_prefix: bool) -> str:
    is_plain = _PLAIN.fullmatch(value) and value not in ("AND", "OR", "NOT")
    return (value if is_plain else _quoted(value)) + ("*" if is_prefix else "")


def _name_text(name: str) -> str:
    key = name.removeprefix(METADATA)
    return name if key == name or _PLAIN.fullmatch(key) else METADATA + _quoted(key)
