"""What tests of a whole deployment aim at: the embedded stack, deployed by this session; or any other deployment.

SLUICE_E2E_URL names another one, SLUICE_E2E_KEY and SLUICE_E2E_OTHER_KEY two applications' keys (scopes ingest and read
each), SLUICE_E2E_ADMIN_KEY a key with the scopes read and admin. SHARD_COUNT is for the deployment that is made here.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from stack import Stack

REPOSITORY = Path(__file__).resolve().parents[1]
ENVIRONMENT = REPOSITORY / "build" / "venv" / "bin"


def run(*command: str, environment: dict[str, str]) -> str:
    """Runs a command of ours as a user would and returns its standard output."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


if "SLUICE_E2E_URL" in os.environ:

    @pytest.fixture(scope="session")
    def operator_environment() -> dict[str, str]:
        """The environment in which `sluice` speaks to the deployment."""
        return os.environ | {"SLUICE_URL": os.environ["SLUICE_E2E_URL"]}

else:

    @pytest.fixture(scope="session")
    def operator_environment(stack: Stack) -> dict[str, str]:
        """The environment in which `sluice` speaks to the deployment, which is made here."""

        def stop_ticking() -> None:
            """Ingest alone has the queue drained: what the schedule would find, it would hide."""
            session = boto3.Session("test", "test", region_name="us-east-1")
            events: Any = session.client("events", endpoint_url=stack.environment["AWS_ENDPOINT_URL"])
            for rule in events.list_rules()["Rules"]:
                targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
                if any("ticks" in json.loads(target.get("Input", "{}")) for target in targets):
                    events.disable_rule(Name=rule["Name"])

        path = f"{ENVIRONMENT}{os.pathsep}{os.environ['PATH']}"
        deploying = os.environ | {"PYTHONPATH": str(REPOSITORY / "infra"), "PATH": path} | stack.environment
        command = [sys.executable, "-m", "deploy", "up", "--state", str(stack.state)]
        command += ["--parameter", f"ShardCount={os.environ.get('SHARD_COUNT') or 1}"]
        command += ["--parameter", "WebhookAllowList=http://127.0.0.1:*"]  # tests receive webhooks
        url = run(*command, environment=deploying)
        stop_ticking()
        return deploying | {"SLUICE_URL": url.splitlines()[-1]}


@pytest.fixture(scope="session")
def url(operator_environment: dict[str, str]) -> str:
    """The API's base URL, without a trailing slash."""
    return operator_environment["SLUICE_URL"]


@pytest.fixture(scope="session")
def make_key(operator_environment: dict[str, str]) -> Callable[..., str]:
    """Makes a new application's key with the scopes that it is called with."""

    def make(*scopes: str) -> str:
        name = f"e2e-{secrets.token_hex(4)}"
        sluice = str(ENVIRONMENT / "sluice")
        run(sluice, "apps", "create", name, environment=operator_environment)
        options = [option for scope in scopes for option in ("--scope", scope)]
        return run(sluice, "keys", "create", name, *options, environment=operator_environment).splitlines()[-1]

    return make


@pytest.fixture(scope="session")
def key(make_key: Callable[..., str]) -> str:
    """A key of one application."""
    return os.environ.get("SLUICE_E2E_KEY") or make_key("ingest", "read")


@pytest.fixture(scope="session")
def other_key(make_key: Callable[..., str]) -> str:
    """A key of another application."""
    return os.environ.get("SLUICE_E2E_OTHER_KEY") or make_key("ingest", "read")


@pytest.fixture(scope="session")
def admin_key(make_key: Callable[..., str]) -> str:
    """A key that sees all applications and their dead letters."""
    return os.environ.get("SLUICE_E2E_ADMIN_KEY") or make_key("read", "admin")
