"""When a message that did not arrive is sent again, and when that is given up."""

from datetime import datetime, timedelta
from hashlib import blake2b

FIRST = timedelta(seconds=5)
FACTOR = 4
LONGEST = timedelta(hours=1)
GIVE_UP = timedelta(hours=24)  # of age: a day later it is no alert any more
JITTER = 0.25  # of the delay, up or down


def next_attempt(
    message_id: str, attempt: int, created_at: datetime, now: datetime, asked: int | None
) -> datetime | None:
    """When to send again after attempt number ``attempt`` (from 1) failed: 5 s, 20 s, 80 s, … up to an hour later, a
    quarter more or less, so that what failed together does not come back together; not before the receiver ``asked``
    for (seconds from now). None: never again."""
    delay = min(FIRST * FACTOR ** min(attempt - 1, 10), LONGEST)
    delay *= 1 - JITTER + 2 * JITTER * _fraction(message_id, attempt)
    at = now + max(delay, timedelta(seconds=min(asked or 0, LONGEST.total_seconds())))
    return at if at - created_at <= GIVE_UP else None


def _fraction(message_id: str, attempt: int) -> float:
    """From 0 to 1, spread evenly, the same each time."""
    digest = blake2b(f"{message_id} {attempt}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) / 2**32
