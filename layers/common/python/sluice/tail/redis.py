"""Seats of waiting readers, in Redis: a sorted set of who sits until when."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import redis

_SEATS = "tail:seats"
_SPARE_SECONDS = 5  # for a reader that died to be taken for gone


class RedisSeats:
    """See Seats."""

    def __init__(self, client: redis.Redis, count: int, clock: Callable[[], float] = time.time) -> None:
        self._client, self._count, self._clock = client, count, clock

    @contextmanager
    def take(self, seconds: float) -> Iterator[bool]:
        """See Seats.take."""
        guest = secrets.token_hex(8)
        try:
            yield self._sit(guest, seconds)
        finally:
            with suppress(redis.RedisError):
                self._client.zrem(_SEATS, guest)

    def _sit(self, guest: str, seconds: float) -> bool:
        """Who comes when all seats are taken stands up again: two at once may both, which is no harm."""
        now = self._clock()
        pipeline = self._client.pipeline()
        pipeline.zremrangebyscore(_SEATS, "-inf", now)
        pipeline.zadd(_SEATS, {guest: now + seconds + _SPARE_SECONDS})
        pipeline.zcard(_SEATS)
        pipeline.expire(_SEATS, 3_600)
        try:
            *_, taken, _ = pipeline.execute()
        except redis.RedisError:
            return False
        if taken <= self._count:
            return True
        with suppress(redis.RedisError):
            self._client.zrem(_SEATS, guest)
        return False
