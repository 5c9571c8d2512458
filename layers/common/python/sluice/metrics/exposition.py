"""Samples as Prometheus reads them: the text format, version 0.0.4
(https://prometheus.io/docs/instrumenting/exposition_formats/). Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from sluice.metrics.model import Distribution, Sample
from sluice.metrics.registry import METRICS, prometheus_name

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def exposition(samples: Iterable[Sample], distributions: Iterable[Distribution]) -> str:
    """The page; metrics in the registry's order, values in the order given."""
    lines: dict[str, list[str]] = defaultdict(list)
    for sample in samples:
        lines[sample.name].append(_line(prometheus_name(sample.name), sample.labels, sample.value))
    for distribution in distributions:
        lines[distribution.name].extend(_buckets(distribution))
    return "".join(
        f"# HELP {prometheus_name(name)} {metric.sentence}\n# TYPE {prometheus_name(name)} {metric.kind}\n"
        + "".join(lines[name])
        for name, metric in METRICS.items()
        if name in lines
    )


def _buckets(distribution: Distribution) -> Iterator[str]:
    """Prometheus's buckets include the ones below."""
    name = prometheus_name(distribution.name)
    below = list(accumulate(distribution.counts))
    for bound, count in zip([*map(_number, distribution.bounds), "+Inf"], below, strict=True):
        yield _line(f"{name}_bucket", {"le": bound}, count)
    yield _line(f"{name}_sum", {}, distribution.total)
    yield _line(f"{name}_count", {}, below[-1])


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    pairs = ",".join(f'{label}="{text.translate(_ESCAPES)}"' for label, text in labels.items())
    return f"{name}{{{pairs}}} {_number(value)}\n" if pairs else f"{name} {_number(value)}\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
