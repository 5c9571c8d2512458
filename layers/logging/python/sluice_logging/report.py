"""What the handler has to say about itself: counters, and lines on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

_SILENCE_SECONDS = 300.0


@dataclass
class Counters:
    """Records by what became of them, since the handler was made (in this process)."""

    delivered: int = 0
    rejected: int = 0  # by Sluice, one by one
    refused: int = 0  # by Sluice, with their batch
    undelivered: int = 0  # in the queue when time was up at the end
    retries: int = 0  # requests, not records


class Reporter:
    """Writes to standard error, of each kind one line in five minutes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said_at: dict[str, float] = {}

    def say(self, kind: str, text: str) -> None:
        """Writes the line unless one of its kind was written lately."""
        now = self._clock()
        if now - self._said_at.get(kind, now - _SILENCE_SECONDS) < _SILENCE_SECONDS:
            return
        self._said_at[kind] = now
        with suppress(Exception):  # there may be no standard error, or anything in its place
            sys.stderr.write(f"sluice_logging: {text}\n")
