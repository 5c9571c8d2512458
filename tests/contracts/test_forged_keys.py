"""Whoever can write to Redis cannot make a key: the shared cache believes only what bears the pepper's tag."""

from dataclasses import replace

import pytest
import redis

from samples import PEPPER
from sluice.applications.model import KeyRecord, Scope
from sluice.applications.redis import RedisKeyCache

OWN = KeyRecord("known", b"h" * 32, 1, "shop", 1, frozenset([Scope.READ]), None)
FORGED = replace(OWN, application_id=2, application="bank", scopes=frozenset([Scope.ADMIN]))
NAME = "keys:cache:known"


def test_an_entry_under_another_pepper_is_a_miss(redis_client: redis.Redis) -> None:
    RedisKeyCache(redis_client, b"another pepper".ljust(32)).keep_key(FORGED)
    assert RedisKeyCache(redis_client, PEPPER).fetch_key("known") is None


def test_a_true_tag_before_another_document_is_a_miss(redis_client: redis.Redis) -> None:
    cache = RedisKeyCache(redis_client, PEPPER)
    cache.keep_key(OWN)
    tag = _stored(redis_client).partition(b" ")[0]
    RedisKeyCache(redis_client, b"another pepper".ljust(32)).keep_key(FORGED)
    document = _stored(redis_client).partition(b" ")[2]
    redis_client.set(NAME, tag + b" " + document)
    assert cache.fetch_key("known") is None


@pytest.mark.parametrize("tag", [b"", b"0" * 64])
def test_no_tag_is_a_miss(redis_client: redis.Redis, tag: bytes) -> None:
    cache = RedisKeyCache(redis_client, PEPPER)
    cache.keep_key(OWN)
    redis_client.set(NAME, tag + b" " + _stored(redis_client).partition(b" ")[2])
    assert cache.fetch_key("known") is None


def _stored(client: redis.Redis) -> bytes:
    value = client.get(NAME)
    assert isinstance(value, bytes)
    return value
