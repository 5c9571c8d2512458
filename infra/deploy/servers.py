"""The steps of a deployment that concern a stage's servers on AWS, made by infra/aws/foundation.yaml."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import boto3

from deploy import connections, foundation, invocations, stack
from deploy.errors import DeployError
from deploy.progress import console, step
from deploy.stack import Stack
from deploy.target import LOCAL_STAGE, REPOSITORY, Target

PUSH = REPOSITORY / "infra" / "aws" / "pgbouncer" / "push.sh"


def find(target: Target) -> Stack | None:
    """The stack of the servers; None where people brought their own. Raises DeployError while it is not complete."""
    found = stack.describe(boto3.client("cloudformation"), foundation.stack_name(target))
    return complete(found, target.stage) if found else None


def complete(found: Stack, stage: str) -> Stack:
    """The stack. Raises DeployError if it failed, or if its PgBouncer waits for a machine with Docker."""
    if not found.outputs.get("PgBouncerImage"):
        raise DeployError(f"the servers of {stage} are not complete: bring `make foundation STAGE={stage}` to its end")
    return found


def make(target: Target, parameters: Mapping[str, str]) -> None:
    """Make the servers, or change them; parameters that are not named keep their values. Raises DeployError."""
    if target.stage == LOCAL_STAGE:
        raise DeployError("the stage local has servers of its own: name another one, STAGE=prod")
    with step("passwords") as current:
        secrets = boto3.client("secretsmanager")
        name = foundation.passwords_secret(target)
        passwords = foundation.keep_passwords(secrets, name, foundation.accounts(), current)
    own = {"Stage": target.stage, "PasswordsSecret": name, "PasswordsVersion": passwords.version}
    made = deploy(target, own | dict(parameters))
    image = made.outputs["PgBouncerImage"] or _push(made.outputs["RegistryUri"])
    if not image:
        console.print(
            "One step is left, on a machine with Docker and the AWS command line:\n"
            f"  {PUSH.relative_to(REPOSITORY)} {made.outputs['RegistryUri']}\n"
            f"It prints a URI; then, here: make foundation STAGE={target.stage} IMAGE=URI",
            soft_wrap=True,
        )
        return
    if image != made.outputs["PgBouncerImage"]:
        deploy(target, {"PgBouncerImage": image})
    console.print(f"The servers are there. Next: make deploy STAGE={target.stage}")


def deploy(target: Target, parameters: Mapping[str, str]) -> Stack:
    """Deploy foundation.yaml."""
    name = foundation.stack_name(target)
    with step("servers") as current:
        client = boto3.client("cloudformation")
        current.note = name
        return stack.deploy(client, name, foundation.TEMPLATE, parameters, current, _log(target, "foundation"))


def connect(target: Target, servers: Stack, secret_name: str) -> dict[str, str]:
    """Have the connections secret say how these servers are reached; what template.yaml has to be told of them."""
    with step("connections") as current:
        secrets = boto3.client("secretsmanager")
        passwords = foundation.keep_passwords(
            secrets, foundation.passwords_secret(target), foundation.accounts(), current
        )
        if passwords.version != servers.outputs["PasswordsVersion"]:
            raise DeployError(
                "this release has users that the servers do not know, or a rotation was not finished: "
                f"run `make foundation STAGE={target.stage}` first"
            )
        pepper = foundation.stored_pepper(secrets, secret_name)
        document = foundation.connections_document(servers.outputs, passwords, pepper)
        version = connections.keep(secrets, secret_name, document, current)
    return {name: servers.outputs[name] for name in foundation.PARAMETERS} | {"ConnectionsVersion": version}


def provision(
    target: Target, servers: Stack, admin_function: str, passwords: foundation.Passwords | None = None
) -> None:
    """Make database and roles, through the admin function: nobody else reaches the server."""
    with step("roles") as current:
        secrets = boto3.client("secretsmanager")
        known = passwords or foundation.keep_passwords(
            secrets, foundation.passwords_secret(target), foundation.accounts(), current
        )
        url = foundation.administrator_url(secrets, servers.outputs)
        invocations.provision(
            boto3.client("lambda", config=invocations.ONCE), admin_function, url, known.roles, current
        )


def guard(target: Target, servers: Stack, api_id: str) -> None:
    """Put the firewall before the API."""
    parameters = {
        "Stage": target.stage,
        "ApiId": api_id,
        "Size": servers.outputs["Size"],
        "KeyArn": servers.outputs["KeyArn"],
    }
    with step("edge") as current:
        client = boto3.client("cloudformation")
        name = current.note = f"{target.stack_name}-edge"
        stack.deploy(client, name, foundation.EDGE_TEMPLATE, parameters, current, _log(target, "edge"))


def begin_rotation(target: Target, servers: Stack, admin_function: str) -> None:
    """New passwords for everything. Valkey takes the old ones as well until the rotation is ended."""
    with step("passwords") as current:
        secrets = boto3.client("secretsmanager")
        name = foundation.passwords_secret(target)
        before = foundation.keep_passwords(secrets, name, foundation.accounts(), current)
        passwords = foundation.change_passwords(secrets, name, foundation.accounts())
        current.note = f"{len(passwords.by_account)} changed"
    provision(target, servers, admin_function, passwords)
    deploy(target, {"PasswordsVersion": passwords.version, "PreviousPasswordsVersion": before.version})


def end_rotation(target: Target) -> None:
    """The old passwords are no longer good."""
    deploy(target, {"PreviousPasswordsVersion": "none"})


def _push(registry: str) -> str:
    """The image's URI, built and pushed from here; empty if this machine cannot."""
    if not (shutil.which("docker") and shutil.which("aws")):
        return ""
    with step("image") as current:
        done = subprocess.run([str(PUSH), registry], capture_output=True, text=True, check=False)
        if done.returncode:
            raise DeployError(f"building or pushing PgBouncer's image failed: {done.stderr.strip()}")
        current.note = done.stdout.strip()
        return current.note


def _log(target: Target, name: str) -> Path:
    return target.directory / f"{name}-{target.stage}.log"
