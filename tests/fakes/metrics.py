"""MetricStore in memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sluice.metrics.model import Distribution, Sample, bucket_of, check_kept
from sluice.metrics.registry import METRICS, Kind, MetricName


@dataclass
class MemoryMetricStore:
    """MetricStore."""

    counters: dict[tuple[MetricName, tuple[str, ...]], float] = field(default_factory=dict)
    histograms: dict[MetricName, list[float]] = field(default_factory=dict)

    def add(self, samples: Iterable[Sample]) -> None:
        taken = list(samples)
        for sample in taken:
            check_kept(sample)
        for sample in taken:
            if METRICS[sample.name].kind is Kind.HISTOGRAM:
                self.histograms.setdefault(sample.name, []).append(sample.value)
            elif sample.value:
                key = (sample.name, sample.label_values)
                self.counters[key] = self.counters.get(key, 0) + sample.value

    def read(self) -> tuple[list[Sample], list[Distribution]]:
        samples = [
            Sample(name, value, dict(zip(METRICS[name].labels, values, strict=True)))
            for (name, values), value in self.counters.items()
        ]
        return samples, [self._distribution(name, values) for name, values in self.histograms.items()]

    @staticmethod
    def _distribution(name: MetricName, values: list[float]) -> Distribution:
        counts = [0] * (len(METRICS[name].bounds) + 1)
        for value in values:
            counts[bucket_of(name, value)] += 1
        return Distribution(name, tuple(counts), sum(values))
