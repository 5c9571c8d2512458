"""A copy of the repository that can be mutated and tested."""

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mutations.model import Mutation, Outcome, Verdict
from mutations.shared_servers import STATE_VARIABLE

REPOSITORY = Path(__file__).resolve().parents[2]
# Before the editable installation of the environment, which points to the repository itself.
IMPORTED = ("layers/common/python", "infra/cli", "tests")
TEST_SECONDS = 30
RUN_SECONDS = 240


@dataclass(frozen=True)
class Copy:
    """A directory with the repository's files, and the state directory of the stack that its tests use."""

    root: Path
    stack: Path

    @contextmanager
    def mutated(self, mutation: Mutation) -> Iterator[None]:
        """Has the mutation in it for the length of the block."""
        file = self.root / mutation.file
        original = file.read_text()
        file.write_text(original.replace(mutation.old, mutation.new))
        try:
            yield
        finally:
            file.write_text(original)

    def test(self, tests: Iterable[str]) -> Outcome:
        """Runs the tests up to the first that fails."""
        started = time.monotonic()
        report = self.root / "report.xml"
        report.unlink(missing_ok=True)
        try:
            run = self._run_pytest(*tests, f"--junitxml={report}")
        except subprocess.TimeoutExpired:
            return Outcome(Verdict.BROKEN, f"no end after {RUN_SECONDS} s", RUN_SECONDS)
        seconds = time.monotonic() - started
        if run.returncode == 0:
            return Outcome(Verdict.SURVIVED, "all tests passed", seconds)
        failed = _failed_test(report) if run.returncode == 1 else None
        if failed is None:
            return Outcome(Verdict.BROKEN, (run.stdout + run.stderr)[-4_000:], seconds)
        return Outcome(Verdict.CAUGHT, failed, seconds)

    def _run_pytest(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        options = ("-p", "mutations.plugin", "-p", "no:cacheprovider", "-x", "-q", f"--timeout={TEST_SECONDS}")
        return subprocess.run(
            [sys.executable, "-m", "pytest", *options, *arguments],
            cwd=self.root,
            env=self._environ(),
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
        )

    def _environ(self) -> dict[str, str]:
        paths = os.pathsep.join(str(self.root / folder) for folder in IMPORTED)
        # No bytecode: two versions of a file within a second, of one length, look alike to Python.
        fixed = {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", STATE_VARIABLE: str(self.stack)}
        return {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"} | fixed


def copy_repository(root: Path, stack: Path) -> Copy:
    """Copies all files that git knows or would add: what is not committed yet is tested, too."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        source, target = REPOSITORY / name, root / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return Copy(root, stack)


def find_stale(root: Path, mutations: Iterable[Mutation]) -> list[str]:
    """What has to be brought up to date because the code has moved on, one line each."""
    problems = []
    for mutation in mutations:
        file = root / mutation.file
        count = file.read_text().count(mutation.old) if file.is_file() else 0
        if count != 1:
            problems.append(f"{mutation.name}: its old text stands {count} times in {mutation.file}, not once")
    return problems


def _failed_test(report: Path) -> str | None:
    """The name of a test that failed; None if none did, whatever else went wrong."""
    if not report.is_file():
        return None
    for case in ET.parse(report).iter("testcase"):
        if case.find("failure") is not None:
            return f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
    return None
