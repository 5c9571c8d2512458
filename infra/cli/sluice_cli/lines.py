"""Lines of a log file as records of the ingest API. Pure; nothing of a line is ever lost."""

import json
import re
from datetime import datetime
from typing import Any

type JsonObject = dict[str, Any]

# Names under which the usual loggers write a message, as the ingest API understands them.
_LEVELS = {
    "TRACE": "DEBUG",
    "VERBOSE": "DEBUG",
    "DEBUG": "DEBUG",
    "INFO": "INFO",
    "NOTICE": "INFO",
    "LOG": "INFO",
    "WARN": "WARNING",
    "WARNING": "WARNING",
    "ERR": "ERROR",
    "ERROR": "ERROR",
    "CRIT": "CRITICAL",
    "CRITICAL": "CRITICAL",
    "ALERT": "CRITICAL",
    "EMERG": "CRITICAL",
    "FATAL": "CRITICAL",
    "PANIC": "CRITICAL",
}
_REDIS_LEVELS = {".": "DEBUG", "-": "DEBUG", "*": "INFO", "#": "WARNING"}

# 2026-11-24T13:48:56.123Z, 2026-11-24 13:48:56,123 UTC, [2026-11-24 13:48:56 +0100]
_ISO_TIME = re.compile(
    r"[\[(<]?(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}))?"
    r"(?: ?(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)\b)?",
    re.ASCII,
)
# 4321:M 24 Nov 2026 13:48:56.123 * Ready to accept connections
_REDIS_LINE = re.compile(
    r"\d+:[A-Z] (?P<time>\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3}) (?P<level>[.*#-]) ", re.ASCII
)
# A level word in capitals that stands by itself near the beginning, or level=word.
_LEVEL_WORD = re.compile(rf"(?:^|[\s\[(<|])(?P<level>{'|'.join(_LEVELS)})\d?(?=$|[\s\])>|:,])")
_LEVEL_PAIR = re.compile(r'\b(?:level|lvl|severity)="?(?P<level>[A-Za-z]{3,8})\b')
_LEVEL_SEARCHED_CHARACTERS = 80


def decode_line(line: bytes) -> str:
    """The line without its line break; bytes that are not UTF-8 stay readable as \\xNN."""
    return line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "backslashreplace")


def parse_line(line: str) -> JsonObject:
    """The record to send for a line without line break.

    A JSON object is sent as it is; if it has no message, the line becomes one and the object its metadata. Any other
    line is the message, whole. Timestamp and level are added where they are recognised: at the beginning of a line, or
    in an object under another name. A time without zone is left without one, which the API takes as UTC.
    """
    fields = _json_object(line)
    if fields is None:
        return {"message": line, **_recognised(line)}
    if fields.get("message") is None:
        return {"message": line, "metadata": fields, **_known_fields(fields)}
    return {**_known_fields(fields), **fields}


def _json_object(line: str) -> JsonObject | None:
    if not line.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _known_fields(fields: JsonObject) -> JsonObject:
    """Level and timestamp of a foreign JSON log, under the names that loggers use for them."""
    level = next(
        (_LEVELS[word] for word in map(_upper, _values(fields, "level", "severity", "lvl")) if word in _LEVELS), None
    )
    times = (value for value in _values(fields, "timestamp", "time", "ts", "@timestamp") if isinstance(value, str))
    timestamp = next((found for found in map(_iso_timestamp, times) if found), None)
    return _present(timestamp=timestamp, level=level)


def _values(fields: JsonObject, *names: str) -> list[Any]:
    return [fields[name] for name in names if name in fields]


def _upper(value: object) -> str:
    return value.upper() if isinstance(value, str) else ""


def _recognised(line: str) -> JsonObject:
    redis = _REDIS_LINE.match(line)
    if redis:
        return _present(timestamp=_redis_timestamp(redis["time"]), level=_REDIS_LEVELS[redis["level"]])
    return _present(timestamp=_iso_timestamp(line), level=_level(line[:_LEVEL_SEARCHED_CHARACTERS]))


def _present(**fields: str | None) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}


def _iso_timestamp(text: str) -> str | None:
    match = _ISO_TIME.match(text)
    if match is None:
        return None
    zone = {"Z": "+00:00", "UTC": "+00:00", "GMT": "+00:00", None: ""}.get(match["zone"], match["zone"])
    fraction = (match["fraction"] or "0")[:6]
    try:
        return datetime.fromisoformat(f"{match['date']}T{match['time']}.{fraction}{zone}").isoformat()
    except ValueError:
        return None


def _redis_timestamp(text: str) -> str | None:
    try:
        return datetime.strptime(text, "%d %b %Y %H:%M:%S.%f").isoformat()  # noqa: DTZ007  # the line has no zone
    except ValueError:
        return None


def _level(beginning: str) -> str | None:
    pair = _LEVEL_PAIR.search(beginning)
    if pair and pair["level"].upper() in _LEVELS:
        return _LEVELS[pair["level"].upper()]
    word = _LEVEL_WORD.search(beginning)
    return _LEVELS[word["level"]] if word else None
