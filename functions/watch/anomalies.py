"""The step that watches for anomalies."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sluice.alerts.watermark import watermark
from sluice.anomalies.watch import Watcher
from sluice.metrics.model import Sample
from sluice.metrics.ports import MetricStore
from sluice.runtime.observability import Logger, Metrics, keep
from sluice.streams.ports import QueueInspection


@dataclass(frozen=True, slots=True)
class Anomalies:
    """The use case."""

    watcher: Watcher
    queue: QueueInspection
    now: Callable[[], datetime]
    logger: Logger
    metrics: Metrics
    store: Callable[[], MetricStore] | None = None

    def watch(self, has_time: Callable[[], bool]) -> dict[str, Any]:
        """Judges what is complete by now, until time is up."""
        began_at = self.now()
        shards = self.queue.shards()
        oldest = [self.queue.inspect(shard, max_entries=1, max_pending=0).oldest_seconds for shard in shards]
        complete_until = watermark(began_at, oldest).replace(second=0, microsecond=0)
        watched = self.watcher.run(complete_until, has_time, self._failed)
        samples = [Sample("buckets_watched", watched.buckets), Sample("anomalies_found", watched.opened)]
        keep(self.metrics, self.store, self.logger, [sample for sample in samples if sample.value])
        return {"evaluated": watched.buckets, "found": watched.opened, "behind": watched.is_behind}

    def _failed(self, application_id: int, error: Exception) -> None:
        self.logger.error("an application cannot be watched", exc_info=error, extra={"application_id": application_id})
        sample = Sample("errors", 1, {"service": "watch", "code": "application_not_watched"})
        keep(self.metrics, self.store, self.logger, [sample])
