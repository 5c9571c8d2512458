"""Moments as operators write them: RFC 3339, or a span such as 15m before or after now."""

import re
from datetime import UTC, datetime, timedelta

from sluice_cli.errors import SettingsError

_SPAN = re.compile(r"[+-]?(?P<count>\d{1,6})(?P<unit>[smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def past_moment(text: str, now: datetime) -> str:
    """RFC 3339 in UTC of `text`; a span (-15m or 15m) reaches back from `now`. Raises SettingsError."""
    return _moment(text, now, -1)


def future_moment(text: str, now: datetime) -> str:
    """RFC 3339 in UTC of `text`; a span (90d or +90d) reaches forward from `now`. Raises SettingsError."""
    return _moment(text, now, +1)


def span_seconds(text: str) -> int:
    """Seconds of a span such as 30m or 24h. Raises SettingsError."""
    span = _SPAN.fullmatch(text.strip())
    if span is None or text.strip().startswith("-"):
        raise SettingsError(f"{text!r} is no span of time", "Write 0s, 30m, 24h or 7d.")
    return int(timedelta(**{_UNITS[span["unit"]]: int(span["count"])}).total_seconds())


def _moment(text: str, now: datetime, direction: int) -> str:
    span = _SPAN.fullmatch(text.strip())
    try:
        if span:
            moment = now + direction * timedelta(**{_UNITS[span["unit"]]: int(span["count"])})
        else:
            moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError) as error:
        example = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        raise SettingsError(f"{text!r} is no time", f"Write {example}, or a span such as 15m, 2h or 7d.") from error
