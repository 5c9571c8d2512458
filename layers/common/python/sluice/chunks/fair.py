"""Turns: which of the claimed entries runs next."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush

from sluice.streams.model import ClaimedEntry


@dataclass(slots=True)
class FairLine:
    """Claimed entries of one shard that wait for a run. The application that has had the fewest records is next (start-
    time fair queueing), so that one with a few entries does not wait for the backlog of another; within an application
    the order stays. Who comes late starts level with the others: waiting elsewhere earns no credit."""

    record_count: int = 0
    _waiting: dict[int, deque[ClaimedEntry]] = field(default_factory=dict)
    _turns: list[tuple[int, int]] = field(default_factory=list)  # heap: records had, application (0: unreadable)
    _level: int = 0

    def add(self, entries: Iterable[ClaimedEntry]) -> None:
        """Lets entries wait."""
        for entry in entries:
            application = entry.application_id or 0
            if application not in self._waiting:
                self._waiting[application] = deque()
                heappush(self._turns, (self._level, application))
            self._waiting[application].append(entry)
            self.record_count += entry.record_count

    def take(self, max_records: int, max_bytes: int) -> list[ClaimedEntry]:
        """The next entries, within the limits; one that exceeds a limit comes alone."""
        taken: list[ClaimedEntry] = []
        records = size = 0
        while self._turns:
            following = self._waiting[self._turns[0][1]][0]
            records += following.record_count
            size += following.line_bytes
            if taken and (records > max_records or size > max_bytes):
                break
            taken.append(self._next())
        return taken

    def empty(self) -> Iterator[ClaimedEntry]:
        """Takes all that is left."""
        while self._turns:
            yield self._next()

    def _next(self) -> ClaimedEntry:
        self._level, application = heappop(self._turns)
        waiting = self._waiting[application]
        entry = waiting.popleft()
        if waiting:
            heappush(self._turns, (self._level + max(1, entry.record_count), application))
        else:
            del self._waiting[application]
        self.record_count -= entry.record_count
        return entry
