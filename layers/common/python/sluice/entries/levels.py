"""Severity levels as clients write them."""

import re

from sluice.entries.model import Level

_NAMES = {
    Level.DEBUG: "debug dbg trace verbose vrb silly fine finer finest all",
    Level.INFO: "info inf information informational notice note log config default http success",
    Level.WARNING: "warning warn wrn",
    Level.ERROR: "error err eror severe failure",
    Level.CRITICAL: "critical crit fatal ftl panic emerg emergency alert dpanic",
}
_BY_NAME = {name: level for level, names in _NAMES.items() for name in names.split()}
LEVEL_NAMES = frozenset(_BY_NAME)
# INFO2 (OpenTelemetry), DEBUG5 (PostgreSQL), WARN+1 (Go's slog): a level, and how far off it is.
_QUALIFIED = re.compile(r"([a-z]+)(?:[1-5]|[+-]\d{1,2})", re.ASCII)
_BY_SYSLOG = (
    Level.CRITICAL,  # emerg
    Level.CRITICAL,  # alert
    Level.CRITICAL,  # crit
    Level.ERROR,
    Level.WARNING,
    Level.INFO,  # notice
    Level.INFO,
    Level.DEBUG,
)
_OTEL_NUMBERS = range(1, 25)
_LEVELS_BELOW = (Level.DEBUG, Level.INFO, Level.WARNING, Level.ERROR)


def level_from_text(text: str) -> Level | None:
    """The level a word or a number in text form stands for; None for a word nobody knows.

    >>> level_from_text(" Warn ")
    <Level.WARNING: 30>
    """
    word = text.strip().lower()
    known = _BY_NAME.get(word)
    if known is not None:
        return known
    if qualified := _QUALIFIED.fullmatch(word):
        return _BY_NAME.get(qualified[1])
    if not word.isascii() or not word.isdigit() or len(word) > 4:
        return None
    return level_from_number(int(word))


def level_from_number(number: float) -> Level:
    """0 to 7 are syslog severities (RFC 5424), everything above is Python's scale (10, 20, 30, 40, 50)."""
    if 0 <= number <= 7 and number == int(number):
        return _BY_SYSLOG[int(number)]
    for level in _LEVELS_BELOW:
        if number <= level:
            return level
    return Level.CRITICAL


def level_from_pino(number: float) -> Level:
    """The scale of pino and bunyan: trace 10, debug 20, info 30, warn 40, error 50, fatal 60."""
    for level in _LEVELS_BELOW:
        if number <= level + 10:
            return level
    return Level.CRITICAL


def severity_number(value: object) -> int | None:
    """OpenTelemetry's SeverityNumber (1 to 24) as a number or in text form; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 3:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value in _OTEL_NUMBERS else None


def level_from_otel(number: int) -> Level:
    """The level of a SeverityNumber: TRACE (1 to 4) folds into DEBUG, FATAL (21 to 24) is CRITICAL."""
    return (Level.DEBUG, Level.DEBUG, Level.INFO, Level.WARNING, Level.ERROR, Level.CRITICAL)[(number - 1) // 4]
