"""Fixtures with a migrated database and an empty Redis of the tests' own, on the real servers of ``stack``."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest
import redis

from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.schema.postgres import SchemaOwner
from stack import Stack

SCRATCH = "scratch_"  # begins the names of all databases that are made here
REDIS_DATABASE = 9  # the deployed stack uses 0


@dataclass(frozen=True)
class Scratch:
    """A migrated database that no other session uses; ``url`` goes through PgBouncer unless ``direct``."""

    stack: Stack
    name: str

    def url(self, role: str, *, direct: bool = False) -> str:
        return self.stack.database_url(role, self.name, direct=direct)

    def rows(self, sql: str, *arguments: Any) -> list[Any]:
        """Runs one statement as the owner and returns its rows, if any."""
        with Database(self.url("sluice_owner", direct=True)).transaction() as cursor:
            cursor.execute(sql, arguments)
            return cursor.fetchall() if cursor.description else []

    def create_application(self) -> int:
        """A new active application of a random name; returns its id."""
        ((application_id,),) = self.rows(
            "INSERT INTO applications (name) VALUES (%s) RETURNING application_id", f"app-{secrets.token_hex(6)}"
        )
        return int(application_id)


def wait_for_a_lock(scratch: Scratch, kind: str) -> None:
    """Returns when somebody waits for a lock of this type (see pg_locks)."""
    deadline = time.monotonic() + 10
    while scratch.rows("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = %s", kind) == [(0,)]:
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.02)


def execute_as_superuser(stack: Stack, statement: str) -> None:
    """Runs one statement outside a transaction."""
    connection = psycopg2.connect(stack.superuser_url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def make_database(stack: Stack, template: str = "template1") -> Scratch:
    """A database of a random name, with what the template holds, owned by sluice_owner."""
    name = f"{SCRATCH}{secrets.token_hex(4)}"
    execute_as_superuser(stack, f"CREATE DATABASE {name} OWNER sluice_owner TEMPLATE {template}")
    return Scratch(stack, name)


def drop_databases(stack: Stack) -> None:
    """All that were made by ``make_database``, for servers that outlive a session."""
    for (name,) in Scratch(stack, "postgres").rows(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", SCRATCH
    ):
        execute_as_superuser(stack, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def empty_database(servers: Stack) -> Callable[[], Scratch]:
    """Makes databases without any schema. They go with the servers: to drop one takes Postgres up to a second."""
    return lambda: make_database(servers)


@pytest.fixture(scope="session")
def migrated_database(servers: Stack) -> Callable[..., Scratch]:
    """Makes migrated databases, for tests of what looks at all applications; without any partition if so wanted."""
    template = make_database(servers)
    connection = Database(template.url("sluice_owner", direct=True))
    SchemaOwner(connection).migrate()
    connection.close()  # nothing may be connected to what is copied

    def make(*, is_partitioned: bool = True) -> Scratch:
        database = make_database(servers, template.name)
        if is_partitioned:
            SchemaOwner(Database(database.url("sluice_owner", direct=True))).create_partitions(datetime.now(UTC).date())
        return database

    return make


@pytest.fixture(scope="session")
def scratch(migrated_database: Callable[..., Scratch]) -> Scratch:
    """One migrated database for the session: tests keep apart by using applications and batches of their own."""
    return migrated_database()


@pytest.fixture
def redis_url(servers: Stack) -> str:
    """An empty Redis database."""
    url = f"{servers.redis_url.rpartition('/')[0]}/{REDIS_DATABASE}"
    connect_redis(url).flushdb()
    return url


@pytest.fixture
def redis_client(redis_url: str) -> redis.Redis:
    """A client of ``redis_url`` as the functions make it."""
    return connect_redis(redis_url)
