"""One contract for the counts that outlive functions: the fake and Redis."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from fakes import MemoryMetricStore
from sluice.errors import Unavailable
from sluice.metrics.model import Distribution, Sample
from sluice.metrics.ports import MetricStore
from sluice.metrics.redis import KEY, RedisMetricStore
from sluice.runtime.redis import connect_redis


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> MetricStore:
    if request.param == "memory":
        return MemoryMetricStore()
    return RedisMetricStore(request.getfixturevalue("redis_client"))


def rejected(code: str, times: float) -> Sample:
    return Sample("rejected", times, {"code": code})


def test_nothing_yet(store: MetricStore) -> None:
    assert store.read() == ([], [])
    store.add([])
    store.add([Sample("chunks_failed", 0)])
    assert store.read() == ([], [])


def test_counts_add_up_by_label(store: MetricStore) -> None:
    store.add([rejected("too_long", 2), rejected("not_an_object", 1), Sample("chunks_failed", 1)])
    store.add([rejected("too_long", 3)])
    samples, _ = store.read()
    assert {(sample.name, *sample.label_values): sample.value for sample in samples} == {
        ("rejected", "too_long"): 5,
        ("rejected", "not_an_object"): 1,
        ("chunks_failed",): 1,
    }


def test_a_histogram_holds_each_value_in_its_bucket(store: MetricStore) -> None:
    store.add([Sample("chunk_records", value) for value in (0, 1, 2, 10, 25_000, 25_001)])
    assert store.read() == ([], [Distribution("chunk_records", (2, 2, 0, 0, 0, 0, 0, 1, 1), 50_014)])


@pytest.mark.parametrize("sample", [Sample("chunks_failed", -1), Sample("lag", 1), Sample("drains", 1)])
def test_what_cannot_be_kept_keeps_nothing(store: MetricStore, sample: Sample) -> None:
    with pytest.raises(ValueError, match=sample.name):
        store.add([rejected("too_long", 2), sample])
    assert store.read() == ([], [])


def test_nothing_is_lost_between_many(redis_url: str, redis_client: redis.Redis) -> None:
    def add(_: int) -> None:
        RedisMetricStore(connect_redis(redis_url)).add([rejected("too_long", 1), Sample("freshness", 0.25)])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(200)))
    (sample,), (distribution,) = RedisMetricStore(redis_client).read()
    assert sample.value == 200
    assert (sum(distribution.counts), distribution.total) == (200, 50)


def test_metrics_of_another_release_are_passed_over(redis_client: redis.Redis) -> None:
    redis_client.hset(KEY, mapping={'["gone"]': 1, '["rejected","too","many"]': 1, '["chunks_failed"]': 3})
    assert RedisMetricStore(redis_client).read() == ([Sample("chunks_failed", 3)], [])


def test_a_full_redis_still_counts(redis_client: redis.Redis) -> None:
    limit = redis_client.config_get("maxmemory")["maxmemory"] or "0"
    redis_client.config_set("maxmemory", 1)
    try:
        RedisMetricStore(redis_client).add([Sample("chunks_failed", 3)])
    finally:
        redis_client.config_set("maxmemory", limit)
    assert RedisMetricStore(redis_client).read() == ([Sample("chunks_failed", 3)], [])


def test_a_redis_that_is_away(redis_client: redis.Redis) -> None:
    away = RedisMetricStore(connect_redis("redis://127.0.0.1:1/0"))
    with pytest.raises(Unavailable):
        away.add([Sample("chunks_failed", 1)])
    with pytest.raises(Unavailable):
        away.read()
