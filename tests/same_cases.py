"""Pytest plugin of `make test-localstack`: the session fails unless it passed the very cases of the embedded stack.

A case that is skipped, deselected or collected only elsewhere would otherwise look like success.
"""

import os
import subprocess
import sys

import pytest

passed: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        passed.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    wanted = _collected_for_the_embedded_stack(session.config.args)
    missing = sorted(wanted ^ passed)
    terminal = session.config.get_terminal_writer()
    terminal.line(f"\n{len(passed)} of {len(wanted)} cases of the embedded stack passed here")
    for case in missing:
        terminal.line(f"  not in both: {case}")
    if missing or not wanted:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _collected_for_the_embedded_stack(arguments: list[str]) -> set[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return {line for line in done.stdout.splitlines() if "::" in line}
