"""From logging.LogRecord to Sluice's JSON: `snapshot` in the thread that logs, `Encoder` in the one that sends."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from sluice_logging.plain import Plain, shorten, text_of

MAX_MESSAGE_CHARACTERS = 65_536  # what Sluice keeps of a message
_ENTRY_BYTES = 600  # an entry without its texts
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "_logger", "_name"}
_COLUMNS = ("trace_id", "span_id", "session_id", "host", "service", "version")
_OPENTELEMETRY = {"otelTraceID": "trace_id", "otelSpanID": "span_id", "otelServiceName": "service"}
# What structlog's processors put into an event besides its own fields; the record has them already.
_EVENT_ONLY = frozenset(
    ("event", "level", "logger", "timestamp", "exc_info", "stack_info", "_record", "_from_structlog")
)
_LEVELS = ((50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO"))

ExceptionInfo = tuple[Optional[type[BaseException]], Optional[BaseException], Any]


class Entry(NamedTuple):
    """One log as the queue holds it. Nothing in it refers to objects of the application."""

    created: float  # seconds since 1970
    level: int
    level_name: str
    logger: str
    message: str
    fields: dict[str, Any]  # columns and metadata, plain JSON values
    source: tuple[
        str, int, str | None, int | None, str | None, str | None
    ]  # file, line, function, process, thread, task
    size_bytes: int  # about what it takes in memory


def snapshot(record: logging.LogRecord) -> Entry:
    """What is to be kept of a record, taken now: its arguments and extras may change once the call has returned.

    A message that cannot be formatted is kept unformatted.
    """
    plain = Plain()
    message, fields = _message_and_fields(record, plain)
    if len(message) > MAX_MESSAGE_CHARACTERS:
        fields["message_characters"] = len(message)
        message = message[:MAX_MESSAGE_CHARACTERS]
    size_bytes = _ENTRY_BYTES + plain.size_bytes + (len(message) if message.isascii() else 4 * len(message))
    return Entry(
        record.created,
        record.levelno,
        record.levelname,
        record.name,
        message,
        fields,
        (
            record.pathname,
            record.lineno,
            record.funcName,
            record.process,
            record.threadName,
            getattr(record, "taskName", None),
        ),
        size_bytes,
    )


def _message_and_fields(record: logging.LogRecord, plain: Plain) -> tuple[str, dict[str, Any]]:
    values = record.__dict__
    names = values.keys() - _STANDARD
    fields = {name: plain.value(values[name]) for name in names} if names else {}
    exception: Any = record.exc_info
    if isinstance(record.msg, Mapping) and not record.args:
        message = _event_message(record.msg, fields, plain)
        exception = exception or record.msg.get("exc_info")
    else:
        message = _formatted(record, fields)
    if isinstance(fields.get("extra"), dict):
        message = _without_loguru_format(message, record)
        fields.update(fields.pop("extra"))
    if exception:
        _add(fields, "exception", plain.value(_exception_fields(exception)))
    elif record.exc_text:
        _add(fields, "exception", {"stacktrace": plain.value(record.exc_text)})
    if record.stack_info:
        _add(fields, "stack", plain.value(record.stack_info))
    return message, fields


def _formatted(record: logging.LogRecord, fields: dict[str, Any]) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001  # wrong arguments, or the application's code in them
        fields["message_error"] = text_of(error)
        return f"{text_of(record.msg)} {text_of(record.args)}"


def _event_message(event: Mapping[Any, Any], fields: dict[str, Any], plain: Plain) -> str:
    """The message of a dict that was logged, such as structlog's events; its other items become fields."""
    values = plain.value(event)
    message = values.get("event", values.get("message"))
    if not isinstance(message, str):
        return json.dumps(values)
    fields.update((name, value) for name, value in values.items() if name not in _EVENT_ONLY and name != "message")
    return message


def _without_loguru_format(message: str, record: logging.LogRecord) -> str:
    """The message proper: loguru hands over its whole formatted line, with the traceback of the exception."""
    if record.exc_info:
        message = message.partition("\nTraceback (most recent call last):")[0]
    mark = f" | {record.name}:{record.funcName}:{record.lineno} - "
    start = message.find(mark, 0, len(mark) + 100)
    return (message[start + len(mark) :] if start >= 0 else message).rstrip("\n")


def _exception_fields(exception: object) -> dict[str, Any]:
    """Type, message and traceback of ``exc_info`` in any of the forms that logging and structlog know."""
    if exception is True:
        exception = sys.exc_info()
    if isinstance(exception, BaseException):
        exception = (type(exception), exception, exception.__traceback__)
    if not isinstance(exception, tuple) or len(exception) != 3 or exception[0] is None:
        return {}
    kind, value, trace = exception
    name = getattr(kind, "__qualname__", None) or text_of(kind)
    module = getattr(kind, "__module__", "builtins")
    try:
        stacktrace = "".join(traceback.format_exception(kind, value, trace))
    except Exception as error:  # noqa: BLE001  # it is the application's code
        stacktrace = f"<cannot be formatted: {text_of(error)}>"
    return {
        "type": name if module == "builtins" else f"{module}.{name}",
        "message": text_of(value),
        "stacktrace": shorten(stacktrace),
    }


def _add(fields: dict[str, Any], name: str, value: Any) -> None:
    """Adds a field of ours without hiding one of the application."""
    while name in fields:
        name = f"_{name}"
    if value:
        fields[name] = value


class Encoder:
    """Makes JSON of entries. ``columns`` are those of every record (host, service, version), ``metadata`` likewise."""

    def __init__(self, columns: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
        self._columns = dict(columns)
        self._metadata: dict[str, Any] = Plain().value(metadata) if metadata else {}

    def encode(self, entry: Entry) -> bytes:
        """The entry as one JSON object in ASCII."""
        return json.dumps(self.document(entry), separators=(",", ":"), default=text_of).encode("ascii")

    def document(self, entry: Entry) -> dict[str, Any]:
        """The entry as the object that Sluice takes."""
        metadata = {**self._metadata, **entry.fields}
        columns = {**self._columns, **_own_columns(metadata)}
        level = _level(entry.level)
        if entry.level_name != level:
            _add(metadata, "level_name", entry.level_name)
        file, line, function, process, thread, task = entry.source
        where = {"file": file, "line": line, "function": function, "process": process, "thread": thread, "task": task}
        _add(metadata, "source", {name: value for name, value in where.items() if value is not None})
        document: dict[str, Any] = {"level": level, "logger": entry.logger, "message": entry.message}
        timestamp = _timestamp(entry.created)
        if timestamp:
            document["timestamp"] = timestamp
        return {**document, **columns, "metadata": metadata}


def _own_columns(metadata: dict[str, Any]) -> dict[str, str]:
    """Takes out of ``metadata`` what has a column of its own, under our name or else OpenTelemetry's."""
    columns: dict[str, str] = {}
    for name in _COLUMNS:
        if isinstance(metadata.get(name), (str, int)) and metadata[name] != "":
            columns[name] = str(metadata.pop(name))
    metadata.pop("otelTraceSampled", None)
    for name, column in _OPENTELEMETRY.items():
        value = metadata.pop(name, None)
        if isinstance(value, str) and value.strip("0"):  # "0" says that there is no span
            columns.setdefault(column, value)
    return columns


def _level(number: int) -> str:
    """The standard level at or below ``number``."""
    return next((name for bound, name in _LEVELS if number >= bound), "DEBUG")


def _timestamp(created: float) -> str | None:
    """RFC 3339 in UTC with microseconds; None for a time that is none."""
    try:
        return datetime.fromtimestamp(created, timezone.utc).isoformat(timespec="microseconds")
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def loss_entry(count: int, totals: dict[str, int]) -> Entry:
    """A log of our own: ``count`` logs were lost since the last such log; ``totals`` since the program began."""
    record = logging.LogRecord("sluice_logging", logging.WARNING, __file__, 0, "%d logs were lost", (count,), None)
    record.__dict__["lost"] = totals
    return snapshot(record)
