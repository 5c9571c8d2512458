"""Another repository loads the plugin and asserts on the fan-out in ten lines."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PYPROJECT = f"""
[tool.pytest.ini_options]
addopts = "-p no:cacheprovider"
pythonpath = ["{REPOSITORY}/tests", "{REPOSITORY}/layers/common/python"]
"""
CONFTEST = 'pytest_plugins = ["aws"]\n'
TEST = """\
from aws import schedule_event

def test_two_orders_share_a_chunk_and_the_third_gets_its_own(stage):
    stage.limit_chunks(max_records=2)
    for number in range(3):
        stage.send({"message": f"order {number}"})
    stage.runner.invoke("drain", schedule_event("drain") | {"ticks": 1})
    first, second = stage.chunks()
    assert (len(first["entry_ids"]), len(second["entry_ids"])) == EXPECTED
    assert len(stage.store.rows) == 3
"""


def run_tests(folder: Path, expected: str) -> subprocess.CompletedProcess[str]:
    """Runs the second repository's tests, as its developers would, with `expected` as the chunks' sizes."""
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_orders.py").write_text(TEST.replace("EXPECTED", expected))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "AWS", "SLUICE"))
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--color=no"],
        cwd=folder,
        env=environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # the plugins of our environment are not theirs
        capture_output=True,
        text=True,
        check=False,
    )


def test_ten_lines_assert_on_the_fan_out(tmp_path: Path) -> None:
    assert len(TEST.splitlines()) == 10
    done = run_tests(tmp_path, "(2, 1)")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_and_they_can_fail(tmp_path: Path) -> None:
    done = run_tests(tmp_path, "(3, 0)")
    assert done.returncode == 1
    assert "assert (2, 1) == (3, 0)" in done.stdout
