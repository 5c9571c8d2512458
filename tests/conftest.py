"""Fixtures for every suite: real servers (stack), scratch databases on them (scratch), moto (aws), deployment."""

import pytest

pytest_plugins = ["stack", "scratch", "aws", "deployment"]

OFFLINE_SUITES = ("tests/unit/", "tests/functions/", "tests/properties/")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names bytes by their argument, not their content: gzip writes the time into it, and workers must agree on ids."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Suites that need no server get no network either (loopback excepted: some start their own HTTP server).

    Of two workers, one gets all tests that need the deployment, and the other, file by file, those that do not.
    """
    for item in items:
        if any(suite in item.path.as_posix() for suite in OFFLINE_SUITES):
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1"]))
        needs_deployment = "operator_environment" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("deployment" if needs_deployment else item.path.as_posix()))
    items.sort(key=lambda item: "operator_environment" not in getattr(item, "fixturenames", ()))
