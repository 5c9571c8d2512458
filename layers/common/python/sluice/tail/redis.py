"""What waiting readers share in Redis: seats, in sorted sets of who sits until when; and news of what was stored."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import redis

from sluice.streams.redis import stored_key

_SEATS = "tail:{seats}"
_APPLICATION_SHARE = 0.2  # of the seats
_SPARE_SECONDS = 5  # for a reader that died to be taken for gone


class RedisSeats:
    """See Seats."""

    def __init__(self, client: redis.Redis, count: int, clock: Callable[[], float] = time.time) -> None:
        self._client, self._count, self._clock = client, count, clock

    @contextmanager
    def take(self, application_id: int, seconds: float) -> Iterator[bool]:
        """See Seats.take."""
        guest, rows = secrets.token_hex(8), (_SEATS, f"{_SEATS}:{application_id}")
        try:
            yield self._sit(guest, rows, seconds)
        finally:
            self._stand_up(guest, rows)

    def _sit(self, guest: str, rows: tuple[str, str], seconds: float) -> bool:
        """Who comes when all seats are taken stands up again: two at once may both, which is no harm."""
        now = self._clock()
        pipeline = self._client.pipeline()
        for row in rows:
            pipeline.zremrangebyscore(row, "-inf", now)
            pipeline.zadd(row, {guest: now + seconds + _SPARE_SECONDS})
            pipeline.expire(row, 3_600)
            pipeline.zcard(row)
        try:
            _, _, _, taken, _, _, _, own = pipeline.execute()
        except redis.RedisError:
            return False
        if taken <= self._count and own <= max(1, int(self._count * _APPLICATION_SHARE)):
            return True
        self._stand_up(guest, rows)
        return False

    def _stand_up(self, guest: str, rows: tuple[str, str]) -> None:
        pipeline = self._client.pipeline()
        for row in rows:
            pipeline.zrem(row, guest)
        with suppress(redis.RedisError):
            pipeline.execute()


class RedisNews:
    """See News: how often the queue had something of an application acknowledged, which follows storing."""

    def __init__(self, client: redis.Redis, *, shard_count: int) -> None:
        self._client, self._shard_count = client, shard_count

    def mark(self, application_ids: Sequence[int]) -> object:
        """See News.mark."""
        pipeline = self._client.pipeline(transaction=False)
        for shard in range(self._shard_count):
            if own := [number for number in application_ids if number % self._shard_count == shard]:
                pipeline.hmget(stored_key(shard), own)
        with suppress(redis.RedisError):
            return pipeline.execute()
        return None
