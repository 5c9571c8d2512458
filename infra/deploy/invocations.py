"""What a deployment has the new functions do: databases are private, so only functions reach them."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from botocore.config import Config

from deploy.errors import DeployError
from deploy.progress import Step

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


# The admin function may run for 300 s, and a migration must not be sent twice.
ONCE = Config(read_timeout=310, retries={"total_max_attempts": 1})


def provision(
    functions: "LambdaClient", function_name: str, administrator_url: str, passwords: Mapping[str, str], current: Step
) -> None:
    """Have the admin function make database and roles; raises DeployError with its error."""
    event = {"action": "provision", "administrator_url": administrator_url, "passwords": dict(passwords)}
    response = functions.invoke(FunctionName=function_name, Payload=json.dumps(event))
    answer = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        raise DeployError(f"making the database's roles failed: {answer.get('errorMessage', answer)}")
    current.note = f"{len(answer['roles'])} roles"


def migrate(
    functions: "LambdaClient", function_name: str, current: Step, phases: Sequence[str] = ("pre", "post")
) -> None:
    """Invoke the admin function's `migrate`; raises DeployError with its error."""
    event = {"action": "migrate"} | ({} if set(phases) == {"pre", "post"} else {"phases": list(phases)})
    response = functions.invoke(FunctionName=function_name, Payload=json.dumps(event))
    answer = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        raise DeployError(f"the migration failed: {answer.get('errorMessage', answer)}")
    applied = answer["applied"]
    current.note = f"applied {', '.join(applied)}" if applied else f"at {answer['version']}"


def start_draining(functions: "LambdaClient", function_name: str, event: str) -> None:
    """Send the drain what the schedule will, without waiting for it: the first time may be a minute away."""
    functions.invoke(FunctionName=function_name, InvocationType="Event", Payload=event)
