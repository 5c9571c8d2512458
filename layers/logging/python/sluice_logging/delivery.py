"""Brings one batch to Sluice, however often that takes."""

from __future__ import annotations

import time
from collections.abc import Callable

from sluice_logging.batches import Batch
from sluice_logging.report import Counters, Reporter
from sluice_logging.retry import MAX_FAILURES, Answer, NoAnswer, Verdict, backoff_seconds, judge


class Delivery:
    """`post` sends a batch once and raises NoAnswer; `pause` waits (see Buffer.pause); `settle` is told of each record
    whose fate is known."""

    def __init__(
        self,
        post: Callable[[Batch], Answer],
        pause: Callable[[float, float], bool],
        settle: Callable[[int], None],
        counters: Counters,
        reporter: Reporter,
    ) -> None:
        self._post, self._pause, self._settle = post, pause, settle
        self._counters, self._reporter = counters, reporter

    def deliver(self, batch: Batch) -> bool:
        """Tries until the batch is accepted or refused. False if time is up: its fate is open."""
        failures = 0
        while True:
            verdict = self._try(batch)
            failures += 1
            if verdict.action == "split":
                first, second = batch.halves()
                return self.deliver(first) and self.deliver(second)
            if verdict.action == "failed" and failures >= MAX_FAILURES:
                verdict = Verdict("refused", f"{verdict.reason}, {failures} times")
            if verdict.action in ("accepted", "refused"):
                self._conclude(batch, verdict)
                return True
            self._reporter.say("retry", f"cannot send logs, trying again: {verdict.reason}")
            if not self._pause(backoff_seconds(failures), verdict.wait_seconds):
                return False
            self._counters.retries += 1

    def _try(self, batch: Batch) -> Verdict:
        try:
            return judge(self._post(batch), batch.count, time.time())
        except NoAnswer as error:
            return Verdict("retry", str(error))

    def _conclude(self, batch: Batch, verdict: Verdict) -> None:
        counters = self._counters
        counters.delivered += verdict.accepted
        counters.rejected += verdict.rejected
        if verdict.rejected:
            self._reporter.say("rejected", f"{verdict.rejected} logs were rejected: {verdict.reason}")
        elif verdict.action == "refused":
            counters.refused += batch.count
            self._reporter.say(f"refused {verdict.reason[:3]}", f"{batch.count} logs were refused: {verdict.reason}")
        self._settle(batch.count)
