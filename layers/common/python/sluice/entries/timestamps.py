"""Timestamps as clients write them."""

import math
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The unit of an epoch number follows from its magnitude: seconds reach 1e11 in the year 5138.
_UNITS_PER_SECOND = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (math.inf, 1_000_000_000))


def timestamp_from_text(text: str) -> datetime:
    """An RFC 3339 / ISO 8601 time, or an epoch number in text form, as an aware UTC datetime; naive means UTC.

    Raises ValueError or OverflowError for anything else.
    """
    stripped = text.strip()
    try:
        moment = datetime.fromisoformat(stripped)
    except ValueError:
        return timestamp_from_number(_number(stripped))
    if stripped.isdigit():  # fromisoformat would read 20261124 as a date, clients mean seconds
        return timestamp_from_number(int(stripped))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


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


def _number(text: str) -> float:
    if len(text) > 40 or not text.isascii() or "_" in text:
        raise ValueError("neither RFC 3339 nor an epoch number")
    try:
        return int(text)
    except ValueError:
        return float(text)
