"""Records as well-known loggers write them, brought under our own names.

A logger's name for a field is read as ours where ours is absent and the value fits; else it stays what it is, a field
of the client's, and goes to the metadata. Pino's and bunyan's records, told by their shape, have levels on a scale of
their own (30 is INFO there, and WARNING in Python).
"""

from collections.abc import Callable
from typing import Any

from sluice.entries.levels import level_from_pino
from sluice.entries.model import MAX_FIELD_CHARACTERS
from sluice.entries.timestamps import timestamp

ALIASES = {
    "message": ("msg", "event", "log", "short_message", "@message", "@m", "@mt"),
    "timestamp": ("time", "ts", "@timestamp", "datetime", "date", "asctime", "@t"),
    "level": ("severity", "log.level", "levelname", "lvl", "loglevel", "@l"),
    "trace_id": ("trace.id", "traceId", "traceid"),
    "span_id": ("span.id", "spanId", "spanid"),
    "session_id": ("session.id", "sessionId"),
    "logger": ("logger_name", "loggerName", "log.logger"),
    "host": ("hostname", "host.name"),
    "service": ("service.name",),
    "version": ("service.version",),
}
_PINO = {"level", "time"}
_PINO_ORIGIN = {"pid", "hostname"}
_NAMES = frozenset(name for names in ALIASES.values() for name in names) | _PINO_ORIGIN
_EARLIEST_EPOCH = 1e8  # 1973: a smaller number under "time" is a duration


def with_own_names(record: dict[str, Any], foreign: set[str]) -> dict[str, Any]:
    """``record`` with what a logger calls otherwise under our names; ``foreign`` are its keys that are not ours."""
    if foreign.isdisjoint(_NAMES):
        return record
    renamed = dict(record)
    for own, aliases in ALIASES.items():
        if record.get(own) is None:
            _rename(renamed, own, aliases, _FITS.get(own, _is_short_text))
    if _is_pino(record):
        renamed["level"] = level_from_pino(record["level"]).name
        renamed.setdefault("message", "")  # pino writes none for an object that was logged alone
        _rename(renamed, "logger", ("name",), _is_short_text)
    elif "levelname" in foreign:  # Python's logging calls the logger so
        _rename(renamed, "logger", ("name",), _is_short_text)
    return renamed


def _rename(record: dict[str, Any], own: str, aliases: tuple[str, ...], fits: Callable[[Any], bool]) -> None:
    if record.get(own) is not None:
        return
    for alias in aliases:
        if alias in record and fits(record[alias]):
            record[own] = record.pop(alias)
            return


def _is_pino(record: dict[str, Any]) -> bool:
    level = record.get("level")
    is_shaped = record.keys() >= _PINO and not record.keys().isdisjoint(_PINO_ORIGIN)
    return is_shaped and isinstance(level, int | float) and not isinstance(level, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_short_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_FIELD_CHARACTERS


def _is_time(value: Any) -> bool:
    try:
        timestamp(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return isinstance(value, str) or value >= _EARLIEST_EPOCH


def _is_level(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int | float) and value == value and not isinstance(value, bool))


_FITS: dict[str, Callable[[Any], bool]] = {"message": _is_text, "timestamp": _is_time, "level": _is_level}
