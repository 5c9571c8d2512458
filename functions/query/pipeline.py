"""How the pipeline is doing, for operators' pages: an answer's work has a bound, however much there is."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sluice.admission.model import Rates
from sluice.admission.ports import UsageReader
from sluice.applications.model import KeyRecord, Limits, Scope
from sluice.applications.ports import Clock
from sluice.errors import Unavailable
from sluice.ledger.ports import SettledView
from sluice.runtime.observability import Logger
from sluice.streams.inspection import DrainState


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The use cases."""

    settled: SettledView
    limits_of: Callable[[Collection[int] | None], Mapping[str, tuple[int, Limits]]]  # as Reads.names; ids and limits
    usage_reader: UsageReader
    rates: Rates  # where nothing is set for an application
    backlog_limit_bytes: int
    drain_mode: str
    logger: Logger
    clock: Clock

    def show(self, drains: DrainState, shards: list[dict[str, Any]]) -> dict[str, Any]:
        """Drains, backlog, shards, dead letters and throughput; the last two are None while the database is away."""
        drain = {"mode": self.drain_mode} | asdict(drains)
        return {"drain": drain, "backlog": self._backlog(shards), "shards": shards} | self._settled()

    def usage(self, key: KeyRecord) -> dict[str, Any]:
        """What the key's application, or all, have used today, and what is left to them. Raises Unavailable."""
        visible = None if Scope.ADMIN in key.scopes else {key.application_id}
        applications = self.limits_of(visible)
        used = self.usage_reader.used(dict(applications.values()))
        shown = [
            {"application": name, "limits": self._limits(limits)} | asdict(used[application_id])
            for name, (application_id, limits) in applications.items()
        ]
        return {"applications": shown, "day_ends_at": _midnight(self.clock())}

    def _backlog(self, shards: list[dict[str, Any]]) -> dict[str, Any]:
        ages = [shard["oldest_seconds"] for shard in shards if shard["oldest_seconds"] is not None]
        return {
            "entries": sum(shard["entry_count"] for shard in shards),
            "bytes": sum(shard["size_bytes"] for shard in shards),
            "limit_bytes": self.backlog_limit_bytes,
            "lag_seconds": max(ages, default=None),
        }

    def _settled(self) -> dict[str, Any]:
        try:
            count, is_capped = self.settled.count_open_letters()
            throughput = self.settled.throughput()
        except Unavailable as error:  # the queue is looked at above all when the database is away
            self.logger.warning("only the queue can be shown", extra={"code": error.code, "detail": error.detail})
            return {"dead_letters": None, "throughput": None}
        minutes = [{"minute": minute} | asdict(settled) for minute, settled in throughput.minutes.items()]
        return {
            "dead_letters": {"open": count, "is_capped": is_capped},
            "throughput": {"minutes": minutes, "is_cut": throughput.is_cut},
        }

    def _limits(self, limits: Limits) -> dict[str, int]:
        effective: dict[str, int] = self.rates.over(limits)._asdict()
        del effective["burst_seconds"]
        return effective


def _midnight(now: datetime) -> datetime:
    """When the UTC day ends."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
