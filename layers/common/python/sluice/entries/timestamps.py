"""Timestamps as clients write them."""

import math
import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The unit of an epoch number follows from its magnitude: seconds reach 1e11 in the year 5138.
_UNITS_PER_SECOND = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (math.inf, 1_000_000_000))
MAX_CHARACTERS = 60
# 2026-03-01T12:00:60.123456789Z and its relatives: lower-case z, slashes, a named zone, Go's "+0000 UTC", second 60.
_LIKE_ISO = re.compile(
    r"(\d{4})[-/](\d{2})[-/](\d{2})[T ](\d{2}:\d{2}):(\d{2})([.,]\d+)? ?"
    r"([+-]\d{2}:?\d{2})?(?:Z|(?: ?(?:UTC|GMT)))?",
    re.ASCII | re.IGNORECASE,
)
# Sun, 01 Mar 2026 12:00:00 GMT (HTTP, mail) and 01/Mar/2026:12:00:00 +0000 (web servers).
_DAY_FIRST = re.compile(
    r"(?:[a-z]{3,9},? )?(\d{1,2})[ /-]([a-z]{3})[ /-](\d{4})[ :](\d{2}:\d{2}):(\d{2})([.,]\d+)?(?: ?"
    r"(?:([+-]\d{2}:?\d{2})|UTC|GMT|Z))?",
    re.ASCII | re.IGNORECASE,
)
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: f"{number:02}" for number, name in enumerate(_MONTH_NAMES, 1)}


def timestamp(value: object) -> datetime:
    """The aware UTC datetime that text or a number stands for. Raises TypeError, ValueError or OverflowError."""
    if isinstance(value, str):
        return timestamp_from_text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timestamp_from_number(value)
    raise TypeError("a time is text or a number")


def timestamp_from_text(text: str) -> datetime:
    """A time in one of the forms loggers write, or an epoch number in text form, as an aware UTC datetime; naive means
    UTC. Digits beyond the microsecond are dropped; a leap second (:60) is the first second of the next minute.

    Raises ValueError or OverflowError for anything else, and outside the years 1 to 9999.
    """
    stripped = text.strip()
    if len(stripped) > MAX_CHARACTERS:
        raise ValueError("too long for a time")
    try:
        moment = datetime.fromisoformat(stripped)
    except ValueError:
        return _from_other_form(stripped)
    if stripped.isdigit():  # fromisoformat would read 20261124 as a date, clients mean seconds
        return timestamp_from_number(int(stripped))
    return in_utc(moment)


def timestamp_from_number(number: float) -> datetime:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970 (told apart by magnitude), to the microsecond.

    Raises ValueError or OverflowError outside the years 1 to 9999.
    """
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    per_second = next(units for limit, units in _UNITS_PER_SECOND if abs(number) < limit)
    if isinstance(number, int):
        return _EPOCH + timedelta(microseconds=number * 1_000_000 // per_second)
    return _EPOCH + timedelta(seconds=number / per_second)


def _from_other_form(text: str) -> datetime:
    if match := _LIKE_ISO.fullmatch(text):
        year, month, day, minute, second, fraction, zone = match.groups()
    elif match := _DAY_FIRST.fullmatch(text):
        day, name, year, minute, second, fraction, zone = match.groups()
        month, day = _MONTHS.get(name.lower(), name), day.zfill(2)
    else:
        return timestamp_from_number(_number(text))
    is_leap = second == "60"
    iso = f"{year}-{month}-{day}T{minute}:{'59' if is_leap else second}{fraction or ''}{zone or ''}"
    return in_utc(datetime.fromisoformat(iso)) + timedelta(seconds=is_leap)


def in_utc(moment: datetime) -> datetime:
    """The same moment, aware; naive means UTC."""
    """The same moment, aware; naive means UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _number(text: str) -> float:
    if len(text) > 40 or not text.isascii() or "_" in text:
        raise ValueError("neither a time nor an epoch number")
    try:
        return int(text)
    except ValueError:
        return float(text)
