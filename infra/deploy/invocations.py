"""What a deployment has the new functions do: databases are private, so only functions reach them."""

import json
from typing import TYPE_CHECKING

from deploy.errors import DeployError
from deploy.progress import Step

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def migrate(functions: "LambdaClient", function_name: str, current: Step) -> None:
    """Invoke the admin function's `migrate`; raises DeployError with its error."""
    response = functions.invoke(FunctionName=function_name, Payload=json.dumps({"action": "migrate"}))
    answer = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        raise DeployError(f"the migration failed: {answer.get('errorMessage', answer)}")
    applied = answer["applied"]
    current.note = f"applied {', '.join(applied)}" if applied else f"at {answer['version']}"


def start_draining(functions: "LambdaClient", function_name: str, event: str) -> None:
    """Send the drain what the schedule will, without waiting for it: the first time may be a minute away."""
    functions.invoke(FunctionName=function_name, InvocationType="Event", Payload=event)
