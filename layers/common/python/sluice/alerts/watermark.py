"""Up to when all that was received is stored."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # who needs SETTLING alone looks at no queue
    from sluice.streams.ports import QueueInspection

# From a request's receipt until its entry is in the queue; what takes longer is late, and looked at again.
SETTLING = timedelta(seconds=2)


def watermark(now: datetime, oldest_seconds: Iterable[float | None]) -> datetime:
    """``now`` is from before the queue was looked at, ``oldest_seconds`` the age of each shard's oldest entry; None:
    the shard is empty."""
    oldest = max((seconds for seconds in oldest_seconds if seconds is not None), default=0.0)
    return now - timedelta(seconds=oldest) - SETTLING


def stored_until(queue: "QueueInspection", now: datetime) -> datetime:
    """The watermark of all shards; ``now`` is from before the call. Raises Unavailable."""
    return watermark(
        now, [queue.inspect(shard, max_entries=1, max_pending=0).oldest_seconds for shard in queue.shards()]
    )
