"""Lambda Invoke without Lambda: calls end in Python functions, by the rules of the real thing, JSON both ways."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from apps import load_app
from lambda_events import failure_record

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

REGION = "us-east-1"
SYNCHRONOUS_LIMIT_BYTES = 6_291_456  # of a payload, and of an answer
ASYNCHRONOUS_LIMIT_BYTES = 1_048_576
INVOKE = "before-send.lambda.Invoke"

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


class InvokeFailed(Exception):
    """A FunctionError; ``error`` is its payload: errorMessage, errorType."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error.get('errorType')}: {error.get('errorMessage')}")
        self.error = error


@dataclass
class InvokeRecorder:
    """Answers Invoke calls from Python functions, JSON both ways, and keeps the payloads in ``calls``.

    As on Lambda, a function that raises or returns what is no JSON becomes a FunctionError, payloads and answers are
    limited, and an asynchronous invocation (InvocationType Event) has no answer, is tried ``retries`` times more and
    then leaves a failure record in ``failures``. It has run when the call returns, which is where this differs. A name
    without a function stays with moto.
    """

    functions: dict[str, Function] = field(default_factory=dict)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    retries: int = 2

    def attach(self, client: "LambdaClient") -> "LambdaClient":
        """Makes ``client``'s Invoke calls end here."""
        client.meta.events.register_first(INVOKE, cast(Any, self._answer))
        return client

    def attach_to_new_clients(self) -> None:
        """Makes the Invoke calls of every client end here that ``boto3.client`` makes from now on."""
        boto3.setup_default_session(region_name=REGION)
        cast(Any, boto3.DEFAULT_SESSION).events.register_first(INVOKE, self._answer)

    def payloads(self, function_name: str) -> list[Any]:
        """What was sent to one function, in order; an attempt again is not a call again."""
        return [payload for name, payload in self.calls if name == function_name]

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        name = request.url.rpartition("/functions/")[2].partition("/")[0]
        kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        kind = kind.decode() if isinstance(kind, bytes) else kind
        body = cast(bytes, request.body) or b"null"
        limit = ASYNCHRONOUS_LIMIT_BYTES if kind == "Event" else SYNCHRONOUS_LIMIT_BYTES
        if len(body) > limit:
            return _too_large(request, limit)
        payload = json.loads(body)
        if kind == "DryRun":
            return _response(request, 204, {}, b"")
        self.calls.append((name, payload))
        if name not in self.functions:
            return None
        if kind == "Event":
            self._run_asynchronously(name, payload)
            return _response(request, 202, {}, b"")
        answer, has_failed = self._run(name, payload)
        error = {"X-Amz-Function-Error": "Unhandled"} if has_failed else {}
        return _response(request, 200, {"X-Amz-Executed-Version": "$LATEST", **error}, answer)

    def _run(self, name: str, payload: Any) -> tuple[bytes, bool]:
        """The JSON text that the function answers, and whether it is an error."""
        try:
            answer = json.dumps(self.functions[name](payload)).encode()
        except Exception as error:  # noqa: BLE001  # Lambda reports whatever a function raises
            return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__}).encode(), True
        if len(answer) <= SYNCHRONOUS_LIMIT_BYTES:
            return answer, False
        message = f"Response payload size exceeded maximum allowed payload size ({SYNCHRONOUS_LIMIT_BYTES} bytes)."
        return json.dumps({"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}).encode(), True

    def _run_asynchronously(self, name: str, payload: Any) -> None:
        error = b""
        for _ in range(1 + self.retries):
            error, has_failed = self._run(name, payload)
            if not has_failed:
                return
        record = failure_record(payload, json.loads(error), function_name=name, attempts=1 + self.retries)
        self.failures.append(record)


@dataclass
class FunctionRunner:
    """Runs the real handlers of ``functions/<verb>/app.py`` in this process; their Invoke calls reach each other."""

    recorder: InvokeRecorder
    monkeypatch: pytest.MonkeyPatch
    context: LambdaContext = field(default_factory=LambdaContext)

    def add(
        self, verb: str, dependencies: Any = None, *, name: str | None = None, environment: dict[str, str] | None = None
    ) -> None:
        """Makes a function invocable as ``name`` (default: the verb with hyphens).

        It works with ``dependencies``, what its ``_dependencies()`` would make, or with those that it makes itself from
        ``environment``.
        """
        app = load_app(verb)
        if environment is not None:
            with self.monkeypatch.context() as scope:
                for variable, value in environment.items():
                    scope.setenv(variable, value)
                dependencies = app._dependencies.__wrapped__()  # not the cached ones of another test
        self.monkeypatch.setattr(app, "_dependencies", lambda: dependencies)
        self.recorder.functions[name or verb.replace("_", "-")] = lambda event: app.handler(event, self.context)

    def invoke(self, name: str, event: Any = None) -> Any:
        """Invokes through boto3 and returns the answer; raises InvokeFailed on a FunctionError."""
        client = boto3.client("lambda")
        response = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        answer = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            raise InvokeFailed(answer)
        return answer


class _Body(io.BytesIO):
    """The part of urllib3's response that botocore reads."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _response(request: AWSPreparedRequest, status: int, headers: dict[str, str], body: bytes) -> AWSResponse:
    headers = {"Content-Type": "application/json", **headers}
    return AWSResponse(request.url, status, headers, _Body(body))  # type: ignore[arg-type]


def _too_large(request: AWSPreparedRequest, limit: int) -> AWSResponse:
    message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
    headers = {"x-amzn-ErrorType": "RequestEntityTooLargeException"}
    return _response(request, 413, headers, json.dumps({"Type": "User", "message": message}).encode())
