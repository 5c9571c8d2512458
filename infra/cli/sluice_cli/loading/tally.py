"""What became of the requests. Pure, but for a lock: many threads count."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

from sluice_cli.loading.histogram import Histogram

PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9)
# Waiting for a free connection is the server's doing (or too low a --concurrency), waking late the generator's own.
_MAX_WAITING_SHARE = 0.01
_MAX_OWN_LAG_SECONDS = 0.05
_MAX_PROCESSOR_SHARE = 0.5  # of a core: on a busy machine nobody gets a whole one


@dataclass(frozen=True)
class Reply:
    """How one request ended, retries included. code: "" for 202, else e.g. "503 backlog_full" or "no answer: timeout".

    is_known: False where no answer came, so that the logs may have been taken all the same.
    """

    code: str
    accepted: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)  # records by code, of an accepted request
    is_known: bool = True
    retries: int = 0


@dataclass
class Tally:
    """Counts of requests and logs; latency runs from when a request was due, service time from when it was sent."""

    latency: Histogram = field(default_factory=Histogram)
    service: Histogram = field(default_factory=Histogram)
    own_lag: Histogram = field(default_factory=Histogram)
    started: int = 0
    answered: int = 0
    accepted_requests: int = 0
    accepted_logs: int = 0
    unknown_requests: int = 0
    not_sent: int = 0
    waited: int = 0
    retries: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    rejected_logs: Counter[str] = field(default_factory=Counter)
    last_seconds: float = 0.0  # when the last answer came, after the start
    _lock: Lock = field(default_factory=Lock)

    def start(self, *, lag_seconds: float, has_waited: bool) -> None:
        """A request goes out, so much after it was due."""
        with self._lock:
            self.started += 1
            if has_waited:
                self.waited += 1
            else:
                self.own_lag.record(lag_seconds)

    def finish(self, reply: Reply, *, due: float, sent: float, ended: float) -> None:
        """A request has ended; seconds after the start of the run."""
        with self._lock:
            self.answered += 1
            self.latency.record(ended - due)
            self.service.record(ended - sent)
            self.last_seconds = max(self.last_seconds, ended)
            self.retries += reply.retries
            if reply.code:
                self.errors[reply.code] += 1
            else:
                self.accepted_requests += 1
            self.unknown_requests += not reply.is_known
            self.accepted_logs += reply.accepted
            self.rejected_logs.update(reply.rejected)

    def leave_out(self, waiting_seconds: float) -> None:
        """A request that was due was never sent. That it has waited so long already counts as its latency."""
        with self._lock:
            self.not_sent += 1
            self.latency.record(waiting_seconds)

    @property
    def in_flight(self) -> int:
        """Requests without an answer yet."""
        return self.started - self.answered

    def percentiles(self, histogram: Histogram) -> dict[str, float]:
        """Milliseconds by name: p50, ..., p99.9, max."""
        with self._lock:
            found = {f"p{percent:g}": histogram.percentile(percent) for percent in PERCENTS}
            return {name: round(value * 1000, 2) for name, value in (found | {"max": histogram.max_seconds}).items()}

    def warnings(self, processor_share: float) -> list[str]:
        """Why the numbers may say more of the generator than of the platform."""
        found = []
        if processor_share > _MAX_PROCESSOR_SHARE or self.own_lag.percentile(99) > _MAX_OWN_LAG_SECONDS:
            found.append(
                f"The generator itself may have been the limit (processor {processor_share:.0%}, p99 of its own delay "
                f"{self.own_lag.percentile(99) * 1000:.0f} ms): lower --rate, or raise --batch, or use more machines."
            )
        if self.waited + self.not_sent > _MAX_WAITING_SHARE * (self.started + self.not_sent):
            share = (self.waited + self.not_sent) / (self.started + self.not_sent)
            found.append(
                f"{share:.0%} of the requests waited for a free connection: the platform is slower than --rate asks, "
                "or --concurrency is too low. Their wait is in the latency."
            )
        return found
