"""Real clients that deliver through failures: the OpenTelemetry SDK and Sluice's own handler, 10,000 logs each.

Between client and API stands a server that refuses some requests and loses some answers after the request was accepted
(see unreliable.py). What arrives must be complete, without duplicates, every field where it belongs.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from sluice_logging import SluiceHandler

from e2e.unreliable import UnreliableServer, unreliable

LOGS = 10_000
BATCH = 500
STORED_SECONDS = 120
TRACE_ID, SPAN_ID = 0x5B8EFFF798038103D269B633813FC60C, 0xEEE19B7EC3C1B174


class Reader:
    """What an application finds of its own."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._headers = url, {"X-API-Key": key}

    def totals(self) -> dict[str, int]:
        """The application's ledger."""
        answer = requests.get(f"{self._url}/api/ledger", headers=self._headers, timeout=30).json()
        totals: dict[str, int] = answer["total"]
        return totals

    def wait_until_stored(self) -> dict[str, int]:
        """The ledger, once nothing is in flight."""
        deadline = time.monotonic() + STORED_SECONDS
        while (totals := self.totals())["in_flight"] or not totals["accepted"]:
            assert time.monotonic() < deadline, totals
            time.sleep(1)
        return totals

    def logs(self) -> list[dict[str, Any]]:
        """All logs, page by page."""
        found: list[dict[str, Any]] = []
        parameters = {"limit": "1000"}
        while True:
            answer = requests.get(f"{self._url}/api/logs", parameters, headers=self._headers, timeout=30)
            page = answer.json()
            found += page["logs"]
            if page["next_cursor"] is None:
                return found
            parameters["cursor"] = page["next_cursor"]


def assert_delivered_once(reader: Reader, server: UnreliableServer, first: int) -> list[dict[str, Any]]:
    """Every fate befell the client, and yet all is there once; returns the logs."""
    assert min(server.fates[fate] for fate in ("throttled", "unavailable", "answer lost")) >= first, server.fates
    totals = reader.wait_until_stored()
    assert (totals["stored"], totals["dead_lettered"], totals["unaccounted"]) == (LOGS, 0, 0)
    logs = reader.logs()
    assert len(logs) == LOGS
    assert {log["metadata"]["number"] for log in logs} == set(range(LOGS))
    return logs


@pytest.mark.timeout(300)
def test_the_opentelemetry_sdk(url: str, make_key: Callable[..., str]) -> None:
    key = make_key("ingest", "read")
    with unreliable(url) as server:
        exporter = OTLPLogExporter(
            f"{server.url}/v1/logs", headers={"X-API-Key": key}, timeout=60, compression=Compression.Gzip
        )
        resource = Resource({"service.name": "checkout", "service.version": "1.2.3", "host.name": "web-1"})
        provider = LoggerProvider(resource, shutdown_on_exit=False)
        provider.add_log_record_processor(
            BatchLogRecordProcessor(exporter, max_queue_size=2 * LOGS, max_export_batch_size=BATCH)
        )
        logger = provider.get_logger("shop.orders")
        started_ns = time.time_ns()
        for number in range(LOGS):
            logger.emit(
                LogRecord(
                    timestamp=started_ns + number * 1_000,
                    severity_number=SeverityNumber.WARN,
                    severity_text="WARN",
                    body=f"order {number} is late",
                    attributes={"number": number, "customer.tier": "gold"},
                    trace_id=TRACE_ID,
                    span_id=SPAN_ID,
                )
            )
        assert provider.force_flush(120_000)
        provider.shutdown()
    logs = assert_delivered_once(Reader(url, key), server, first=2)
    by_number = {log["metadata"]["number"]: log for log in logs}
    for number in (0, LOGS // 2, LOGS - 1):
        log = by_number[number]
        assert log["message"] == f"order {number} is late"
        assert (log["level"], log["severity_number"], log["severity_text"]) == ("WARNING", 13, "WARN")
        assert (log["service"], log["version"], log["host"]) == ("checkout", "1.2.3", "web-1")
        assert (log["logger"], log["metadata"]["customer.tier"]) == ("shop.orders", "gold")
        assert (log["trace_id"], log["span_id"]) == (f"{TRACE_ID:032x}", f"{SPAN_ID:016x}")
    assert len({log["timestamp"] for log in logs}) == LOGS


@pytest.mark.timeout(300)
def test_the_python_handler(url: str, make_key: Callable[..., str]) -> None:
    key = make_key("ingest", "read")
    with unreliable(url) as server:
        handler = SluiceHandler(server.url, key, service="checkout", version="1.2.3", batch_records=BATCH)
        logger = logging.Logger("shop.orders")
        logger.addHandler(handler)
        for number in range(LOGS):
            logger.warning("order %d is late", number, extra={"number": number, "trace_id": f"{TRACE_ID:032x}"})
        assert handler.flush(120)
        handler.close()
    logs = assert_delivered_once(Reader(url, key), server, first=2)
    by_number = {log["metadata"]["number"]: log for log in logs}
    for number in (0, LOGS // 2, LOGS - 1):
        log = by_number[number]
        assert log["message"] == f"order {number} is late"
        assert (log["level"], log["service"], log["version"]) == ("WARNING", "checkout", "1.2.3")
        assert (log["logger"], log["trace_id"]) == ("shop.orders", f"{TRACE_ID:032x}")
