"""Command line: `prepare` before `docker compose up`, `announce` after it."""

import json
import secrets
import shlex
import sys
from dataclasses import fields

import boto3

from embedded.accounts import Accounts, password
from embedded.connections import REGION, document
from embedded.state import BUILD, REPOSITORY, write_private

ENVIRONMENT = REPOSITORY / "localstack" / ".env"
FILES = BUILD / "compose"
# As a function's container sees the servers: by service name, on the network that LAMBDA_DOCKER_NETWORK puts it in.
ADDRESSES = {"redis": "redis:6379", "postgres": "postgres:5432", "pgbouncer": "pgbouncer:5432"}
STACK = "sluice-local"


def variable(account: str) -> str:
    """Name in `.env` of a field of Accounts."""
    return account.upper() if account == "key_pepper" else f"{account.upper()}_PASSWORD"


def new_environment(example: str) -> str:
    """`.env.example` with every empty secret filled in; what is optional stays empty."""
    wanted = {variable(field.name) for field in fields(Accounts)} | {"GRAFANA_PASSWORD"}
    made = {name: secrets.token_hex(32) if name == "KEY_PEPPER" else password() for name in wanted}
    lines = (f"{line}{made.get(line[:-1], '')}" if line.endswith("=") else line for line in example.splitlines())
    return "\n".join([*lines, ""])


def read_environment(text: str) -> dict[str, str]:
    """Variables of a `.env` file as compose reads plain ones."""
    lines = (line.partition("=") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in lines}


def read_accounts(environment: dict[str, str]) -> Accounts:
    """The accounts of a `.env` file; KeyError or ValueError names one that is missing."""
    values = {field.name: environment[variable(field.name)] for field in fields(Accounts)}
    if missing := [variable(name) for name, value in values.items() if not value]:
        raise ValueError(f"{', '.join(missing)} is empty in {ENVIRONMENT}: set it, or delete the file")
    return Accounts(**values)


def prepare() -> None:
    """Make `.env` unless it exists, and the connections document from it."""
    if not ENVIRONMENT.exists():
        write_private(ENVIRONMENT, new_environment(ENVIRONMENT.with_name(".env.example").read_text()))
    FILES.mkdir(parents=True, exist_ok=True)
    connections = document(ADDRESSES, read_accounts(read_environment(ENVIRONMENT.read_text())))
    write_private(FILES / "connections.json", json.dumps(connections, indent=2) + "\n")


def announce() -> None:
    """Write build/compose/env, with which other tools find the stack, and print the API's URL."""
    port = read_environment(ENVIRONMENT.read_text()).get("LOCALSTACK_PORT") or "4566"
    endpoint = f"http://127.0.0.1:{port}"
    account = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    client = boto3.client(
        "cloudformation",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  # LocalStack takes any
    )
    outputs = client.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    url = next(output["OutputValue"] for output in outputs if output["OutputKey"] == "ApiUrl")
    variables = {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, **account}
    variables |= {"SLUICE_STAGE": "local", "SLUICE_URL": url}
    write_private(FILES / "env", "".join(f"export {k}={shlex.quote(v)}\n" for k, v in variables.items()))
    print(url)


if __name__ == "__main__":
    {"prepare": prepare, "announce": announce}[sys.argv[1]]()
