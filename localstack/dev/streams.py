"""Where log lines come from: CloudWatch Logs of the functions, and the files of the servers."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dev import records
from dev.records import Record

# The emulator writes a function's lines when the invocation ends, and its clock is ours.
OVERLAP = timedelta(seconds=5)
FIRST_LOOK_BYTES = 16_384
TRACEBACK_BEGIN = "Traceback (most recent call last):"


class FunctionStream:
    """The log group of one function, from `since` on."""

    def __init__(self, client: Any, source: str, group: str, since: datetime) -> None:
        self._client, self.source, self._group = client, source, group
        self._since = since
        self._seen: set[tuple[str, int, str, int]] = set()

    def read(self) -> Iterator[Record]:
        """What is new; nothing while there is no such group or no answer."""
        start = int((self._since - OVERLAP).timestamp() * 1000)
        try:
            pages = self._client.get_paginator("filter_log_events").paginate(logGroupName=self._group, startTime=start)
            events = [event for page in pages for event in page["events"]]
        except (BotoCoreError, ClientError):
            return
        repeated: Counter[tuple[str, int, str]] = Counter()
        fresh, seen = [], set()
        for event in events:
            key = (event["logStreamName"], event["timestamp"], event["message"])
            seen.add((*key, repeated[key]))
            if (*key, repeated[key]) not in self._seen:
                fresh.append(event)
            repeated[key] += 1
        self._seen = seen
        if events:
            self._since = max(self._since, _moment(events[-1]["timestamp"]))
        for event in _joined(fresh):
            yield records.of_function(self.source, event["message"], _moment(event["timestamp"]))


class FileStream:
    """A server's log file: its end at first, then what is added; a file that was replaced is read from its start."""

    def __init__(self, source: str, file: Path, *, from_now: bool = False) -> None:
        self.source, self._file = source, file
        size = file.stat().st_size if file.exists() else 0
        self._position = size if from_now else max(size - FIRST_LOOK_BYTES, 0)
        self._is_inside_line = self._position > 0 and not from_now

    def read(self) -> Iterator[Record]:
        """What is new, whole lines only."""
        try:
            with self._file.open("rb") as file:
                if file.seek(0, 2) < self._position:
                    self._position = 0
                file.seek(self._position)
                content = file.read()
        except FileNotFoundError:
            return
        whole, newline, _ = content.rpartition(b"\n")
        self._position += len(whole) + len(newline)
        lines = whole.decode(errors="replace").splitlines()
        if self._is_inside_line and lines:
            del lines[0]
            self._is_inside_line = False
        now = datetime.now(UTC)
        for line in filter(None, lines):
            record = records.of_server(self.source, line, now)
            now = record.at  # a line without a time, such as a statement's second, is of the same moment
            yield record


def _joined(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The emulator splits at line feeds; a traceback is one event again, as on AWS."""
    result: list[dict[str, Any]] = []
    for event in events:
        message, last = event["message"], result[-1] if result else None
        if last and TRACEBACK_BEGIN in last["message"] and last["logStreamName"] == event["logStreamName"]:
            previous = last["message"].rpartition("\n")[2]
            if message.startswith(" ") or previous.startswith((" ", TRACEBACK_BEGIN)):
                result[-1] = last | {"message": f"{last['message']}\n{message}"}
                continue
        result.append(event)
    return result


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
