"""The whole product, deployed to an embedded stack of its own, for the run under load."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from scratch import Scratch
from stack import BUILD, REPOSITORY, Stack, running_stack

_PROGRAMS = REPOSITORY / "build" / "venv" / "bin"


@dataclass(frozen=True)
class Deployment:
    """The API's URL (without trailing slash) and one application on it."""

    stack: Stack
    url: str
    application: str
    key: str

    @property
    def database(self) -> Scratch:
        return Scratch(self.stack, "sluice")

    def application_id(self) -> int:
        ((application_id,),) = self.database.rows(
            "SELECT application_id FROM applications WHERE name = %s", self.application
        )
        return int(application_id)


@contextmanager
def deployed() -> Iterator[Deployment]:
    """Starts and deploys everything, and makes an application with a key (scopes ingest and read)."""
    with running_stack(BUILD / "load-stack") as stack:
        environ = os.environ | {
            "PYTHONPATH": str(REPOSITORY / "infra"),
            "PATH": f"{_PROGRAMS}{os.pathsep}{os.environ['PATH']}",
            **stack.environment,
        }
        url = _run(environ, sys.executable, "-m", "deploy", "up", "--state", str(stack.state))
        name = f"load-{secrets.token_hex(4)}"
        _run(environ, "sluice", "apps", "create", name)
        key = _run(environ, "sluice", "keys", "create", name, "--scope", "ingest", "--scope", "read")
        yield Deployment(stack, url, name, key)


def _run(environ: dict[str, str], *command: str) -> str:
    """The last line that a command of ours prints."""
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip().splitlines()[-1]
