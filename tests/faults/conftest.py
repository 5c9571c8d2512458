"""Fixtures of the fault suite: a platform whose functions can be killed, and the table at the end of the run."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.harness.platform import Platform, running_platform
from faults.harness.proxy import Proxy
from faults.harness.scores import Scoreboard
from faults.harness.sizes import SIZE
from scratch import Scratch
from stack import Stack

REDIS_DATABASE = 10  # the deployed stack uses 0, the other tests 9
REPORT = Path(__file__).parents[2] / "build" / "faults.json"

_scoreboard = pytest.StashKey[Scoreboard]()


def _board(config: pytest.Config) -> Scoreboard:
    return config.stash.setdefault(_scoreboard, Scoreboard())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the table and keeps it for others to read."""
    board = _board(config)
    if board.scores:
        terminalreporter.section(f"faults ({SIZE.name})")
        for line in board.lines():
            terminalreporter.write_line(line)
        board.write(REPORT, SIZE.name)


@pytest.fixture
def scoreboard(request: pytest.FixtureRequest) -> Scoreboard:
    """Takes the row of a test in the table; add it before asserting anything."""
    return _board(request.config)


@pytest.fixture(scope="session")
def fault_database(migrated_database: Callable[..., Scratch]) -> Scratch:
    """A migrated database for this suite alone: some faults concern the whole of it."""
    return migrated_database()


@pytest.fixture
def fault_redis_url(servers: Stack) -> str:
    """The Redis database of this suite."""
    return f"{servers.redis_url.rpartition('/')[0]}/{REDIS_DATABASE}"


@pytest.fixture
def platform(fault_database: Scratch, fault_redis_url: str) -> Iterator[Platform]:
    """A platform with an empty queue."""
    with running_platform(fault_database, fault_redis_url) as running:
        yield running


@pytest.fixture
def redis_proxy(servers: Stack) -> Iterator[Proxy]:
    """In front of Redis."""
    proxy = Proxy(servers.port("redis"))
    yield proxy
    proxy.close()


@pytest.fixture
def database_proxy(servers: Stack) -> Iterator[Proxy]:
    """In front of PgBouncer."""
    proxy = Proxy(servers.port("pgbouncer"))
    yield proxy
    proxy.close()


@pytest.fixture
def proxied_platform(
    fault_database: Scratch, fault_redis_url: str, redis_proxy: Proxy, database_proxy: Proxy
) -> Iterator[Platform]:
    """A platform whose functions reach the servers through the two proxies; the oracle does not."""
    with running_platform(
        fault_database,
        fault_redis_url,
        functions_redis_url=redis_proxy.redirect(fault_redis_url),
        functions_database_url=lambda role: database_proxy.redirect(fault_database.url(role)),
    ) as running:
        yield running
