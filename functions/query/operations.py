"""The use cases about the platform itself: the ledger, the queue, health."""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any

from sluice.applications.model import KeyRecord, Scope
from sluice.errors import RejectedInput, Unavailable
from sluice.ledger.audit import audit
from sluice.ledger.model import Totals
from sluice.ledger.ports import LedgerReader
from sluice.runtime.observability import Logger
from sluice.streams.inspection import ShardState
from sluice.streams.ports import QueueInspection, QueueLedger

QUEUE_READ_ENTRIES = 1_000  # of all shards together; Redis copies each one, its records too
QUEUE_MAX_PENDING = 1_000


@dataclass(frozen=True, slots=True)
class Operations:
    """The use cases."""

    open_ledger: Callable[[Collection[int] | None], LedgerReader]  # of these applications, or of all
    ask_database: Callable[[], object]  # raises Unavailable
    queue: QueueLedger
    inspection: QueueInspection
    logger: Logger

    def ledger(self, key: KeyRecord) -> dict[str, Any]:
        """The equation per application and in total."""
        visible = _visible(key)
        ledger = self.open_ledger(visible)
        names = ledger.application_names()
        totals = audit(self.queue, ledger, visible)
        applications = [
            {"application": name} | asdict(totals.get(application_id, Totals()))
            for application_id, name in sorted(names.items(), key=lambda item: item[1])
        ]
        return {"applications": applications, "total": asdict(sum(totals.values(), Totals()))}

    def audit(self) -> dict[str, int]:
        """The equation over all applications."""
        return asdict(sum(audit(self.queue, self.open_ledger(None)).values(), Totals()))

    def inspect_queue(self, event: dict[str, Any]) -> dict[str, Any]:
        """The queue, shard by shard; works without the database, too, but then names no application.

        The event may have ``max_entries`` (to read the headers of, over all shards) and ``max_pending`` (to list per
        shard). Raises RejectedInput ``invalid_event``.
        """
        shards = self.inspection.shards()
        max_entries = _bound(event, "max_entries", QUEUE_READ_ENTRIES, QUEUE_READ_ENTRIES) // len(shards)
        max_pending = _bound(event, "max_pending", 20, QUEUE_MAX_PENDING)
        states = [self.inspection.inspect(shard, max_entries=max_entries, max_pending=max_pending) for shard in shards]
        names: dict[int, str] = {}
        try:
            names = self.open_ledger(None).application_names() if max_entries else {}
        except Unavailable as error:  # the queue is looked at above all when the database is away
            self.logger.warning("applications have no names", extra={"code": error.code, "detail": error.detail})
        return {"shards": [_named(state, names) for state in states]}

    def check_health(self) -> None:
        """Raises Unavailable unless queue and database answer."""
        self.queue.accepted()
        self.ask_database()


def _visible(key: KeyRecord) -> set[int] | None:
    return None if Scope.ADMIN in key.scopes else {key.application_id}


def _bound(event: dict[str, Any], name: str, default: int, highest: int) -> int:
    number = event.get(name, default)
    if type(number) is not int or not 0 <= number <= highest:
        raise RejectedInput("invalid_event", f"{name} must be a whole number from 0 to {highest}")
    return number


def _named(state: ShardState, names: dict[int, str]) -> dict[str, Any]:
    """The state as JSON; applications get their name, None where it is not known."""
    shown = asdict(state)
    for part in (*shown["applications"], *(entry["header"] for entry in shown["pending"] if entry["header"])):
        part["application"] = names.get(part["application_id"])
    return shown
