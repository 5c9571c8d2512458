"""Fixtures for every suite (servers, scratch databases, moto, the deployment), and which process runs what."""

import signal

import hypothesis
import pytest

pytest_plugins = ["stack", "scratch", "aws", "deployment", "scheduling"]

OFFLINE_SUITES = ("tests/unit/", "tests/functions/", "tests/properties/")


def pytest_configure() -> None:
    """Ctrl-C is heard again where a shell that runs us in the background would have it ignored: tests send it.
    No example of hypothesis has a time limit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis.settings.register_profile("sluice", deadline=None)  # a busy machine is no failure
    hypothesis.settings.load_profile("sluice")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names bytes by their argument, not their content: gzip writes the time into it, and workers must agree on ids."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Suites that need no server get no network either (loopback excepted: some start their own HTTP server)."""
    for item in items:
        if any(suite in item.path.as_posix() for suite in OFFLINE_SUITES):
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1"]))
