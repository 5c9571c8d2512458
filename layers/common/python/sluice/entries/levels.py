"""Severity levels as clients write them."""

from sluice.entries.model import Level

_NAMES = {
    Level.DEBUG: "debug trace verbose fine finer finest all",
    Level.INFO: "info information informational notice log config",
    Level.WARNING: "warning warn",
    Level.ERROR: "error err severe failure",
    Level.CRITICAL: "critical crit fatal panic emerg emergency alert dpanic",
}
_BY_NAME = {name: level for level, names in _NAMES.items() for name in names.split()}
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


def level_from_text(text: str) -> Level | None:
    """The level a word or a number in text form stands for; None for a word nobody knows.

    >>> level_from_text(" Warn ")
    <Level.WARNING: 30>
    """
    word = text.strip().lower()
    known = _BY_NAME.get(word)
    if known is not None or not word.isascii() or not word.isdigit() or len(word) > 4:
        return known
    return level_from_number(int(word))


def level_from_number(number: float) -> Level:
    """0 to 7 are syslog severities (RFC 5424), everything above is Python's scale (10, 20, 30, 40, 50)."""
    if 0 <= number <= 7 and number == int(number):
        return _BY_SYSLOG[int(number)]
    for level in (Level.DEBUG, Level.INFO, Level.WARNING, Level.ERROR):
        if number <= level:
            return level
    return Level.CRITICAL
