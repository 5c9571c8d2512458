"""Command line of the deploy tool."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)

from deploy import ahead, build, bundles, connections, invocations, record, replaced, servers, stack, web
from deploy.errors import DeployError
from deploy.progress import console, step
from deploy.target import BUILD, LOCAL_STAGE, SHELL_VARIABLES, Target, resolve, write_variable

MERGED = BUILD / "sam-merged"
# Set by whoever provides an emulator that stores layers without mounting them.
MERGE_VARIABLE = "SLUICE_MERGE_LAYER"


def up(arguments: argparse.Namespace) -> None:
    """Build, deploy and migrate; print the API's URL."""
    target = _target(arguments)
    build.check_parameters(name for name, _ in arguments.parameter)
    with build.exclusive():
        parameters = {"Stage": target.stage, "ConnectionsSecret": target.secret_name}
        parameters |= {"ApiEndpoint": target.endpoint_url} if target.endpoint_url else {}
        made = None if target.state else servers.find(target)
        if made:
            parameters |= servers.connect(target, made, target.secret_name)
        parameters |= dict(arguments.parameter)
        if not made:
            parameters["ConnectionsVersion"] = _connections(target, parameters["ConnectionsSecret"])
        with step("build") as current:
            sources = build.build(current, build.layer_platform(runs_here=target.state is not None))
        if target.state:
            _undo_development(target.state / replaced.DIRECTORY)
        template = build.TEMPLATE
        if arguments.merge_layer or os.environ.get(MERGE_VARIABLE) == "1":
            with step("merge layer"):
                template, sources = bundles.merge(build.ARTIFACTS, MERGED), f"{sources} merged"
        deployed = _deploy(target, template, parameters, record.fingerprint(sources, parameters))
    functions = boto3.client("lambda", config=invocations.ONCE)
    if made:
        servers.provision(target, made, deployed.outputs["AdminFunctionName"])
    with step("migrate") as current:
        invocations.migrate(functions, deployed.outputs["AdminFunctionName"], current)
    if made:
        servers.guard(target, made, deployed.outputs["ApiId"])
    invocations.start_draining(functions, deployed.outputs["DrainFunctionName"], deployed.outputs["DrainEvent"])
    url = deployed.outputs["ApiUrl"]
    if target.state:
        write_variable(target.state / SHELL_VARIABLES, "SLUICE_URL", url)
    print(url)


def make_servers(arguments: argparse.Namespace) -> None:
    """Make the servers that a stage on AWS stands on, or change them."""
    servers.make(_target(arguments), dict(arguments.parameter))


def rotate(arguments: argparse.Namespace) -> None:
    """Change all passwords of a stage whose servers were made by the command foundation."""
    target = _target(arguments)
    made = servers.find(target)
    if made is None:
        raise DeployError(
            f"the servers of {target.stage} were not made from here: change their passwords where they are"
        )
    servers.begin_rotation(target, made, _deployed(target).outputs["AdminFunctionName"])
    up(arguments)
    servers.end_rotation(target)


def migrate(arguments: argparse.Namespace) -> None:
    """Only bring the database up to date."""
    deployed = _deployed(_target(arguments))
    with step("migrate") as current:
        invocations.migrate(
            boto3.client("lambda", config=invocations.ONCE), deployed.outputs["AdminFunctionName"], current
        )


def outputs(arguments: argparse.Namespace) -> None:
    """Print the stack's outputs as JSON."""
    print(json.dumps(dict(_deployed(_target(arguments)).outputs), indent=2))


def build_only(arguments: argparse.Namespace) -> None:
    """Build functions and layer."""
    with build.exclusive():
        with step("build") as current:
            # Merged bundles run in a container, whatever this machine is.
            runs_here = arguments.stage == LOCAL_STAGE and not arguments.merge_layer
            build.build(current, build.layer_platform(runs_here=runs_here))
        if arguments.merge_layer:
            with step("merge layer"):
                bundles.merge(build.ARTIFACTS, MERGED)


def check_web(_: argparse.Namespace) -> None:
    """Check types, lint and format of the dashboard's sources."""
    with build.exclusive(), step("dashboard's sources") as current:
        web.check(current)


def format_web(_: argparse.Namespace) -> None:
    """Format the dashboard's sources."""
    with build.exclusive(), step("dashboard's sources") as current:
        web.reformat(current)


def _target(arguments: argparse.Namespace) -> Target:
    target, variables = resolve(arguments.stage, arguments.state, os.environ)
    os.environ.update(variables)
    return target


def _connections(target: Target, secret_name: str) -> str:
    with step("connections") as current:
        secrets = boto3.client("secretsmanager")
        if target.state:
            return connections.publish(secrets, secret_name, target.state / "connections.json", current)
        return connections.current_version(secrets, secret_name)


def _undo_development(directory: Path) -> None:
    """Put back what `make dev` replaced: what is recorded as deployed must be what runs."""
    if directory.exists():
        with step("restore") as current:
            current.note = ", ".join(replaced.restore(boto3.client("lambda"), directory)) or "nothing left to restore"


def _deploy(target: Target, template: Path, parameters: dict[str, str], wanted: str) -> stack.Stack:
    client = boto3.client("cloudformation")
    deployed = stack.describe(client, target.stack_name)
    migrations = ahead.migrations_hash()
    if (
        deployed
        and "AdminFunctionName" in deployed.outputs
        and not record.has_migrations(target.outputs, deployed, migrations)
    ):
        with step("migrate ahead") as current:
            functions = boto3.client("lambda", config=invocations.ONCE)
            ahead.migrate(functions, deployed.outputs["AdminFunctionName"], build.ARTIFACTS, current)
    with step("deploy") as current:
        if deployed and record.is_current(target.outputs, deployed, wanted):
            current.note = "unchanged"
            return deployed
        deployed = stack.deploy(client, target.stack_name, template, parameters, current, target.log)
        record.write(target.outputs, deployed, wanted, migrations)
        current.note = target.stack_name
        return deployed


def _deployed(target: Target) -> stack.Stack:
    deployed = stack.describe(boto3.client("cloudformation"), target.stack_name)
    if deployed is None:
        raise DeployError(f"stack {target.stack_name} does not exist: run `make up` or `make deploy` first")
    return deployed


def _parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--stage", default=os.environ.get("STAGE", LOCAL_STAGE), help="default: $STAGE, else local")
    common.add_argument("--state", type=Path, default=BUILD / "stack", help="directory of the embedded stack")
    parser = argparse.ArgumentParser(prog="deploy", description="Deploy Sluice to AWS or to a local emulator.")
    commands = parser.add_subparsers(required=True)
    every: dict[str, Callable[[argparse.Namespace], None]] = {
        "up": up,
        "foundation": make_servers,
        "rotate": rotate,
        "migrate": migrate,
        "outputs": outputs,
        "build": build_only,
        "check-web": check_web,
        "format-web": format_web,
    }
    for name, run in every.items():
        command = commands.add_parser(name, parents=[common], help=run.__doc__)
        command.set_defaults(run=run)
        if run in (up, rotate, build_only):
            command.add_argument(
                "--merge-layer",
                action="store_true",
                help=f"copy the layer into each function's bundle (also {MERGE_VARIABLE}=1)",
            )
        if run in (up, rotate, make_servers):
            template = "infra/aws/foundation.yaml" if run is make_servers else "template.yaml"
            command.add_argument(
                "--parameter",
                metavar="NAME=VALUE",
                type=_parameter,
                action="append",
                default=[],
                help=f"set a parameter of {template}; one that is not named keeps its value",
            )
    return parser


def _explained(run: Callable[[], None]) -> int:
    """Run and return the exit status; errors that the operator can do something about become one message."""
    try:
        run()
    except DeployError as error:
        message = str(error)
    except EndpointConnectionError as error:
        message = f"nothing answers at {error.kwargs['endpoint_url']}: run `make up`, or correct AWS_ENDPOINT_URL"
    except (NoCredentialsError, NoRegionError) as error:
        message = f"{str(error).rstrip('.')}: set AWS_PROFILE and AWS_DEFAULT_REGION, or deploy the stage local"
    except (BotoCoreError, ClientError) as error:
        message = f"AWS refused: {error}"
    else:
        return 0
    console.print(f"deploy: {message}", style="red", markup=False, soft_wrap=True)
    return 1


if __name__ == "__main__":
    arguments = _parser().parse_args()
    sys.exit(_explained(lambda: arguments.run(arguments)))
