"""One Redis connection pool per execution environment."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sluice.errors import ContractError, Unavailable


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


@contextmanager
def translated() -> Iterator[None]:
    """The driver's errors become Unavailable ``queue_unavailable`` and, where retrying will not help, ContractError."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, redis.OutOfMemoryError, redis.ReadOnlyError) as error:
        raise Unavailable("queue_unavailable", str(error)) from error
    except redis.ResponseError as error:
        if str(error).startswith(
            ("OOM", "MISCONF", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "BUSY")
        ):
            raise Unavailable("queue_unavailable", str(error)) from error
        raise ContractError("queue_contract", str(error)) from error
