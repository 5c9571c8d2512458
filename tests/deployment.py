"""What tests of a whole deployment aim at: the embedded stack, deployed by this session; or any other deployment.

SLUICE_E2E_URL names another one, SLUICE_E2E_KEY and SLUICE_E2E_OTHER_KEY two applications' keys (scopes ingest and read
each), SLUICE_E2E_ADMIN_KEY a key with the scopes read and admin. SHARD_COUNT is for the deployment that is made here.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
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
            events = _events(stack.environment)
            for rule in _rules(events, lambda target: "ticks" in json.loads(target.get("Input", "{}"))):
                events.disable_rule(Name=rule)

        path = f"{ENVIRONMENT}{os.pathsep}{os.environ['PATH']}"
        deploying = os.environ | {"PYTHONPATH": str(REPOSITORY / "infra"), "PATH": path} | stack.environment
        command = [sys.executable, "-m", "deploy", "up", "--state", str(stack.state)]
        command += ["--parameter", f"ShardCount={os.environ.get('SHARD_COUNT') or 1}"]
        command += ["--parameter", "WebhookAllowList=http://127.0.0.1:*"]  # tests receive webhooks
        url = run(*command, environment=deploying)
        stop_ticking()
        return deploying | {"SLUICE_URL": url.splitlines()[-1]}


@pytest.fixture(scope="session")
def pause(operator_environment: dict[str, str]) -> Callable[[str], AbstractContextManager[None]]:
    """Within the context no schedule starts the function; of the embedded stack alone."""

    @contextmanager
    def paused(function: str) -> Iterator[None]:
        if "AWS_ENDPOINT_URL" not in operator_environment:
            yield
            return
        events = _events(operator_environment)
        rules = _rules(events, lambda target: target["Arn"].endswith(f"-{function}"))
        for rule in rules:
            events.disable_rule(Name=rule)
        yield
        for rule in rules:
            events.enable_rule(Name=rule)

    return paused


def _events(environment: dict[str, str]) -> Any:
    session = boto3.Session("test", "test", region_name="us-east-1")
    return session.client("events", endpoint_url=environment["AWS_ENDPOINT_URL"])


def _rules(events: Any, has_target: Callable[[dict[str, Any]], bool]) -> list[str]:
    """Names of the rules with such a target."""
    names = (rule["Name"] for rule in events.list_rules()["Rules"])
    return [name for name in names if any(map(has_target, events.list_targets_by_rule(Rule=name)["Targets"]))]


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
