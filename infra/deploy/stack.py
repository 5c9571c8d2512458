"""The CloudFormation stack of a stage: its state, its outputs, and why a deployment of it failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from deploy import sam
from deploy.errors import DeployError
from deploy.progress import Step
from deploy.target import REPOSITORY

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef

# Left by a first deployment that failed: nothing is in such a stack, and it can only be deleted.
STILLBORN = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})
DEPLOYED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})


@dataclass(frozen=True)
class Stack:
    """A stack as it stands. `revision` changes with every deployment, by whomever."""

    status: str
    revision: str
    outputs: Mapping[str, str]


def describe(client: "CloudFormationClient", name: str) -> Stack | None:
    """The stack called `name`, None if there is none."""
    try:
        found = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    changed_at = found.get("LastUpdatedTime") or found["CreationTime"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    return Stack(found["StackStatus"], f"{found['StackId']} {changed_at.isoformat()}", outputs)


def deploy(
    client: "CloudFormationClient",
    name: str,
    template: Path,
    parameters: Mapping[str, str],
    current: Step,
    log: Path,
) -> Stack:
    """Deploy a built template; raises DeployError with the reason of the first resource that failed."""
    before = describe(client, name)
    if before and before.status in STILLBORN:
        current.show("deleting what a failed first deployment left")
        client.delete_stack(StackName=name)
        client.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 2})
        before = None
    last_event = _events(client, name)[0]["EventId"] if before else ""
    overrides = [f"{key}={value}" for key, value in parameters.items()]
    try:
        # Found beside the template otherwise.
        settings = ["--config-file", str(REPOSITORY / "samconfig.toml"), "--template-file", str(template)]
        options = [*settings, "--stack-name", name, "--parameter-overrides", *overrides]
        sam.run(["deploy", *options], log, current)
    except DeployError as error:
        reason = _first_failure(client, name, last_event)
        raise DeployError(f"{reason}\nThe whole story is in {log}") if reason else error from None
    after = describe(client, name)
    if after is None or not is_deployed(before, after):
        raise DeployError(f"stack {name} is {after.status if after else 'absent'} after the deployment: {log}")
    return after


def is_deployed(before: Stack | None, after: Stack) -> bool:
    """Whether a deployment that SAM calls a success was one: a stack whose last update was taken back stays called so
    when there is nothing to change."""
    return after.status in DEPLOYED or (after.status == "UPDATE_ROLLBACK_COMPLETE" and after == before)


def _events(client: "CloudFormationClient", name: str) -> list["StackEventTypeDef"]:
    """The stack's events, newest first."""
    pages = client.get_paginator("describe_stack_events").paginate(StackName=name)
    return [event for page in pages for event in page["StackEvents"]]


def _first_failure(client: "CloudFormationClient", name: str, last_event: str) -> str | None:
    """What went wrong first after `last_event`; None if no resource failed, e.g. because the template was refused."""
    try:
        events = list(takewhile(lambda event: event["EventId"] != last_event, _events(client, name)))
    except ClientError:
        return None
    for event in reversed(events):
        reason = event.get("ResourceStatusReason", "")
        if event.get("ResourceStatus", "").endswith("_FAILED") and "cancelled" not in reason:
            return f"{event['LogicalResourceId']} ({event['ResourceType']}) failed: {reason}"
    return None
