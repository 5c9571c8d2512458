"""The use case of following a request: what became of its batch."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sluice.applications.model import KeyRecord
from sluice.ledger.batches import Batch, parse_batch_id, unknown_batch, with_queued
from sluice.ledger.postgres_batches import PostgresBatches
from sluice.streams.ports import QueueLedger

if TYPE_CHECKING:
    from functions.query.reads import Reads
else:
    from reads import Reads

_COUNTS = ("stored", "duplicate", "dead_lettered")


@dataclass(frozen=True, slots=True)
class Batches:
    """The use case."""

    reads: Reads
    queue: QueueLedger
    open_batches: Callable[[Collection[int]], PostgresBatches]

    def show(self, key: KeyRecord, text: str) -> dict[str, Any]:
        """The batch of this id, or that of a log, or those of a trace. Raises RejectedInput ``unknown_batch``."""
        wanted = parse_batch_id(text)
        visible = self.reads.visible(key)
        # The queue first: what leaves it meanwhile is found in the database.
        queued = [item for item in self.queue.queued_ranges() if item.application_id in visible.ids]
        batches = with_queued(wanted, self.open_batches(visible.ids).find(wanted), queued)
        if not batches:
            raise unknown_batch(text)
        return {"batches": [_shown(batch, visible.names) for batch in batches]}


def _shown(batch: Batch, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id.hex,
        "application": names[batch.application_id],
        "received_at": batch.received_at,
        "traceparent": batch.traceparent,
        "queued": batch.queued,
        **{name: sum(getattr(item, name) for item in batch.settled) for name in _COUNTS},
        "parts": [asdict(item) for item in batch.settled],
        "dead_letters": [asdict(item) for item in batch.dead_letters],
    }
