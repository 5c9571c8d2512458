"""The AWS SAM command line, its many words kept in a log file."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.errors import DeployError
from deploy.progress import Step
from deploy.target import REPOSITORY

TAIL_LINES = 30


def run(arguments: Sequence[str], log: Path, current: Step, variables: Mapping[str, str] | None = None) -> str:
    """Run `sam`, keep its output in `log` and return it; raises DeployError with the last lines if it fails."""
    command = [str(_venv_bin() / "sam"), *arguments]
    lines: list[str] = []
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**_environment(), **(variables or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            lines.append(line)
            if line.strip(" -\n"):
                current.show(" ".join(line.split()))
    if process.returncode:
        tail = "".join(lines[-TAIL_LINES:])
        raise DeployError(f"sam {arguments[0]} failed, see {log}. Its last lines:\n{tail}")
    return "".join(lines)


def _venv_bin() -> Path:
    return Path(sys.executable).parent


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    # This tool's own packages are nothing for sam, nor for the pip that it runs.
    environment.pop("PYTHONPATH", None)
    # sam and the layer's Makefile look for python3.13 on PATH; it must be the one with this tool's packages.
    environment["PATH"] = os.pathsep.join([str(_venv_bin()), os.environ.get("PATH", os.defpath)])
    environment["SAM_CLI_TELEMETRY"] = "0"
    environment["SAM_CLI_POLL_DELAY"] = "1" if "AWS_ENDPOINT_URL" in environment else "5"
    return environment
