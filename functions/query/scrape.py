"""GET /metrics: what Prometheus reads, each metric from where its truth is."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from sluice.errors import SluiceError
from sluice.ledger.audit import audit
from sluice.ledger.model import Totals
from sluice.ledger.postgres import PostgresLedger
from sluice.ledger.postgres_throughput import PostgresPipeline
from sluice.metrics.exposition import exposition
from sluice.metrics.model import Distribution, Sample
from sluice.metrics.ports import MetricStore
from sluice.metrics.postgres import PgBouncerPools
from sluice.metrics.postgres_analysis import PostgresAnalysis
from sluice.metrics.redis import RedisMemory
from sluice.metrics.registry import METRICS, Kind, MetricName, Place
from sluice.notifications.postgres_backlog import PostgresBacklog
from sluice.runtime.observability import Logger, utc_now
from sluice.runtime.postgres import Database
from sluice.streams.inspection import ShardState
from sluice.streams.ports import QueueInspection, QueueLedger

_OF_APPLICATIONS: tuple[MetricName, ...] = (
    "accepted",
    "stored",
    "duplicate",
    "dead_lettered",
    "in_flight",
    "unaccounted",
)
_ALWAYS_SHOWN = {
    name
    for name, metric in METRICS.items()
    if metric.place is Place.KEPT and metric.kind is Kind.COUNTER and not metric.labels
}


@dataclass(frozen=True, slots=True)
class Scrape:
    """The use case."""

    database: Database
    queue: QueueLedger
    inspection: QueueInspection
    backlog_limit_bytes: int
    store: MetricStore
    memory: RedisMemory
    pools: PgBouncerPools
    logger: Logger

    def page(self) -> str:
        """The text. A source that is away takes only its own metrics with it, and ``sluice_source_up`` says so."""
        distributions: list[Distribution] = []
        sources: dict[str, Callable[[], Iterable[Sample]]] = {
            "ledger": self._ledger,
            "queue": self._queue,
            "counts": lambda: self._counts(distributions),
            "dead_letters": self._dead_letters,
            "analysis": PostgresAnalysis(self.database).read,
            "notifications": self._notifications,
            "redis": self.memory.read,
            "pgbouncer": self.pools.read,
        }
        samples = [sample for name, read in sources.items() for sample in self._ask(name, read)]
        return exposition(samples, distributions)

    def _ask(self, source: str, read: Callable[[], Iterable[Sample]]) -> list[Sample]:
        try:
            samples, is_up = list(read()), 1
        except SluiceError as error:
            extra = {"source": source, "code": error.code, "detail": error.detail}
            self.logger.warning("a source of metrics is away", extra=extra)
            samples, is_up = [], 0
        return [Sample("source_up", is_up, {"source": source}), *samples]

    def _ledger(self) -> list[Sample]:
        ledger = PostgresLedger(self.database, None)
        names = ledger.application_names()
        totals = audit(self.queue, ledger)
        samples = [
            Sample(metric, asdict(totals.get(application_id, Totals()))[metric], {"application": name})
            for metric in _OF_APPLICATIONS
            for application_id, name in sorted(names.items())
        ]
        return [*samples, Sample("queue_rolled_back", any(found.queue_rolled_back for found in totals.values()))]

    def _queue(self) -> list[Sample]:
        states = [self.inspection.inspect(shard, max_entries=1, max_pending=1) for shard in self.inspection.shards()]
        groups = [state.group for state in states if state.group]
        return [
            Sample("backlog", sum(state.size_bytes for state in states)),
            Sample("backlog_limit", self.backlog_limit_bytes),
            Sample("backlog_entries", sum(state.entry_count for state in states)),
            Sample("lag", max(state.oldest_seconds or 0.0 for state in states)),
            Sample("pending_entries", sum(group.pending_count for group in groups)),
            Sample("oldest_pending", max(map(_oldest_pending, states))),
        ]

    def _counts(self, distributions: list[Distribution]) -> list[Sample]:
        samples, found = self.store.read()
        distributions += found
        # A counter that begins with its first event hides it from Prometheus's increase().
        silent = _ALWAYS_SHOWN - {sample.name for sample in samples}
        return [*samples, *(Sample(name, 0) for name in sorted(silent))]

    def _dead_letters(self) -> list[Sample]:
        count, _ = PostgresPipeline(self.database).count_open_letters()
        return [Sample("dead_letters_open", count)]

    def _notifications(self) -> list[Sample]:
        backlog = PostgresBacklog(self.database).read(utc_now())
        return [
            Sample("notifications_pending", backlog.pending),
            Sample("oldest_notification", backlog.oldest_seconds),
        ]


def _oldest_pending(state: ShardState) -> float:
    return max((entry.age_seconds for entry in state.pending), default=0.0)
