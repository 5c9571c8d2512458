"""What functions say of themselves."""

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from aws_lambda_powertools import Metrics as PowertoolsMetrics

from invocations import LambdaContext
from sluice.metrics.registry import MetricName
from sluice.runtime.observability import Logger, Metrics, count, with_context


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "ingest")


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The documents printed, without their time."""
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for document in documents:
        assert 1_700_000_000_000 < document["_aws"].pop("Timestamp") < 10**14
    return documents


def test_metrics_are_printed_as_powertools_would(capsys: pytest.CaptureFixture[str]) -> None:
    counts: list[tuple[MetricName, int]] = [("requests", 1), ("accepted", 1000), ("requests", 2)]
    ours, theirs = Metrics(namespace="Sluice"), PowertoolsMetrics(namespace="Sluice")

    def add(event: Any, _: Any) -> None:
        for name, value in counts:
            ours.add(name, value)
            theirs.add_metric(name=name, unit="Count", value=value)

    handlers: list[Callable[[Any, Any], Any]] = [
        ours.log_metrics(add),
        theirs.log_metrics(lambda _event, _context: None),
    ]
    for handler in handlers * 2:
        handler({}, LambdaContext())
    mine, powertools = printed(capsys)[:2]
    assert mine == powertools


def test_each_invocation_prints_its_own_counts_even_if_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = Metrics(namespace="Sluice")

    @metrics.log_metrics
    def handler(event: Any, _: Any) -> None:
        count(metrics, "requests", event)
        if event == 2:
            raise LookupError

    handler(1, None)
    with pytest.raises(LookupError):
        handler(2, None)
    handler(0, None)  # which are left out
    assert [document["requests"] for document in printed(capsys)] == [[1.0], [2.0]]


@pytest.fixture
def lines() -> tuple[Logger, Callable[[], list[dict[str, Any]]]]:
    """A logger, and what it has written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = Logger(logger_handler=handler)
    return logger, lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_names_the_trace_of_x_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    logger = Logger(service="traced", logger_handler=logging.StreamHandler(stream))
    logger.info("without")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=557abcec3ee5a047;Sampled=1")
    logger.info("with")
    traces = [json.loads(line).get("xray_trace_id") for line in stream.getvalue().splitlines()]
    assert traces == [None, "1-5759e988-bd862e3fe1be46a994272793"]


def test_a_line_names_the_invocation_in_which_it_was_written(
    lines: tuple[Logger, Callable[[], list[dict[str, Any]]]],
) -> None:
    logger, written = lines

    @with_context(logger)
    def handler(event: str, _: Any) -> None:
        if event:
            logger.info(event)

    for number, event in enumerate(["", "second", "", "fourth"], 1):
        handler(event, LambdaContext(aws_request_id=f"request {number}"))
    assert [(line["message"], line["function_request_id"]) for line in written()] == [
        ("second", "request 2"),
        ("fourth", "request 4"),
    ]
    assert not any(line["cold_start"] for line in written())
    assert written()[0].items() >= {"function_name": "function", "function_memory_size": 128}.items()
