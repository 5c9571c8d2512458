"""The step that watches sessions. What is odd in them, the step of anomalies tells."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sluice.alerts.watermark import stored_until
from sluice.anomalies.session_watch import SessionWatcher
from sluice.metrics.model import Sample
from sluice.metrics.ports import MetricStore
from sluice.runtime.observability import Logger, Metrics, keep
from sluice.streams.ports import QueueInspection


@dataclass(frozen=True, slots=True)
class Sessions:
    """The use case."""

    watcher: SessionWatcher
    queue: QueueInspection
    now: Callable[[], datetime]
    logger: Logger
    metrics: Metrics
    store: Callable[[], MetricStore] | None = None

    def watch(self, has_time: Callable[[], bool]) -> dict[str, Any]:
        """Judges the sessions that are complete by now, until time is up."""
        began_at = self.now()
        complete_until = stored_until(self.queue, began_at).replace(second=0, microsecond=0)
        watched = self.watcher.run(complete_until, has_time, self._failed)
        samples = [
            Sample("sessions_judged", watched.sessions),
            Sample("sessions_skipped", watched.skipped.total_seconds()),
        ]
        keep(self.metrics, self.store, self.logger, [sample for sample in samples if sample.value])
        self.metrics.add("sessions_behind", watched.behind.total_seconds())
        self.metrics.add("sessions_sampled", watched.sampled)
        return {
            "judged": watched.sessions,
            "pieces": watched.pieces,
            "sampled": watched.sampled,
            "behind_seconds": round(watched.behind.total_seconds()),
            "skipped_seconds": round(watched.skipped.total_seconds()),
        }

    def _failed(self, application_id: int, error: Exception) -> None:
        extra = {"application_id": application_id}
        self.logger.error("an application's sessions cannot be watched", exc_info=error, extra=extra)
        sample = Sample("errors", 1, {"service": "watch", "code": "sessions_not_watched"})
        keep(self.metrics, self.store, self.logger, [sample])
