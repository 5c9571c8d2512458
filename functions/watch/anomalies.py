"""The step that watches for anomalies, and tells what rules of that kind want to be told."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sluice.alerts.payload import MAX_SAMPLES
from sluice.alerts.ports import LogSource
from sluice.alerts.postgres_unusual import PostgresUnusual
from sluice.alerts.unusual import tell_anomaly
from sluice.alerts.watermark import stored_until
from sluice.anomalies.watch import Watcher
from sluice.metrics.model import Sample
from sluice.metrics.ports import MetricStore
from sluice.runtime.observability import Logger, Metrics, keep
from sluice.streams.ports import QueueInspection

TOLD_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Anomalies:
    """The use case."""

    watcher: Watcher
    unusual: PostgresUnusual
    open_source: Callable[[int, str], LogSource]
    queue: QueueInspection
    now: Callable[[], datetime]
    logger: Logger
    metrics: Metrics
    store: Callable[[], MetricStore] | None = None

    def watch(self, has_time: Callable[[], bool]) -> dict[str, Any]:
        """Judges what is complete by now, until time is up."""
        began_at = self.now()
        complete_until = stored_until(self.queue, began_at).replace(second=0, microsecond=0)
        watched = self.watcher.run(complete_until, has_time, self._failed)
        samples = [Sample("buckets_watched", watched.buckets), Sample("anomalies_found", watched.opened)]
        keep(self.metrics, self.store, self.logger, [sample for sample in samples if sample.value])
        told = self._tell(began_at)
        return {"evaluated": watched.buckets, "found": watched.opened, "told": told, "behind": watched.is_behind}

    def _tell(self, now: datetime) -> int:
        """Opens and resolves incidents, each change in a transaction of its own; how many."""
        pending = self.unusual.pending(now, TOLD_AT_ONCE)
        for one in pending:
            rule, anomaly = one.rule, one.anomaly
            source = self.open_source(rule["application_id"], rule["application"])
            window = anomaly["window_from"], anomaly["window_until"]
            samples = [] if one.incident_id else source.samples(anomaly["query"], *window, MAX_SAMPLES)
            self.unusual.settle([tell_anomaly(one, str(uuid4()), samples)])
        return len(pending)

    def _failed(self, application_id: int, error: Exception) -> None:
        self.logger.error("an application cannot be watched", exc_info=error, extra={"application_id": application_id})
        sample = Sample("errors", 1, {"service": "watch", "code": "application_not_watched"})
        keep(self.metrics, self.store, self.logger, [sample])
