"""What becomes of a log record, and of whatever is logged with it."""

import ast
import json
import logging
import logging.config
import math
import sys
import uuid
from collections import deque
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, override

import loguru
import pytest
import sluice_logging
import structlog
from sluice_logging import SluiceHandler, SluiceProcessor
from sluice_logging.plain import MAX_TEXT_CHARACTERS, MAX_VALUES, Plain
from sluice_logging.records import Encoder, snapshot

from unit.cli.playback import Playback
from unit.logging_client.conftest import MakeHandler
from unit.logging_client.receiver import Receiver

WAIT = 20.0


class Hostile:
    @override
    def __repr__(self) -> str:
        raise RuntimeError("no text")

    __str__ = __repr__


class Colour(Enum):
    RED = "red"


def document(**values: Any) -> dict[str, Any]:
    """A record with these attributes, as Sluice gets it."""
    entry = snapshot(logging.makeLogRecord({"msg": "hello", "levelno": 20, "levelname": "INFO", "name": "n", **values}))
    found: dict[str, Any] = json.loads(Encoder({"host": "h"}, {}).encode(entry))
    return found


def test_a_record_in_full() -> None:
    moment = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
    found = document(
        msg="order %d paid", args=(7,), created=moment.timestamp(), levelno=30, levelname="WARNING",
        order=7, session_id="s1", trace_id="t1", service="shop",
        pathname="/app/pay.py", lineno=12, funcName="pay", process=5, threadName="main",
    )  # fmt: skip
    assert found == {
        "timestamp": "2026-11-24T12:00:00.123456+00:00",
        "level": "WARNING",
        "logger": "n",
        "message": "order 7 paid",
        "host": "h",
        "service": "shop",
        "session_id": "s1",
        "trace_id": "t1",
        "metadata": {
            "order": 7,
            "source": {"file": "/app/pay.py", "line": 12, "function": "pay", "process": 5, "thread": "main"},
        },
    }


@pytest.mark.parametrize(
    ("number", "name", "level"),
    [(5, "TRACE", "DEBUG"), (25, "SUCCESS", "INFO"), (35, "ODD", "WARNING"), (99, "LOUD", "CRITICAL")],
)
def test_other_levels_become_the_one_below_and_keep_their_name(number: int, name: str, level: str) -> None:
    found = document(levelno=number, levelname=name)
    assert (found["level"], found["metadata"]["level_name"]) == (level, name)


def test_opentelemetrys_ids_are_columns_and_its_zeros_nothing() -> None:
    ids = {"otelTraceID": "ab" * 16, "otelSpanID": "cd" * 8, "otelServiceName": "shop", "otelTraceSampled": True}
    found = document(**ids)
    assert (found["trace_id"], found["span_id"], found["service"]) == ("ab" * 16, "cd" * 8, "shop")
    assert set(found["metadata"]) == {"source"}
    assert "trace_id" not in document(otelTraceID="0", otelSpanID="0", otelServiceName="")


def test_an_exception_has_type_message_and_trace() -> None:
    try:
        raise json.JSONDecodeError("bad", "x", 0)
    except ValueError:
        exception = document(exc_info=sys.exc_info())["metadata"]["exception"]
    assert exception["type"] == "json.decoder.JSONDecodeError"
    assert exception["message"] == "bad: line 1 column 1 (char 0)"
    assert exception["stacktrace"].startswith("Traceback (most recent call last):")


def test_wrong_arguments_keep_the_record() -> None:
    found = document(msg="%d items", args=("x",))
    assert found["message"] == "%d items ('x',)"
    assert "message_error" in found["metadata"]


@pytest.mark.parametrize("created", [math.nan, math.inf, 1e300, -1e300])
def test_a_time_that_is_none_is_left_out(created: float) -> None:
    assert "timestamp" not in document(created=created)


def test_fields_named_like_ours_are_both_kept() -> None:
    metadata = document(source="mine", exception="mine", exc_info=(ValueError, ValueError("x"), None))["metadata"]
    assert (metadata["source"], metadata["exception"]) == ("mine", "mine")
    assert metadata["_exception"]["type"] == "ValueError"
    assert "file" in metadata["_source"]


def test_whatever_is_logged_becomes_json() -> None:
    circle: list[Any] = []
    circle.append(circle)
    deep: Any = "bottom"
    for _ in range(50):
        deep = {"a": deep}
    unfit = uuid.UUID(int=1)
    values = {
        "hostile": Hostile(), "circle": circle, "deep": deep, "nan": math.nan, "set": {1}, "bytes": b"a\xff",
        "huge": 10**6000,
        "decimal": Decimal("1.50"), "uuid": unfit, "path": Path("/a"), "enum": Colour.RED, "object": object,
        "keys": {1: 1, None: 2, Hostile(): 3}, "surrogate": "\ud800", "error": ValueError("x"), "deque": deque([1]),
        "when": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    found = document(**values)["metadata"]
    assert found["hostile"] == "<Hostile cannot be read>"
    assert found["circle"] == ["<circular>"]
    assert "dict of 1" in json.dumps(found["deep"])
    assert (found["nan"], found["set"], found["bytes"], found["decimal"]) == ("nan", [1], "a\ufffd", "1.50")
    assert (found["uuid"], found["path"], found["enum"], found["deque"]) == (str(unfit), "/a", "red", [1])
    assert found["huge"] == "<19932 bit integer>"
    assert found["error"] == "ValueError: x"
    assert found["when"] == "2026-01-01T00:00:00+00:00"


def test_the_same_value_twice_is_not_circular() -> None:
    same = [1]
    assert Plain().value([same, same]) == [[1], [1]]


def test_what_is_logged_is_bounded_and_weighed() -> None:
    plain = Plain()
    found = plain.value({"many": list(range(100_000)), "long": "x" * 100_000})
    assert len(found["many"]) <= MAX_VALUES
    assert plain.value("x" * 100_000) == "x" * (MAX_TEXT_CHARACTERS // 2) + " … " + "x" * (MAX_TEXT_CHARACTERS // 2 - 3)
    assert plain.size_bytes >= 64 * MAX_VALUES
    message = document(msg="x" * 100_000)
    assert len(message["message"]) == 65_536
    assert message["metadata"]["message_characters"] == 100_000


def test_values_are_taken_when_they_are_logged(
    receiver: Receiver, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    handler = make_handler(interval_seconds=WAIT)
    logger.addHandler(handler)
    basket = ["apple"]
    logger.info("%s", basket, extra={"basket": basket})
    basket.append("pear")
    assert handler.flush(WAIT)
    assert receiver.messages == ["['apple']"]
    assert receiver.logs[0]["metadata"]["basket"] == ["apple"]


def test_dict_config_makes_it_with_options(server: Playback, receiver: Receiver) -> None:
    options = {"url": f"{server.url}/v1/", "api_key": "slc_key", "service": "shop", "metadata": {"region": "eu"}}
    handlers = {"sluice": {"class": "sluice_logging.SluiceHandler", "level": "INFO", **options}}
    loggers = {"shop.config": {"handlers": ["sluice"], "level": "DEBUG", "propagate": False}}
    logging.config.dictConfig(
        {"version": 1, "disable_existing_loggers": False, "handlers": handlers, "loggers": loggers}
    )
    logger = logging.getLogger("shop.config")
    logger.debug("below")
    logger.info("one")
    (handler,) = logger.handlers
    assert isinstance(handler, SluiceHandler)
    assert handler.flush(WAIT)
    handler.close()
    logger.handlers.clear()
    assert receiver.messages == ["one"]
    assert receiver.logs[0]["service"] == "shop"
    assert receiver.logs[0]["metadata"]["region"] == "eu"


def test_the_environment_names_what_arguments_do_not(
    server: Playback, receiver: Receiver, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_URL", f"{server.url}/v1")
    monkeypatch.setenv("SLUICE_API_KEY", "slc_key\n")
    monkeypatch.setenv("SLUICE_SERVICE", "shop")
    handler = SluiceHandler()
    logger.addHandler(handler)
    logger.info("one")
    handler.close()
    assert receiver.logs[0]["service"] == "shop"


def test_a_proxy_takes_no_part_on_this_machine(
    receiver: Receiver, make_handler: MakeHandler, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    handler = make_handler()
    logger.addHandler(handler)
    logger.info("one")
    assert handler.flush(WAIT)
    assert receiver.messages == ["one"]


def test_a_proxy_of_the_environment_is_used_for_other_machines(
    server: Playback,
    receiver: Receiver,
    make_handler: MakeHandler,
    logger: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//user:p%40ss@"))
    handler = make_handler(url="http://sluice.example/v1")
    logger.addHandler(handler)
    logger.info("one")
    assert handler.flush(WAIT)
    assert receiver.messages == ["one"]
    assert server.requests[0].headers["Host"] == "sluice.example"
    assert server.requests[0].headers["Proxy-Authorization"] == "Basic dXNlcjpwQHNz"


@pytest.mark.parametrize("wrap", [True, False], ids=["wrapped", "keywords"])
def test_structlog_over_logging(
    wrap: bool, receiver: Receiver, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    handler = make_handler()
    logger.addHandler(handler)
    last: Any = (
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter if wrap else structlog.stdlib.render_to_log_kwargs
    )
    processors: list[Any] = [structlog.stdlib.add_log_level, structlog.processors.TimeStamper(), last]
    bound = structlog.wrap_logger(logger, processors=processors, wrapper_class=structlog.stdlib.BoundLogger)
    try:
        raise ValueError("wrong")
    except ValueError:
        bound.bind(order=7, trace_id="t1").exception("paid")
    assert handler.flush(WAIT)
    (log,) = receiver.logs
    assert (log["message"], log["level"], log["logger"], log["trace_id"]) == ("paid", "ERROR", "shop", "t1")
    assert log["metadata"]["order"] == 7
    assert log["metadata"]["exception"]["message"] == "wrong"
    assert not {"event", "_logger", "_name", "exc_info"} & log["metadata"].keys()


def test_structlog_without_logging(receiver: Receiver, make_handler: MakeHandler) -> None:
    handler = make_handler()
    render = structlog.processors.JSONRenderer()
    processors: list[Any] = [structlog.processors.add_log_level, SluiceProcessor(handler), render]
    bound = structlog.wrap_logger(structlog.ReturnLogger(), processors=processors)
    assert json.loads(bound.warning("paid", order=7))["order"] == 7
    assert handler.flush(WAIT)
    (log,) = receiver.logs
    assert (log["message"], log["level"], log["metadata"]["order"]) == ("paid", "WARNING", 7)


def test_loguru(receiver: Receiver, make_handler: MakeHandler) -> None:
    handler = make_handler()
    number = loguru.logger.add(handler)
    try:
        loguru.logger.bind(order=7).success("paid {}", "well")
        try:
            raise ValueError("wrong")
        except ValueError:
            loguru.logger.exception("failed")
        assert handler.flush(WAIT)
    finally:
        loguru.logger.remove(number)
    first, second = receiver.logs
    assert (first["message"], first["level"], first["metadata"]["order"]) == ("paid well", "INFO", 7)
    assert first["metadata"]["level_name"] == "SUCCESS"
    assert (second["message"], second["metadata"]["exception"]["type"]) == ("failed", "ValueError")


@pytest.mark.parametrize(
    "source", sorted(Path(sluice_logging.__file__).parent.glob("*.py")), ids=lambda path: path.name
)
def test_it_is_written_for_the_oldest_python_that_users_may_have(source: Path) -> None:
    ast.parse(source.read_text(), feature_version=(3, 9))
