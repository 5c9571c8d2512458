"""Which of the two test processes runs what; conftest.py loads it as a pytest plugin.

All tests that need the deployment are one piece of work, so that it is made once; every other file is a piece of its
own. The deployment's piece is handed out first, then the files in their order, to whichever process is nearly done.

Pieces are told by path alone: the process that hands them out collects no tests. (The groups of pytest-xdist itself are
marks that its workers write into the node ids; pytest 9.2 takes no notice of that.)
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # ships no types

DEPLOYMENT = "deployment"
NEEDS_DEPLOYMENT = ("tests/e2e/", "tests/browser/", "tests/integration/test_migrating_ahead.py")


def piece_of(nodeid: str) -> str:
    """The piece of work that a test belongs to: `deployment`, or its file."""
    return DEPLOYMENT if nodeid.startswith(NEEDS_DEPLOYMENT) else nodeid.partition("::")[0]


class PieceScheduling(LoadScopeScheduling):  # type: ignore[misc]  # untyped
    """Hands out pieces."""

    def _split_scope(self, nodeid: str) -> str:
        return piece_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> PieceScheduling | None:
    """Takes the place of `--dist loadscope`."""
    if config.getoption("dist") != "loadscope":
        return None
    config.option.loadscopereorder = False  # in the order of collection, not those with the most tests first
    return PieceScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The deployment's tests first: together they take longest. UsageError if one of them is not known to be one."""
    for item in items:
        if "operator_environment" in getattr(item, "fixturenames", ()) and piece_of(item.nodeid) != DEPLOYMENT:
            raise pytest.UsageError(f"{item.nodeid} needs the deployment: name it in tests/scheduling.py")
    items.sort(key=lambda item: piece_of(item.nodeid) != DEPLOYMENT)
