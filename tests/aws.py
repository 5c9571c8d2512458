"""AWS for tests, without AWS: a pytest plugin with moto clients, a recorder for the Invoke fan-out, and real events.

See tests/README.md for examples. Load it with ``pytest_plugins = ["aws"]``.
"""

import base64
import copy
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

EVENTS = Path(__file__).parent / "events"
REGION = "us-east-1"

Function = Callable[[Any], Any]


@dataclass
class LambdaContext:
    """What Lambda hands to a handler, as far as handlers use it."""

    function_name: str = "function"
    memory_limit_in_mb: int = 128
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:123456789012:function:function"
    aws_request_id: str = "11112222-3333-4444-5555-666677778888"
    remaining_ms: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@dataclass
class InvokeRecorder:
    """Answers Invoke calls from Python functions, JSON both ways, and keeps the payloads in ``calls``.

    A function that raises becomes a FunctionError, as on Lambda; a name without a function stays with moto.
    """

    functions: dict[str, Function] = field(default_factory=dict)
    calls: list[tuple[str, Any]] = field(default_factory=list)

    def attach(self, client: "LambdaClient") -> "LambdaClient":
        """Makes ``client``'s Invoke calls end here."""
        client.meta.events.register_first("before-send.lambda.Invoke", cast(Any, self._answer))
        return client

    def payloads(self, function_name: str) -> list[Any]:
        """What was sent to one function, in order."""
        return [payload for name, payload in self.calls if name == function_name]

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        name = request.url.rpartition("/functions/")[2].partition("/")[0]
        payload = json.loads(cast(bytes, request.body) or b"null")
        self.calls.append((name, payload))
        if name not in self.functions:
            return None
        headers = {"X-Amz-Executed-Version": "$LATEST", "Content-Type": "application/json"}
        try:
            answer = self.functions[name](payload)
        except Exception as error:  # noqa: BLE001  # Lambda reports whatever a function raises
            headers["X-Amz-Function-Error"] = "Unhandled"
            answer = {"errorMessage": str(error), "errorType": type(error).__name__}
        return AWSResponse(request.url, 200, headers, _Body(json.dumps(answer).encode()))  # type: ignore[arg-type]


class _Body(io.BytesIO):
    """The part of urllib3's response that botocore reads."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


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


@pytest.fixture
def lambda_client(aws: None) -> "LambdaClient":
    """A Lambda client of that account."""
    return boto3.client("lambda", region_name=REGION)


@pytest.fixture
def s3_client(aws: None) -> "S3Client":
    """An S3 client of that account."""
    return boto3.client("s3", region_name=REGION)


@pytest.fixture
def invoke_recorder(lambda_client: "LambdaClient") -> InvokeRecorder:
    """A recorder attached to ``lambda_client``."""
    recorder = InvokeRecorder()
    recorder.attach(lambda_client)
    return recorder


@pytest.fixture
def lambda_context() -> LambdaContext:
    """A handler's second argument."""
    return LambdaContext()


def rest_event(
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The event of a REST API with proxy integration and binary media types, from a recorded one."""
    event: dict[str, Any] = copy.deepcopy(json.loads((EVENTS / "rest_api.json").read_text()))
    event |= {"httpMethod": method, "path": path, "resource": path}
    event["requestContext"] |= {"httpMethod": method, "resourcePath": path, "path": f"/prod{path}"}
    event["headers"] |= headers or {}
    event["multiValueHeaders"] |= {name: [value] for name, value in (headers or {}).items()}
    if query:
        event["queryStringParameters"] = query
        event["multiValueQueryStringParameters"] = {name: [value] for name, value in query.items()}
    if body is not None:
        event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return event
