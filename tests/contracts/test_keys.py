"""One contract each for the key store and the key cache: the in-memory fakes, Postgres and Redis."""

from datetime import UTC, datetime
from typing import cast

import pytest
import redis

from fakes import MemoryKeyCache, MemoryKeyStore
from samples import PEPPER
from scratch import Scratch
from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.model import KeyRecord, Scope
from sluice.applications.postgres import PostgresApplications, PostgresKeyStore
from sluice.applications.redis import RedisKeyCache
from sluice.errors import Unavailable
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis

EXPIRY = datetime(2099, 1, 1, tzinfo=UTC)


def new_key(application_id: int = 1, application: str = "shop") -> KeyRecord:
    _, key = mint_key(PEPPER)
    scopes = frozenset([Scope.INGEST, Scope.READ])
    return KeyRecord(key.key_id, hash_secret(key.secret, PEPPER), application_id, application, 1, scopes, EXPIRY)


class TestStore:
    @pytest.fixture(params=["memory", "postgres"])
    def stored(self, request: pytest.FixtureRequest) -> tuple[MemoryKeyStore | PostgresKeyStore, KeyRecord]:
        """A store and the key in it."""
        if request.param == "memory":
            key = new_key()
            return MemoryKeyStore({key.key_id: key}), key
        scratch: Scratch = request.getfixturevalue("scratch")
        application_id = scratch.create_application()
        ((name,),) = scratch.rows("SELECT name FROM applications WHERE application_id = %s", application_id)
        key = new_key(application_id, name)
        PostgresApplications(Database(scratch.url("sluice_owner", direct=True))).add_key(
            name, key_id=key.key_id, secret_hash=key.secret_hash, scopes=["ingest", "read"], expires_at=EXPIRY
        )
        return PostgresKeyStore(Database(scratch.url("sluice_ingest"))), key

    def test_finds_a_key(self, stored: tuple[MemoryKeyStore | PostgresKeyStore, KeyRecord]) -> None:
        store, key = stored
        assert store.find_key(key.key_id) == key

    @pytest.mark.parametrize("key_id", ["", "nobody", "x" * 10_000, "'; DROP TABLE api_keys; --"])
    def test_knows_no_other(self, stored: tuple[MemoryKeyStore | PostgresKeyStore, KeyRecord], key_id: str) -> None:
        store, _ = stored
        assert store.find_key(key_id) is None

    def test_unreachable(self) -> None:
        with pytest.raises(Unavailable):
            PostgresKeyStore(Database("postgresql://nobody@127.0.0.1:9/none")).find_key("x")


class TestCache:
    @pytest.fixture(params=["memory", "redis"])
    def cache(self, request: pytest.FixtureRequest) -> MemoryKeyCache | RedisKeyCache:
        if request.param == "memory":
            return MemoryKeyCache()
        return RedisKeyCache(request.getfixturevalue("redis_client"), PEPPER)

    def test_keeps_and_fetches(self, cache: MemoryKeyCache | RedisKeyCache) -> None:
        key = new_key()
        assert cache.fetch_key(key.key_id) is None
        cache.keep_key(key)
        assert cache.fetch_key(key.key_id) == key

    def test_forgets_within_eight_seconds(self, redis_client: redis.Redis) -> None:
        key = new_key()
        RedisKeyCache(redis_client, PEPPER).keep_key(key)
        assert 0 < redis_client.pttl(f"keys:cache:{key.key_id}") <= 8_000

    def test_holds_no_secret(self, redis_client: redis.Redis) -> None:
        _, parts = mint_key(PEPPER)
        key = KeyRecord(parts.key_id, hash_secret(parts.secret, PEPPER), 1, "a", 1, frozenset([Scope.READ]), None)
        RedisKeyCache(redis_client, PEPPER).keep_key(key)
        everything = b"".join(name + cast(bytes, redis_client.get(name)) for name in redis_client.scan_iter())
        assert parts.key_id.encode() in everything
        assert parts.secret.encode() not in everything

    @pytest.mark.parametrize("forged", [b"", b"{}", b"0" * 64 + b' {"key_id": "x"}', b"\xff"])
    def test_does_not_trust_an_entry_it_did_not_write(self, redis_client: redis.Redis, forged: bytes) -> None:
        redis_client.set("keys:cache:victim", forged)
        assert RedisKeyCache(redis_client, PEPPER).fetch_key("victim") is None

    def test_an_entry_is_good_for_its_own_id_only(self, redis_client: redis.Redis) -> None:
        key = new_key()
        cache = RedisKeyCache(redis_client, PEPPER)
        cache.keep_key(key)
        redis_client.rename(f"keys:cache:{key.key_id}", "keys:cache:victim")
        assert cache.fetch_key("victim") is None

    def test_unreachable_is_a_miss(self) -> None:
        cache = RedisKeyCache(connect_redis("redis://127.0.0.1:9/0"), PEPPER)
        cache.keep_key(new_key())
        assert cache.fetch_key("x") is None
