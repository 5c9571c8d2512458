"""infra/METRICS.md, from the registry."""

from collections.abc import Iterator

from sluice.metrics.registry import METRICS, MetricName, Place, prometheus_name

_HEAD = """# Metrics

Made from `sluice.metrics.registry` by `make metrics`. CloudWatch's namespace is `Sluice`, with the dimensions
`stage` and `service`; labels are metadata there (`errors_by`), for Logs Insights. `GET /metrics` takes a key with the
scope `metrics`, which may do nothing else: `sluice keys create APPLICATION --scope metrics`.

| name | CloudWatch | `/metrics` | labels | unit | what it says |
|---|---|---|---|---|---|
"""


def table() -> str:
    """The page."""
    return _HEAD + "".join(f"| {' | '.join(_cells(name))} |\n" for name in METRICS)


def _cells(name: MetricName) -> Iterator[str]:
    metric = METRICS[name]
    yield f"`{name}`"
    yield "" if metric.place is Place.SCRAPED else "yes"
    yield "" if metric.place is Place.CLOUDWATCH else f"`{prometheus_name(name)}`"
    yield ", ".join(f"`{label}`" for label in metric.labels)
    yield str(metric.unit).lower()
    yield metric.sentence
