"""Values in a message, recognised by their shape alone, become ``<*>``: numbers, addresses, paths, identifiers, dates.

Pure and linear: only the first characters of a message count, and no pattern can match in two ways. What may be a value
and may be a constant (``en0``, ``user=root``) is left to the miner, which sees more than one line.
"""

import re
from collections.abc import Callable

from sluice.templates.model import WILDCARD

MASK_VERSION = 3  # of the rules below: a line masked by other rules has another key
MAX_CHARACTERS = 4096  # of a message; what follows is one value

_CACHED = 50_000
_CACHED_CHARACTERS = 100
_CACHED_DIGITS = 3  # of a value: longer ones seldom come again

# A path or URL with its query, and without a stop that no sentence ends with; the name of a function; or anything else.
_CHUNK = re.compile(
    r"""=?(?:[A-Za-z][A-Za-z0-9+.-]{0,20}:)?//?[^\s,;()\[\]{}<>"'|]*(?:((?<=\.)(?=\s[a-z])))?"""
    r"""|=?[^\s,;=()\[\]{}<>"'|]+\(?"""
)
# Values as by the rules below, found sooner, with the marks beside them.
_VALUE = re.compile(
    r"([(\[]*+)(?:\d\w*+(?:\.\w++)*+(?::\d\w*+(?:\.\w++)*+){0,2}+([.:!?]*+)"
    r"|[0-9a-fA-F]{8,}+|/[\w-](?:[\w-]|[./](?=[\w-]))*+)([,;)\]]*+)"
)
_OPENING, _CLOSING = "([{\"'", ")]}\"',;"  # at the ends of a word, where they are no part of a chunk
_PART = re.compile(r"[\w-]++(?:\.[\w-]++)*+")  # a word that is one
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_MONTH_NAMES = frozenset(_MONTHS.split("|"))
_SHORT_TIME_OR_MONTH = re.compile(rf"<\d|\A(?:{_MONTHS})\b")
_FUNCTION = re.compile(r"[^\W\d][\w.:$]*\(")
_SHORT_TIME = re.compile(r"(?<![^\s(])<\d+ ?[a-z]{1,4}\b")
_CALENDAR_DATE = re.compile(
    r"""(?<![^\s(\[,;="'])(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? (?:\d{1,2} )?"""
    rf"(?:{_MONTHS})\b" + r"(?: {1,2}\d{1,2}\b)?(?: \d{4}\b)?"
    r"(?: \d{1,2}:\d\d(?::\d\d)?)?(?: [A-Z]{3,4}\b)?(?: \d{4}\b)?(?: [+-]\d{4}\b)?"
)
_JOINED = re.compile(r"<\*>(?:[.:/@+#-]?<\*>)+")
_QUOTED = re.compile(r'"[^"]*"')
_DIGIT = re.compile(r"\d")
_PATH = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]*://|(?:file:|jar:file:)/|[A-Za-z]:[\\/]|~?/+|\.{1,2}/)[^/\\].*", re.DOTALL
)
_COLONS = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{1,4}::?){3,}[0-9A-Fa-f]{0,4}(?!\w)")
_LEADER = re.compile(r"(\.{2,})")
_NUMBERED = re.compile(r"([^\W\d]\D*[.@#$]|[#*@$]+)(?=[A-Fa-f]*\d)[0-9A-Fa-f]++")
_VERSIONED = re.compile(r"([^\W\d]+-)v?\d+(?:\.\w+)+")
_NUMBER_AND_WORD = re.compile(r"[+-]?\d+(-[^\W\d_]+)")
_NUMBER = re.compile(r"[+-]?\d")
_NUMBER_AND_SIGN = re.compile(r"[+-]?\d[\d.]*([%°])")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{8,}")
_LITERALS = frozenset({"true", "false", "null", "True", "False", "TRUE", "FALSE", "NULL"})
_HOST = re.compile(r"[^\W_][\w-]*(?:\.[\w-]+){2,}")


def mask(message: str) -> str:
    """The message with its values as ``<*>``, blanks squeezed; at most 2 * MAX_CHARACTERS long."""
    if len(message) <= MAX_CHARACTERS:
        return _masked(message)
    return f"{_masked(message[:MAX_CHARACTERS])} {WILDCARD}"


def _masked(text: str) -> str:
    try:
        masked = " ".join(map(_word, text.split()))
    except _NeedsContextError:
        masked = _mask_in_context(text)
    return _QUOTED.sub(_join_quoted, masked) if '"' in masked else masked


def _mask_in_context(text: str) -> str:
    return " ".join(_mask_chunks(_CALENDAR_DATE.sub(WILDCARD, _SHORT_TIME.sub(WILDCARD, text))).split())


class _NeedsContextError(Exception):
    """What a word is depends on those beside it."""


class _Masked(dict[str, str]):
    """Masked words or chunks, by what they were; forgets all when it is full."""

    def __init__(self, mask_one: Callable[[str], str]) -> None:
        self._mask_one = mask_one

    def __missing__(self, text: str) -> str:
        if text.isdecimal():
            masked, most = WILDCARD, _CACHED_DIGITS
        elif found := _VALUE.fullmatch(text):
            before, tail, after = found.groups("")
            masked, most = f"{before}{WILDCARD}{tail}{after}", _CACHED_DIGITS
        else:
            masked, most = self._mask_one(text), _CACHED_CHARACTERS
        if len(text) <= most:
            if len(self) >= _CACHED:
                self.clear()
            self[text] = masked
        return masked


def _mask_word(word: str) -> str:
    if word.isalpha() and word not in _LITERALS and word not in _MONTH_NAMES:
        return word
    if _SHORT_TIME_OR_MONTH.search(word) or (word[-1] == "." and "/" in word):
        raise _NeedsContextError
    if _PART.fullmatch(word):
        return _mask_part(word)
    if word[0] in _OPENING or word[-1] in _CLOSING:
        body = word.lstrip(_OPENING)
        core = body.rstrip(_CLOSING)
        return word[: len(word) - len(body)] + (_words[core] if core else "") + body[len(core) :]
    return _mask_chunks(word)


def _mask_chunks(text: str) -> str:
    return _JOINED.sub(WILDCARD, _CHUNK.sub(_mask_match, text))


def _mask_match(match: re.Match[str]) -> str:
    chunk = match[0][:-1] if match.lastindex else match[0]
    return _mask_chunk(chunk) if len(chunk) == len(match.string) else _chunks[chunk]


def _join_quoted(match: re.Match[str]) -> str:
    quoted = match[0]
    while f"{WILDCARD} {WILDCARD}" in quoted:
        quoted = quoted.replace(f"{WILDCARD} {WILDCARD}", WILDCARD)
    return quoted


def _mask_chunk(chunk: str) -> str:
    if chunk[-1] == "(":
        return chunk if _FUNCTION.fullmatch(chunk) else (_mask_chunk(chunk[:-1]) if len(chunk) > 1 else "") + "("
    if chunk[0] != "=":
        return _mask_value(chunk)
    value = chunk[1:]
    core = value.rstrip(".:!?")
    if value.count(".") >= 2 or "/" in value or "\\" in value or "@" in value or _DIGIT.search(value):
        return f"={WILDCARD}{value[len(core) :]}" if core else chunk
    return "=" + _mask_value(value)


def _mask_value(text: str) -> str:
    core = text.rstrip(".:!?")
    tail = text[len(core) :]
    if _PATH.fullmatch(core):
        return WILDCARD + tail
    if "://" in core:
        start = core.rfind(":", 0, core.find("://")) + 1
        return (_mask_value(core[:start]) if start else "") + WILDCARD + tail
    if ".." in core:
        return "".join(map(_mask_value, _LEADER.split(core))) + tail
    if ":" not in core:
        return _mask_part(core) + tail
    parts = _COLONS.sub(WILDCARD, core).split(":")
    masked = [_mask_part(part) for part in parts]
    for index in range(len(parts) - 1):
        if masked[index + 1] == WILDCARD and (_HOST.fullmatch(parts[index]) or _DIGIT.search(parts[index])):
            masked[index] = WILDCARD
    return ":".join(masked) + tail


def _mask_part(part: str) -> str:
    if part in _LITERALS or _PATH.fullmatch(part):
        return WILDCARD
    digits = len(_DIGIT.findall(part))
    if "/" in part and (digits or "." in part):
        return WILDCARD
    if _HEXADECIMAL.fullmatch(part):
        return WILDCARD
    if not digits:
        return part
    if found := _NUMBERED.fullmatch(part):
        return found[1] + WILDCARD
    if found := _VERSIONED.fullmatch(part):
        return found[1] + WILDCARD
    if found := _NUMBER_AND_WORD.fullmatch(part) or _NUMBER_AND_SIGN.fullmatch(part):
        return WILDCARD + found[1]
    if digits >= 3 or len(part) >= 6 or _NUMBER.match(part):
        return WILDCARD
    return part


_words, _chunks = _Masked(_mask_word), _Masked(_mask_chunk)
_word = _words.__getitem__
