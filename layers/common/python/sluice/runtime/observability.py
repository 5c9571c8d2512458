"""One logger and one metrics object per function, from Powertools, which reads its own variables (name, level)."""

from datetime import UTC, datetime

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

__all__ = ["Logger", "Metrics", "count", "utc_now"]


def count(metrics: Metrics, name: str, value: int) -> None:
    """Adds a count; zeros are left out, they would only cost money."""
    if value:
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def utc_now() -> datetime:
    """The clock of production: the current time, aware, UTC."""
    return datetime.now(UTC)
