"""When each request is to start, whatever became of those before it (an open loop). Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Requests at an even pace: number i (from 0) is due i / rate seconds after the start."""

    rate: float  # requests per second
    duration_seconds: float

    @property
    def request_count(self) -> int:
        """Requests in the whole run, at least one."""
        return max(round(self.rate * self.duration_seconds), 1)

    def due_seconds(self, number: int) -> float:
        """Seconds after the start."""
        return number / self.rate

    def due_count(self, elapsed_seconds: float) -> int:
        """How many requests were due by then."""
        return min(int(elapsed_seconds * self.rate) + 1, self.request_count)
