"""Up to when all that was received is stored."""

from collections.abc import Iterable
from datetime import datetime, timedelta

# From a request's receipt until its entry is in the queue; what takes longer is late, and looked at again.
SETTLING = timedelta(seconds=2)


def watermark(now: datetime, oldest_seconds: Iterable[float | None]) -> datetime:
    """``now`` is from before the queue was looked at, ``oldest_seconds`` the age of each shard's oldest entry; None:
    the shard is empty."""
    oldest = max((seconds for seconds in oldest_seconds if seconds is not None), default=0.0)
    return now - timedelta(seconds=oldest) - SETTLING
