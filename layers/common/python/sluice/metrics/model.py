"""Measured values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sluice.metrics.registry import METRICS, Kind, MetricName, Place


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of a metric, with a value for each of its labels. Raises ValueError for labels that it does not have."""

    name: MetricName
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = METRICS[self.name].labels
        if tuple(sorted(self.labels)) != tuple(sorted(expected)):
            raise ValueError(f"{self.name} has the labels {expected}, not {tuple(self.labels)}")

    @property
    def label_values(self) -> tuple[str, ...]:
        """In the registry's order."""
        return tuple(self.labels[label] for label in METRICS[self.name].labels)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram's state: how many values fell into each bucket, the one above all bounds last, and their sum."""

    name: MetricName
    counts: tuple[int, ...]
    total: float

    @property
    def bounds(self) -> tuple[float, ...]:
        """The buckets' upper ends, the last one's left out."""
        return METRICS[self.name].bounds


def check_kept(sample: Sample) -> None:
    """Raises ValueError for a metric that is not one of those that are added up, and for a value below 0."""
    if METRICS[sample.name].place is not Place.KEPT:
        raise ValueError(f"{sample.name} is not kept")
    if sample.value < 0:
        raise ValueError(f"{sample.name} cannot go down")


def bucket_of(name: MetricName, value: float) -> int:
    """The number of the histogram's bucket that takes the value; bounds belong to the bucket below."""
    if METRICS[name].kind is not Kind.HISTOGRAM:
        raise ValueError(f"{name} has no buckets")
    bounds = METRICS[name].bounds
    return next((number for number, bound in enumerate(bounds) if value <= bound), len(bounds))
