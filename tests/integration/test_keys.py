"""Keys on real servers: when one was last used, what a made-up one costs, functions that are ahead of the schema."""

import secrets
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from apps import load_app
from aws import LambdaContext, rest_event
from fakes import ManualClock
from samples import PEPPER
from scratch import Scratch
from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import Scope
from sluice.applications.postgres import PostgresApplications, PostgresKeyStore
from sluice.applications.redis import RedisKeyCache
from sluice.errors import Denied
from sluice.runtime.postgres import Database

ROLES = pytest.mark.parametrize("role", ["sluice_ingest", "sluice_reader"])


class Door:
    """A function's way to its keys, and one good key."""

    def __init__(self, scratch: Scratch, client: redis.Redis, role: str) -> None:
        self.scratch, self.client, self.clock = scratch, client, ManualClock(datetime.now(UTC))
        name = f"app-{secrets.token_hex(6)}"
        register = PostgresApplications(Database(scratch.url("sluice_owner", direct=True)))
        register.create(name)
        self.text, key = mint_key(PEPPER)
        self.key_id, secret_hash = key.key_id, hash_secret(key.secret, PEPPER)
        register.add_key(name, key_id=key.key_id, secret_hash=secret_hash, scopes=["read"], expires_at=None)
        store = PostgresKeyStore(Database(scratch.url(role), deadline_seconds=10))
        self.lookup = KeyLookup(store, RedisKeyCache(client, PEPPER), PEPPER, self.clock)

    def used_ago(self, span: timedelta) -> None:
        """Sets back when the key was used last."""
        self.scratch.rows("UPDATE api_keys SET last_used_at = now() - %s WHERE key_id = %s", span, self.key_id)

    def age(self) -> timedelta | None:
        ((age,),) = self.scratch.rows("SELECT now() - last_used_at FROM api_keys WHERE key_id = %s", self.key_id)
        return age  # type: ignore[no-any-return]  # rows are of any type

    def later(self) -> None:
        """All caches have expired."""
        self.clock.advance(5)
        self.client.delete(f"keys:cache:{self.key_id}")


@ROLES
def test_the_last_use_is_noted_once_a_minute_whatever_is_cached(
    scratch: Scratch, redis_client: redis.Redis, role: str
) -> None:
    door = Door(scratch, redis_client, role)
    assert door.age() is None
    door.lookup.authenticate(door.text, Scope.READ)
    age = door.age()
    assert age is not None
    assert age < timedelta(seconds=30)
    door.used_ago(timedelta(seconds=100))
    for _ in range(3):  # from the process, then from Redis
        door.lookup.authenticate(door.text, Scope.READ)
        door.clock.advance(4)
    age = door.age()
    assert age is not None
    assert age > timedelta(seconds=90)
    door.later()
    door.lookup.authenticate(door.text, Scope.READ)
    age = door.age()
    assert age is not None
    assert age < timedelta(seconds=30)
    door.used_ago(timedelta(seconds=40))
    door.later()
    door.lookup.authenticate(door.text, Scope.READ)
    age = door.age()
    assert age is not None
    assert age >= timedelta(seconds=40)


@ROLES
def test_nobody_waits_to_note_a_use(scratch: Scratch, redis_client: redis.Redis, role: str) -> None:
    """Not even for a transaction that holds the key."""
    door = Door(scratch, redis_client, role)
    with Database(scratch.url("sluice_owner", direct=True)).transaction() as cursor:
        cursor.execute("SELECT FROM api_keys WHERE key_id = %s FOR UPDATE", (door.key_id,))
        assert door.lookup.authenticate(door.text, Scope.READ).key_id == door.key_id
    assert door.age() is None


def test_made_up_keys_cost_no_connection_no_command_and_no_memory(scratch: Scratch, redis_client: redis.Redis) -> None:
    def commands() -> list[int]:
        found: dict[str, Any] = redis_client.info("commandstats")
        return [found.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("get", "set")]

    class Watched(Database):
        transactions = 0

        def transaction(self) -> Any:
            Watched.transactions += 1
            return super().transaction()

    store = PostgresKeyStore(Watched(scratch.url("sluice_ingest")))
    lookup = KeyLookup(store, RedisKeyCache(redis_client, PEPPER), PEPPER, lambda: datetime.now(UTC))
    before = commands()
    keys = ["slc_" + "a" * 8_192, *(secrets.token_urlsafe(60) for _ in range(500))]
    keys += [mint_key(secrets.token_bytes(32))[0] for _ in range(500)]
    for key in keys:
        with pytest.raises(Denied):
            lookup.authenticate(key, Scope.READ)
    assert commands() == before
    assert redis_client.dbsize() == 0
    assert Watched.transactions == 0
    with pytest.raises(Denied):
        lookup.authenticate(mint_key(PEPPER)[0], Scope.READ)
    assert Watched.transactions == 1
    assert redis_client.dbsize() == 0


def test_functions_ahead_of_the_schema_ask_to_come_back(
    empty_database: Callable[[], Scratch], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = load_app("query")
    database = Database(empty_database().url("sluice_reader"))
    lookup = KeyLookup(PostgresKeyStore(database), None, PEPPER, lambda: datetime.now(UTC))
    others = [None] * (len(fields(app.Query)) - 1)  # which are not reached
    monkeypatch.setattr(app, "_dependencies", lambda: app.Query(lookup, *others))
    event = rest_event("GET", "/api/logs", headers={"Authorization": f"Bearer {mint_key(PEPPER)[0]}"})
    answer = app.handler(event, LambdaContext())
    assert answer["statusCode"] == 503
    assert int(answer["headers"]["Retry-After"]) > 0
