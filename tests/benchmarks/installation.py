"""Sluice's handlers on a database and a queue of their own, see product.py."""

import json
import os
import sys
from contextlib import ExitStack
from typing import Any

import psycopg2
import redis

from benchmarks.contender import Contender
from benchmarks.deployed import environments
from scratch import execute_as_superuser
from stack import REPOSITORY, Stack

_DRIVEN = ("admin", "ingest", "drain", "process_chunk", "query", "index")
_ROLES = {name: f"sluice_{name}" for name in ("ingest", "writer", "reader", "indexer", "archiver", "watcher", "alerts")}


class Installation:
    """``cursor`` is a superuser's, for what no function may do."""

    def __init__(
        self,
        stack: Stack,
        name: str,
        redis_database: int,
        exits: ExitStack,
        *,
        most_at_once: int | None = None,
        templates: bool = True,
    ) -> None:
        """``most_at_once``: processes that run chunks, if not as many as the drain runs at once. ``templates``: whether
        logs get some."""
        database = f"bench_{name}"
        execute_as_superuser(stack, f"CREATE DATABASE {database} OWNER sluice_owner")
        redis_url = f"{stack.redis_url.rpartition('/')[0]}/{redis_database}"
        self._redis = redis.Redis.from_url(redis_url)
        self._queued: dict[int, dict[Any, Any]] = {}
        connections = stack.connections | {
            f"{name}_database_url": stack.database_url(role, database) for name, role in _ROLES.items()
        }
        connections |= {name: redis_url for name in connections if name.endswith("_redis_url")}
        connections["owner_database_url"] = stack.database_url("sluice_owner", database, direct=True)
        environ = os.environ | {
            "PYTHONPATH": str(REPOSITORY / "tests"),
            "PYTHONOPTIMIZE": "1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "BENCH_ENVIRONMENTS": json.dumps(
                {
                    verb: settings | {"TEMPLATES": "on" if templates else "off"}
                    for verb, settings in environments(connections).items()
                    if verb in _DRIVEN
                }
            ),
        }
        if most_at_once is not None:
            environ["BENCH_MOST_AT_ONCE"] = str(most_at_once)
        command = [sys.executable, "-m", "benchmarks.product"]
        self._handlers = exits.enter_context(Contender(command, environ, stack.state / f"{name}.log"))
        self.url = stack.database_url("postgres", database, direct=True)
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        self.cursor: Any = connection.cursor()

    @property
    def pid(self) -> int:
        """Of the process that the handlers run in; those that run chunks are its children."""
        return self._handlers.pid

    def ask(self, action: str, **arguments: Any) -> Any:
        """What product.py answers."""
        return self._handlers.ask(action, **arguments)

    def empty(self) -> None:
        """Empties queue and log tables."""
        self.empty_queue()
        self.cursor.execute("TRUNCATE log_rows, ledger, event_time_bounds, template_counts, word_filters")

    def empty_queue(self) -> None:
        for key in self._redis.scan_iter("logs:*"):
            self._redis.delete(key)

    def queue_new(self, count: int, seed: int) -> None:
        """Has ingest put ``count`` batches into an empty queue, whose logs depend on ``seed``."""
        self.empty_queue()
        self.ask("ingest_batches", count=count, seed=seed)

    def queue(self, count: int) -> None:
        """Has ingest put ``count`` batches into an empty queue; from the second time on, the same ones as before."""
        self.empty_queue()
        if count not in self._queued:
            self.queue_new(count, seed=count)
            self._queued[count] = {key: self._redis.dump(key) for key in self._redis.scan_iter("logs:*")}
            return
        for key, value in self._queued[count].items():
            self._redis.restore(key, 0, value)

    def queued_bytes(self) -> int:
        """Bytes of Redis that what is queued takes."""
        return sum(self._redis.memory_usage(key, samples=0) or 0 for key in self._redis.scan_iter("logs:queue:*"))

    def settle(self) -> None:
        """Has the database write out now what it would otherwise write out during the next measurement."""
        self.cursor.execute("CHECKPOINT")

    def store(self, count: int, *, environments: bool = True, settings: dict[str, int] | None = None) -> float:
        """Seconds in which one drain stores the ``count`` logs that are queued, with chunks in several processes or one
        after the other, and with other settings if wanted. Raises ContenderFailed if it stores anything else."""
        return float(self.ask("store", count=count, environments=environments, settings=settings or {}))

    def value(self, sql: str, *arguments: Any) -> Any:
        """The one value that a query returns."""
        self.cursor.execute(sql, arguments)
        return self.cursor.fetchone()[0]
