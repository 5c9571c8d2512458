"""A receiver behind a real socket, and loggers of the test's own."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sluice_logging import SluiceHandler

from unit.cli.playback import Playback, running
from unit.logging_client.receiver import Receiver

type MakeHandler = Callable[..., SluiceHandler]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLUICE_URL", "SLUICE_API_KEY", "SLUICE_SERVICE", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Playback]:
    with running() as playback:
        yield playback


@pytest.fixture
def receiver(server: Playback) -> Receiver:
    receiver = Receiver()
    server.play = receiver
    return receiver


@pytest.fixture
def make_handler(server: Playback) -> Iterator[MakeHandler]:
    handlers: list[SluiceHandler] = []

    def make(**options: Any) -> SluiceHandler:
        given = {"url": f"{server.url}/v1", "api_key": "slc_key", "interval_seconds": 0.01, "close_seconds": 0.2}
        handlers.append(SluiceHandler(**{**given, **options}))
        return handlers[-1]

    yield make
    for handler in handlers:
        handler.close()


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("shop")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.handlers.clear()
    logger.propagate = True
