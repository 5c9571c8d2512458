"""pytest plugin of the mutation runs: the copy is what is tested, on servers that run already."""

from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Runs after conftest.py has loaded the ``stack`` plugin, so that its fixture gives way to ours."""
    import sluice

    if not Path(sluice.__file__).is_relative_to(config.rootpath):
        raise pytest.UsageError(f"these tests would test {sluice.__file__}, not the copy in {config.rootpath}")
    config.pluginmanager.import_plugin("mutations.shared_servers")
