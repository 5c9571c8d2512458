"""The kept counts in one hash of Redis. Works when memory is full, since that is when people look."""

import json
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Any

import redis

from sluice.metrics.model import Distribution, Sample, bucket_of, check_kept
from sluice.metrics.ports import MetricStore
from sluice.metrics.registry import METRICS, Kind, MetricName
from sluice.runtime.redis import Script, connect_redis, translated

KEY = "metrics"
_SUM = "sum"
_SECONDS = 1


class RedisMetricStore:
    """See MetricStore. A field is JSON: the metric's name, then its labels' values, or a bucket's number, or "sum"."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._add = Script(client, files("sluice.metrics").joinpath("scripts", "add.lua").read_text())

    def add(self, samples: Iterable[Sample]) -> None:
        """See MetricStore.add."""
        arguments = [word for sample in samples for change in _changes(sample) for word in change]
        if arguments:
            with translated():
                self._add([KEY], arguments)

    def read(self) -> tuple[list[Sample], list[Distribution]]:
        """See MetricStore.read."""
        with translated():
            fields: dict[bytes, bytes] = self._client.hgetall(KEY)  # type: ignore[assignment]
        known = [(json.loads(name), float(value)) for name, value in fields.items()]
        counters: list[Sample] = []
        histograms: dict[MetricName, dict[Any, float]] = {}
        for (name, *rest), value in sorted(known, key=lambda item: [str(word) for word in item[0]]):
            metric = METRICS.get(name)
            if metric is None:  # of another release
                continue
            if metric.kind is Kind.HISTOGRAM:
                histograms.setdefault(name, {})[rest[0]] = value
            elif len(rest) == len(metric.labels):
                counters.append(Sample(name, value, dict(zip(metric.labels, rest, strict=True))))
        return counters, [_distribution(name, parts) for name, parts in histograms.items()]


def metric_store(redis_url: Callable[[], str]) -> Callable[[], MetricStore]:
    """What gives a function its store; connects when something is to be kept, which few invocations have."""
    return cache(lambda: RedisMetricStore(connect_redis(redis_url(), timeout_seconds=_SECONDS)))


class RedisMemory:
    """How full Redis is."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def read(self) -> list[Sample]:
        """Memory in use, and its limit. Raises Unavailable."""
        with translated():
            memory: Any = self._client.info("memory")
        return [
            Sample("redis_memory", float(memory["used_memory"])),
            Sample("redis_memory_limit", float(memory["maxmemory"])),
        ]


def _changes(sample: Sample) -> list[tuple[str, str]]:
    check_kept(sample)
    if METRICS[sample.name].kind is Kind.HISTOGRAM:
        bucket = bucket_of(sample.name, sample.value)
        return [(_field(sample.name, bucket), "1"), (_field(sample.name, _SUM), repr(sample.value))]
    return [(_field(sample.name, *sample.label_values), repr(sample.value))] if sample.value else []


def _field(*words: Any) -> str:
    return json.dumps(words, separators=(",", ":"))


def _distribution(name: MetricName, parts: dict[Any, float]) -> Distribution:
    counts = tuple(int(parts.get(number, 0)) for number in range(len(METRICS[name].bounds) + 1))
    return Distribution(name, counts, parts.get(_SUM, 0))
