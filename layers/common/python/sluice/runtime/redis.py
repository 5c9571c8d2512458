"""One Redis connection pool per execution environment."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def connect_redis(url: str, *, timeout_seconds: float = 10) -> redis.Redis:
    """A client whose commands are sent once: a retried XADD whose reply was lost would queue a batch twice.

    Connects on first use; a connection that went stale while the environment was frozen is replaced after a health
    check (PING after 10 s of silence), not after a failed command.
    """
    return redis.Redis.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout_seconds,
        socket_connect_timeout=min(2, timeout_seconds),
        health_check_interval=10,
    )
