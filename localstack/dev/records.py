"""One log line, of whatever program, as a record."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

LEVELS = ("debug", "info", "warning", "error", "critical")
# What Powertools says in every line, and the view says already or need not say.
_BOILERPLATE = {
    *("level", "message", "timestamp", "service", "location", "cold_start", "xray_trace_id", "sampling_rate"),
    *("function_name", "function_memory_size", "function_arn", "function_request_id"),
    *("exception", "exception_name", "stack_trace"),
}
_PLATFORM = re.compile(r"(INIT_START|START|END|REPORT|EXTENSION|XRAY)\b.*(RequestId|Runtime Version)")
_ALIASES = {"warn": "warning", "fatal": "critical", "panic": "critical", "notice": "info", "log": "info"}
_WORD = re.compile(r"\b(debug|info|notice|log|warn|warning|error|critical|fatal|panic)\b[:\]]?", re.IGNORECASE)
_SERVER_TIME = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?(?: UTC)? ?(?:\[\d+\] )?")
_REDIS_LINE = re.compile(r"^\d+:[A-Z] (\d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3}) ([.\-*#]) (.*)", re.DOTALL)
_REDIS_LEVELS = {".": "debug", "-": "debug", "*": "info", "#": "warning"}


@dataclass(frozen=True)
class Record:
    """`kind` is log, metrics (an EMF document) or platform (START, END, REPORT); `detail` is a traceback."""

    at: datetime
    source: str
    level: str
    message: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    detail: str = ""
    kind: str = "log"


def of_function(source: str, line: str, received_at: datetime) -> Record:
    """A line of a function: JSON of Powertools, a metrics document, a word of the platform, or plain text."""
    line = line.rstrip("\n")
    if _PLATFORM.match(line):
        return Record(received_at, source, "debug", line.replace("\t", " ").strip(), kind="platform")
    try:
        document = json.loads(line)
    except json.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        return Record(received_at, source, _level_in(line, "info"), line)
    if "_aws" in document:
        values = {name: value for name, value in document.items() if name not in ("_aws", "service")}
        return Record(received_at, source, "debug", "metrics", values, kind="metrics")
    return Record(
        _time(document.get("timestamp"), received_at),
        source,
        _level(str(document.get("level", "info"))),
        _text(document.get("message", "")),
        {name: value for name, value in document.items() if name not in _BOILERPLATE},
        detail=str(document.get("exception") or ""),
    )


def of_server(source: str, line: str, received_at: datetime) -> Record:
    """A line of a server's log file."""
    line = line.rstrip("\n")
    if redis := _REDIS_LINE.match(line):
        at = datetime.strptime(redis[1], "%d %b %Y %H:%M:%S.%f").replace(tzinfo=UTC)
        return Record(at, source, _REDIS_LEVELS[redis[2]], redis[3])
    if line.startswith('{"'):  # the emulator repeats what functions log
        return Record(received_at, source, "debug", line)
    if not (stamped := _SERVER_TIME.match(line)):
        return Record(received_at, source, _level_in(line, "info"), line)
    at = datetime.fromisoformat(stamped[1]).replace(microsecond=int((stamped[2] or "0").ljust(6, "0")), tzinfo=UTC)
    rest = line[stamped.end() :]
    level = _level_in(rest, "info")
    if source == "emulator" and level == "info":
        level = "debug"  # bookkeeping: 40 lines for a deployment, 3 for a scheduled drain
    return Record(at, source, level, _WORD.sub("", rest, count=1).strip(" :") if rest else "")


def _level(word: str) -> str:
    word = word.lower()
    word = _ALIASES.get(word, word)
    return word if word in LEVELS else "info"


def _level_in(text: str, otherwise: str) -> str:
    found = _WORD.search(text[:80])
    return _level(found[1]) if found else otherwise


def _time(text: Any, otherwise: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(str(text).replace(",", "."))
    except ValueError:
        return otherwise
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _text(message: Any) -> str:
    return message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
