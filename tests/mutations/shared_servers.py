"""pytest plugin of the mutation runs: servers that run already, and a check that the copy is what is tested."""

import os
from pathlib import Path

import pytest

STATE_VARIABLE = "SLUICE_MUTATION_STACK"  # the state directory of the running stack


def pytest_configure(config: pytest.Config) -> None:
    """Runs after conftest.py has loaded the ``stack`` plugin, so that its fixture gives way to ours."""
    import sluice
    from stack import Stack

    if not Path(sluice.__file__).is_relative_to(config.rootpath):
        raise pytest.UsageError(f"these tests would test {sluice.__file__}, not the copy in {config.rootpath}")

    class SharedServers:
        @pytest.fixture(scope="session")
        def servers(self) -> Stack:
            return Stack(Path(os.environ[STATE_VARIABLE]))

    config.pluginmanager.register(SharedServers(), "shared_servers")
