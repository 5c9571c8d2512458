"""AWS clients for a local endpoint or the cloud, and the AWS errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import botocore.exceptions as aws_errors
from botocore.config import Config

from sluice_cli.environment import DEFAULT_REGION, Environment
from sluice_cli.errors import CliError, DeniedError, RefusedError, SettingsError, UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

# The slowest function is admin (a migration may take minutes), whose time-out is 300 s.
_READ_TIMEOUT_SECONDS = 310
_CONNECT_TIMEOUT_SECONDS = 5
_DENIED_CODES = ("AccessDenied", "ExpiredToken", "InvalidClientTokenId", "InvalidSignature", "UnrecognizedClient")
_WITHOUT_CREDENTIALS = (
    aws_errors.NoCredentialsError,
    aws_errors.PartialCredentialsError,
    aws_errors.NoRegionError,
    aws_errors.ProfileNotFound,
)


def make_client(environment: Environment, service: str) -> Any:
    """A client of the AWS service, with retries off: an Invoke that is repeated unasked would do its work twice.

    Raises SettingsError where the cloud's credentials or region are missing.
    """
    # No proxies for a local endpoint: the ones in the environment are for the outside world.
    config = Config(
        retries={"total_max_attempts": 1},
        read_timeout=_READ_TIMEOUT_SECONDS,
        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        proxies={} if environment.local_endpoint else None,
    )
    if environment.local_endpoint:
        return _local_session(environment, environment.local_endpoint).client(service, config=config)
    with translated(environment):
        return boto3.Session(region_name=environment.region).client(service, config=config)  # type: ignore[call-overload]


def _local_session(environment: Environment, endpoint: str) -> Any:
    from localstack_client.session import Session

    # The constructor takes host:port; an AWS_ENDPOINT_URL of the process, if there is one, is the same endpoint.
    return Session(
        aws_access_key_id=environment.variables.get("AWS_ACCESS_KEY_ID") or "test",
        aws_secret_access_key=environment.variables.get("AWS_SECRET_ACCESS_KEY") or "test",
        region_name=environment.region or DEFAULT_REGION,
        localstack_host=endpoint.split("://", 1)[-1].rstrip("/"),
    )


def find_api_url(cloudformation: CloudFormationClient, environment: Environment) -> str:
    """The `ApiUrl` output of the stage's stack, without trailing slash. Raises RefusedError if there is none."""
    with translated(environment):
        stacks = cloudformation.describe_stacks(StackName=environment.stack_name)["Stacks"]
    outputs = stacks[0].get("Outputs", []) if stacks else []
    url = next((output["OutputValue"] for output in outputs if output["OutputKey"] == "ApiUrl"), None)
    if url is None:
        raise RefusedError(f"Stack {environment.stack_name} has no output ApiUrl", "Deploy it with `make deploy`.")
    return url.rstrip("/")


@contextmanager
def translated(environment: Environment) -> Iterator[None]:
    """Turns the AWS library's exceptions into ours; each says where it asked and what to do."""
    where = environment.endpoint_url or "AWS"
    try:
        yield
    except aws_errors.ClientError as error:
        raise _from_answer(error, environment) from error
    except _WITHOUT_CREDENTIALS as error:
        hint = (
            "For a local stack run `make up` in its folder and call sluice there; for the cloud set AWS_PROFILE "
            "and AWS_REGION."
        )
        raise SettingsError(f"No stack found: {error}", hint) from error
    except (aws_errors.ReadTimeoutError, aws_errors.ConnectTimeoutError) as error:
        raise UnavailableError(f"{where} did not answer in time", "Look at `make status`, then try again.") from error
    except (aws_errors.HTTPClientError, aws_errors.EndpointConnectionError) as error:
        hint = "Start the stack with `make up`." if environment.local_endpoint else "Check network and region."
        raise UnavailableError(f"Nothing answers at {where}", hint) from error
    except aws_errors.BotoCoreError as error:
        raise CliError(f"{where}: {error}", "Check AWS_PROFILE and AWS_REGION.") from error


def _from_answer(error: aws_errors.ClientError, environment: Environment) -> CliError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = str(error.response.get("Error", {}).get("Message", "")) or str(error)
    where = environment.endpoint_url or "AWS"
    if code.startswith(_DENIED_CODES):
        return DeniedError(f"{where} refused the credentials ({code}: {message})", "Check AWS_PROFILE and its rights.")
    if code == "ResourceNotFoundException" or (code == "ValidationError" and "does not exist" in message):
        return RefusedError(
            f"Stage {environment.stage!r} is not deployed at {where} ({message})",
            f"Deploy it with `make deploy STAGE={environment.stage}`, or choose another with --stage.",
            code,
        )
    if code.startswith(("TooManyRequests", "Throttling", "ServiceUnavailable")):
        return UnavailableError(f"{where} is busy ({code}: {message})", "Try again in a moment.")
    return RefusedError(f"{where} answered {code}: {message}", code=code)
