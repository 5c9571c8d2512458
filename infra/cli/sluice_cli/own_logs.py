"""Sluice's own log lines as logs for Sluice to store: which of them, and in what form. Pure.

None may lead to another. What stores them leaves lines when all goes well, so only warnings and errors are taken; and
lines about nothing but their own application are left out, so that an outage is not told of again and again.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

LEVELS = ("WARNING", "ERROR", "CRITICAL")
_TAKEN = {"level", "message", "timestamp", "service", "location", "xray_trace_id"}


@dataclass(frozen=True, order=True)
class Line:
    """A line of a function's log group, when it was written (ms since the epoch), and in which stream."""

    written_ms: int
    function: str
    stream: str
    text: str

    @property
    def identity(self) -> str:
        """The same each time that the line is read: equal ones of one moment count once."""
        words = "\0".join((self.function, self.stream, str(self.written_ms), self.text))
        return hashlib.sha256(words.encode()).hexdigest()


def own_logs(lines: Iterable[Line], application_id: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is to be stored for the application, with each line's identity, in order of time."""
    for line in sorted(set(lines)):
        log = _log(line, application_id)
        if log is not None:
            yield line.identity, log


def _log(line: Line, application_id: int) -> dict[str, Any] | None:
    try:
        told = json.loads(line.text)
    except ValueError:  # the platform's
        return None
    if not isinstance(told, dict) or told.get("level") not in LEVELS or _is_about(told, line.function, application_id):
        return None
    return {
        "timestamp": line.written_ms,
        "level": told["level"],
        "message": str(told.get("message", "")),
        "service": line.function,
        "logger": str(told.get("location", "")),
        "trace_id": told.get("xray_trace_id"),
        "metadata": {name: value for name, value in told.items() if name not in _TAKEN},
    }


def _is_about(told: dict[str, Any], function: str, application_id: int) -> bool:
    """Whether the line is about the application's own logs alone. Of a chunk that failed drain tells, too, and knows
    whose it was."""
    if (function, told.get("message")) == ("process-chunk", "chunk failed"):
        return True
    return told.get("application_ids") == [application_id]
