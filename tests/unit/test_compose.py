"""localstack/compose.yaml as far as it can be judged without an engine: shape, settings, addresses, secrets, ports."""

import json
import os
import re
import subprocess
from dataclasses import fields
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from compose.__main__ import ADDRESSES, new_environment, read_accounts, read_environment, variable
from deploy.connections import KEYS
from embedded import settings
from embedded.accounts import Accounts
from embedded.connections import document
from embedded.servers.redis import user_lines
from embedded.state import REPOSITORY

FOLDER = REPOSITORY / "localstack"
EXAMPLE = (FOLDER / ".env.example").read_text()
ENVIRONMENT = read_environment(new_environment(EXAMPLE))
ROLES = ("ingest", "writer", "reader", "indexer", "archiver", "watcher", "alerts")
REFERENCE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


@cache
def text() -> str:
    return (FOLDER / "compose.yaml").read_text()


def interpolated(environment: dict[str, str]) -> dict[str, Any]:
    """The file with its variables replaced as compose does it; ValueError names one that is demanded and missing."""

    def value(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        if environment.get(name):
            return environment[name]
        if operator == "?":
            raise ValueError(name)
        return rest or ""

    lines = (line for line in text().splitlines() if not line.lstrip().startswith("#"))
    parsed: dict[str, Any] = yaml.safe_load(REFERENCE.sub(value, "\n".join(lines)))
    return parsed


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = interpolated(ENVIRONMENT)["services"][name]
    return found


def options(name: str, marker: str) -> dict[str, str]:
    """Command line options of a service: `--name value` or `-c name=value`."""
    words = [str(word) for word in service(name)["command"]]
    pairs = list(pairwise(words))
    if marker == "-c":
        return dict(value.split("=", 1) for option, value in pairs if option == "-c")
    return {option.removeprefix("--"): value for option, value in pairs if option.startswith("--")}


def pgbouncer_settings() -> dict[str, str]:
    content = interpolated(ENVIRONMENT)["configs"]["pgbouncer-settings"]["content"]
    lines = content.partition("[pgbouncer]\n")[2].splitlines()
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


def test_it_follows_the_compose_specification() -> None:
    import jsonschema  # takes a second, which not every test process need spend

    schema = json.loads((REPOSITORY / "tests" / "schemas" / "compose-spec.json").read_text())
    jsonschema.validate(interpolated(ENVIRONMENT), schema)


def test_the_example_names_every_variable_and_no_other() -> None:
    assert {match[1] for match in REFERENCE.finditer(text())} | {"KEY_PEPPER"} == read_environment(EXAMPLE).keys()


@pytest.mark.parametrize("name", sorted({variable(field.name) for field in fields(Accounts)} - {"KEY_PEPPER"}))
def test_no_password_has_a_default(name: str) -> None:
    assert read_environment(EXAMPLE)[name] == ""
    with pytest.raises(ValueError, match=name):
        interpolated(ENVIRONMENT | {name: ""})


def test_every_secret_is_made_once_and_is_missed_when_it_is_gone() -> None:
    again = read_environment(new_environment(EXAMPLE))
    secrets = [variable(field.name) for field in fields(Accounts)]
    assert all(len(ENVIRONMENT[name]) >= 32 and again[name] != ENVIRONMENT[name] for name in secrets)
    assert ENVIRONMENT["LOCALSTACK_AUTH_TOKEN"] == ""
    with pytest.raises(ValueError, match="KEY_PEPPER is empty"):
        read_accounts(ENVIRONMENT | {"KEY_PEPPER": ""})


def test_servers_have_the_settings_of_the_embedded_stack() -> None:
    assert settings.REDIS.items() <= options("redis", "--").items()
    assert settings.POSTGRES.items() <= options("postgres", "-c").items()
    assert settings.PGBOUNCER.items() <= pgbouncer_settings().items()


def test_functions_reach_the_servers_by_name_on_their_network() -> None:
    compose = interpolated(ENVIRONMENT)
    network = compose["networks"][service("localstack")["environment"]["LAMBDA_DOCKER_NETWORK"]]
    assert network == {"name": "sluice"}
    ports = {"redis": 6379, "postgres": 5432, "pgbouncer": int(pgbouncer_settings()["listen_port"])}
    secret = document(ADDRESSES, read_accounts(ENVIRONMENT))
    assert secret.keys() == KEYS
    urls = {name: urlsplit(value) for name, value in secret.items() if name.endswith("_url")}
    for url in urls.values():
        assert "sluice" in compose["services"][url.hostname or ""]["networks"]
        assert url.port == ports[url.hostname or ""]
    servers = {name: url.hostname for name, url in urls.items()}
    through_pgbouncer = {f"{role}_database_url": "pgbouncer" for role in ROLES}
    redis = {name: "redis" for name in KEYS if name.endswith("_redis_url")}
    assert servers == redis | {"owner_database_url": "postgres"} | through_pgbouncer


def test_passwords_of_the_secret_are_those_of_the_servers() -> None:
    secret = document(ADDRESSES, read_accounts(ENVIRONMENT))
    accounts = read_accounts(ENVIRONMENT)
    assert options("redis", "--")["requirepass"] == accounts.redis
    assert interpolated(ENVIRONMENT)["configs"]["redis-users"]["content"] == "".join(user_lines(accounts.queue_users()))
    for name, password in accounts.queue_users().items():
        url = urlsplit(secret[f"{name}_redis_url"])
        assert (url.username, url.password) == (name, password)
    users = interpolated(ENVIRONMENT)["configs"]["pgbouncer-users"]["content"]
    roles = service("roles")["command"]
    for name in (*ROLES, "owner"):
        url = urlsplit(secret[f"{name}_database_url"])
        assert f'"{url.username}" "{url.password}"\n' in users
        assert f"--set={url.username}_password={url.password}" in roles


@pytest.mark.parametrize("name", ["localstack", "redis", "postgres", "pgbouncer", "prometheus", "grafana"])
def test_a_service_is_pinned_healthy_and_on_loopback_only(name: str) -> None:
    found = service(name)
    assert re.search(r":v?\d+\.\d+\.\d+(-p\d+)?$|^postgres:18\.\d+$", found["image"])
    assert found["healthcheck"]["test"]
    assert found["networks"] == ["sluice"]
    assert all(port.startswith("127.0.0.1:") for port in found["ports"])
    assert ("monitoring" in found.get("profiles", [])) == (name in ("prometheus", "grafana"))


def test_every_mounted_file_of_the_repository_exists() -> None:
    mounts = [mount for one in interpolated(ENVIRONMENT)["services"].values() for mount in one.get("volumes", [])]
    sources = [mount.split(":")[0] for mount in mounts]
    mine = [path for path in sources if path.startswith(".") and "/build/" not in path]
    assert len(mine) == 6
    assert all((FOLDER / path).exists() for path in mine)
    named = {path for path in sources if not path.startswith((".", "/"))}
    assert named == interpolated(ENVIRONMENT)["volumes"].keys()


AWSLOCAL = """#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in
*VersionId*) echo version-1 ;;
*FunctionError*) echo "$ANSWER" ;;
esac
"""


@pytest.mark.parametrize(("answer", "code"), [("None", 0), ("Unhandled", 1)])
def test_the_ready_hook_deploys_what_is_mounted_and_fails_with_the_migration(
    tmp_path: Path, answer: str, code: int
) -> None:
    calls, program = tmp_path / "calls", tmp_path / "awslocal"
    program.write_text(AWSLOCAL)
    program.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(calls), "ANSWER": answer}
    environ |= {"API_ENDPOINT": "http://127.0.0.1:4566"}
    done = subprocess.run([FOLDER / "init" / "ready.d" / "deploy.sh"], env=environ, capture_output=True, check=False)
    assert done.returncode == code
    made, stored, packaged, deployed, invoked = calls.read_text().splitlines()
    assert made == "s3 mb s3://sluice-artifacts"
    assert "file:///opt/sluice/connections.json" in stored
    assert "/opt/sluice/bundles/template.yaml" in packaged
    assert "ConnectionsVersion=version-1 ApiEndpoint=http://127.0.0.1:4566" in deployed
    assert '{"action": "migrate"}' in invoked
