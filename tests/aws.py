"""AWS for tests, without AWS: a pytest plugin with moto clients, the Invoke fan-out, real handlers, and real events.

See tests/README.md for examples. Load it with ``pytest_plugins = ["aws"]``.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from apps import load_app
from invocations import REGION, FunctionRunner, InvokeFailed, InvokeRecorder, LambdaContext
from lambda_events import failure_record, load_event, rest_event, schedule_event, sqs_event

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from memory_stage import MemoryStage

__all__ = [
    "FunctionRunner",
    "InvokeFailed",
    "InvokeRecorder",
    "LambdaContext",
    "failure_record",
    "load_app",
    "load_event",
    "rest_event",
    "schedule_event",
    "sqs_event",
]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty AWS account in memory (moto), with dummy credentials; Lambda functions are not run."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws(config={"lambda": {"use_docker": False}}):
        yield
    boto3.DEFAULT_SESSION = None  # it has seen the dummy credentials, and maybe a recorder


@pytest.fixture
def lambda_client(aws: None) -> "LambdaClient":
    """A Lambda client of that account."""
    return boto3.client("lambda", region_name=REGION)


@pytest.fixture
def s3_client(aws: None) -> "S3Client":
    """An S3 client of that account."""
    return boto3.client("s3", region_name=REGION)


@pytest.fixture
def sqs_client(aws: None) -> Any:
    """An SQS client of that account."""
    return boto3.client("sqs", region_name=REGION)


@pytest.fixture
def secrets_client(aws: None) -> "SecretsManagerClient":
    """A Secrets Manager client of that account."""
    return boto3.client("secretsmanager", region_name=REGION)


@pytest.fixture
def events_client(aws: None) -> Any:
    """An EventBridge client of that account."""
    return boto3.client("events", region_name=REGION)


@pytest.fixture
def invoke_recorder(lambda_client: "LambdaClient") -> InvokeRecorder:
    """A recorder attached to ``lambda_client`` and to all Lambda clients that the code under test makes later."""
    recorder = InvokeRecorder()
    recorder.attach(lambda_client)
    recorder.attach_to_new_clients()
    return recorder


@pytest.fixture
def function_runner(invoke_recorder: InvokeRecorder, monkeypatch: pytest.MonkeyPatch) -> FunctionRunner:
    """Runs Sluice's real handlers in this process; their Invoke calls are recorded and reach each other."""
    return FunctionRunner(invoke_recorder, monkeypatch)


@pytest.fixture
def stage(function_runner: FunctionRunner) -> "MemoryStage":
    """The real ingest, drain and process_chunk around a queue and a store in memory."""
    from memory_stage import MemoryStage  # the one thing here that needs the package sluice

    return MemoryStage(function_runner)


@pytest.fixture
def lambda_context() -> LambdaContext:
    """A handler's second argument."""
    return LambdaContext()
