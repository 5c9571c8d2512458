"""Draining pass by pass: when the queue is empty, and when nothing moves any more. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum

# What a dead run held becomes claimable after 90 s: giving up earlier would be wrong.
PATIENCE_SECONDS = 100.0
MAX_FAILED_PASSES = 5
_LATEST = ("backlog_entries",)
_SETTLED = ("stored", "duplicate", "redelivered", "dead_lettered", "acknowledged")


class Outcome(StrEnum):
    """How repeated draining ended."""

    empty = "empty"
    stuck = "stuck"
    interrupted = "interrupted"


@dataclass
class Drainage:
    """The passes so far. `counts` are sums, but for the backlog, which is the last pass's."""

    started_seconds: float
    passes: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    _moved_seconds: float | None = None
    _failed_passes: int = 0

    def add(self, done: dict[str, int], now_seconds: float) -> Outcome | None:
        """Takes in what one pass did; the outcome if there is no point in another one."""
        backlog = done["backlog_entries"]
        is_less = self.passes > 0 and backlog < self.counts["backlog_entries"]  # others drain, too
        self.passes += 1
        for name, count in done.items():
            self.counts[name] = count if name in _LATEST else self.counts.get(name, 0) + count
        if not backlog:
            return Outcome.empty
        if is_less or any(done.get(name) for name in _SETTLED):
            self._moved_seconds, self._failed_passes = now_seconds, 0
            return None
        self._failed_passes += bool(done["chunks_failed"])
        since = self.started_seconds if self._moved_seconds is None else self._moved_seconds
        is_stuck = self._failed_passes >= MAX_FAILED_PASSES or now_seconds - since >= PATIENCE_SECONDS
        return Outcome.stuck if is_stuck else None
