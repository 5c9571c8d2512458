"""The registry of metrics, and the page that Prometheus reads."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from monitoring.table import table
from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.metrics.chunks import chunk_samples
from sluice.metrics.exposition import exposition
from sluice.metrics.model import Distribution, Sample, bucket_of
from sluice.metrics.registry import METRICS, Kind, MetricName, prometheus_name
from sluice.runtime.observability import Logger, Metrics, count, keep

INFRA = Path(__file__).parents[2] / "infra"


def test_every_name_says_what_it_is() -> None:
    assert list(METRICS) == sorted(get_args(MetricName)) == list(get_args(MetricName))
    for name, metric in METRICS.items():
        assert metric.sentence.endswith("."), name
        assert (metric.kind is Kind.HISTOGRAM) == bool(metric.bounds), name
        assert list(metric.bounds) == sorted(set(metric.bounds)), name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("stored", "sluice_stored_total"),
        ("lag", "sluice_lag_seconds"),
        ("redis_memory", "sluice_redis_memory_bytes"),
        ("chunk_records", "sluice_chunk_records"),
    ],
)
def test_names_carry_their_unit(name: MetricName, expected: str) -> None:
    assert prometheus_name(name) == expected


def test_what_is_not_registered_fails() -> None:
    metrics = Metrics("Sluice")

    @metrics.log_metrics
    def run(event: Any, context: Any) -> None:
        count(metrics, "strored", 1)  # type: ignore[arg-type]

    with pytest.raises(KeyError):
        run({}, None)
    with pytest.raises(KeyError):
        Sample("strored", 1)  # type: ignore[arg-type]
    for labels in ({}, {"code": "a", "path": "/"}):
        with pytest.raises(ValueError, match="labels"):
            Sample("rejected", 1, labels)


def test_kept_metrics_reach_cloudwatch_too(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = Metrics("Sluice")
    samples = [
        Sample("rejected", 2, {"code": "too_long"}),
        Sample("rejected", 3, {"code": "not_an_object"}),
        Sample("chunk_duration", 0.25),
    ]

    @metrics.log_metrics
    def run(event: Any, context: Any) -> None:
        keep(metrics, None, Logger(service="test"), samples)

    run({}, None)
    document = json.loads(capsys.readouterr().out)
    assert (document["rejected"], document["rejected_by"]) == ([2.0, 3.0], {"too_long": 2, "not_an_object": 3})
    assert document["chunk_duration"] == [0.25]
    units = {item["Name"]: item["Unit"] for item in document["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert units == {"rejected": "Count", "chunk_duration": "Seconds"}


@pytest.mark.parametrize(
    "path", [*(INFRA / "monitoring").rglob("rules*.yml"), *(INFRA / "monitoring").rglob("*.json")], ids=lambda p: p.name
)
def test_rules_and_dashboards_ask_for_metrics_that_there_are(path: Path) -> None:
    known = {prometheus_name(name) for name in METRICS}
    known |= {f"{name}{part}" for name in known for part in ("_bucket", "_sum", "_count")}
    asked = set(re.findall(r"\bsluice_\w+", path.read_text()))
    assert asked
    assert asked <= known


def test_the_table_is_current() -> None:
    assert (INFRA / "METRICS.md").read_text() == table(), "run `make metrics`"


def test_the_page() -> None:
    samples = [
        Sample("stored", 3, {"application": "shop"}),
        Sample("lag", 0.5),
        Sample("stored", 10**16, {"application": 'quo"te\\new\nline'}),
    ]
    page = exposition(samples, [Distribution("chunk_records", (1, 0, 2, 0, 0, 0, 0, 0, 1), 40_001.5)])
    assert page.splitlines() == [
        "# HELP sluice_chunk_records Records that one chunk settled.",
        "# TYPE sluice_chunk_records histogram",
        'sluice_chunk_records_bucket{le="1"} 1',
        'sluice_chunk_records_bucket{le="10"} 1',
        *(f'sluice_chunk_records_bucket{{le="{bound}"}} 3' for bound in (100, 1000, 2500, 5000, 10000, 25000)),
        'sluice_chunk_records_bucket{le="+Inf"} 4',
        "sluice_chunk_records_sum 40001.5",
        "sluice_chunk_records_count 4",
        "# HELP sluice_lag_seconds Age of the oldest entry in the queue; 0 for an empty one.",
        "# TYPE sluice_lag_seconds gauge",
        "sluice_lag_seconds 0.5",
        "# HELP sluice_stored_total Records in the log table.",
        "# TYPE sluice_stored_total counter",
        'sluice_stored_total{application="shop"} 3',
        'sluice_stored_total{application="quo\\"te\\\\new\\nline"} 10000000000000000',
    ]
    assert page.endswith("\n")


def test_bounds_belong_to_the_bucket_below() -> None:
    assert [bucket_of("chunk_records", value) for value in (0, 1, 1.5, 25_000, 25_001)] == [0, 0, 1, 7, 8]
    with pytest.raises(ValueError, match="buckets"):
        bucket_of("stored", 1)


def test_what_a_chunk_says() -> None:
    task = ChunkTask(0, ("100500-0", "100000-3", "100000-4"))
    result = ChunkResult(stored=2, duplicate=3, redelivered=1, dead_lettered=4)
    samples = chunk_samples(task, result, started_at=101, ended_at=102.5)
    assert {sample.name: sample.value for sample in samples} == {
        "chunk_duration": 1.5,
        "chunk_records": 10,
        "freshness": 2.5,
    }
    repeated = chunk_samples(task, ChunkResult(duplicate=5), started_at=101, ended_at=102)
    assert "freshness" not in {sample.name for sample in repeated}, "nothing became visible"
    backwards = chunk_samples(task, result, started_at=101, ended_at=99)
    assert min(sample.value for sample in backwards) == 0, "clocks may be set back"
