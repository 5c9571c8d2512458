"""The step that tells channels what happened."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sluice.applications.ports import Clock
from sluice.metrics.model import Sample
from sluice.metrics.ports import MetricStore
from sluice.notifications.model import ChannelKind, Claim, Outcome, Result
from sluice.notifications.ports import Sender
from sluice.notifications.postgres import EVENTS_AT_ONCE, PostgresDispatch
from sluice.notifications.postgres_backlog import PostgresBacklog
from sluice.notifications.tasks import task_of
from sluice.runtime.crash_points import crash_point
from sluice.runtime.observability import Logger, Metrics, keep

LEASE = timedelta(seconds=15)  # longer than an attempt takes; deliver sends nothing after it
SENDS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The use case: events become messages, messages are sent until they arrive. Wherever it is killed, the next run
    goes on: what was claimed is sent again, under the same id, when its lease is over."""

    dispatch: PostgresDispatch
    backlog: PostgresBacklog
    sender: Sender
    pepper: bytes
    now: Clock
    logger: Logger
    metrics: Metrics
    store: Callable[[], MetricStore] | None = None
    lease: timedelta = LEASE

    def run(self, has_time: Callable[[], bool]) -> dict[str, Any]:
        """Routes all new events and sends what is due, until nothing is left or time is up."""
        events, messages = self._route(has_time)
        if __debug__:
            crash_point("dispatch.after_route")
        totals = self._send_all(has_time)
        given_up = self.dispatch.give_up(self.now()) + totals["given_up"]
        backlog = self.backlog.read(self.now())
        keep(self.metrics, self.store, self.logger, [Sample("notifications_given_up", given_up)] if given_up else [])
        self.metrics.add("notifications_pending", backlog.pending)
        self.metrics.add("oldest_notification", backlog.oldest_seconds)
        if given_up:
            self.logger.error("messages were given up", extra={"messages": given_up})
        results = {result.value: totals[result] for result in Result}
        return {"events": events, "messages": messages, **results, "given_up": given_up, "pending": backlog.pending}

    def _route(self, has_time: Callable[[], bool]) -> tuple[int, int]:
        events = messages = 0
        while has_time():
            routed = self.dispatch.route(self.now())
            events, messages = events + routed.events, messages + routed.messages
            if routed.events < EVENTS_AT_ONCE:
                break
        return events, messages

    def _send_all(self, has_time: Callable[[], bool]) -> Counter[str]:
        """A channel that fails gets nothing more in this run."""
        totals: Counter[str] = Counter()
        resting: set[str] = set()
        with ThreadPoolExecutor(SENDS_AT_ONCE) as pool:
            while has_time() and (claims := self.dispatch.claim(self.now(), self.lease, SENDS_AT_ONCE, resting)):
                if __debug__:
                    crash_point("dispatch.after_claim")
                for claim, outcome in self._sent(pool, claims):
                    if __debug__:
                        crash_point("dispatch.after_send")
                    totals["given_up"] += self.dispatch.settle(claim, outcome, self.now())
                    if __debug__:
                        crash_point("dispatch.after_settle")
                    totals[outcome.result] += 1
                    self._count(claim.kind, outcome)
                    if outcome.result is not Result.DELIVERED:
                        resting.add(claim.channel_id)
        return totals

    def _sent(self, pool: ThreadPoolExecutor, claims: Sequence[Claim]) -> Iterator[tuple[Claim, Outcome]]:
        """In the order in which they end."""
        not_after = (self.now() + self.lease).timestamp()
        futures = {pool.submit(self.sender.send, task_of(claim, self.pepper, not_after)): claim for claim in claims}
        return ((futures[future], future.result()) for future in as_completed(futures))

    def _count(self, kind: ChannelKind, outcome: Outcome) -> None:
        labels = {"kind": kind.value, "result": outcome.result.value}
        keep(self.metrics, self.store, self.logger, [Sample("notifications", 1, labels)])
