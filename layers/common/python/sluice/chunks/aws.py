"""process_chunk by Lambda Invoke."""

import json
import re
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.errors import ChunkCrashed, ChunkFailed, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_CODE = re.compile(r"[a-z0-9]+(_[a-z0-9]+)+")
_GRACE_SECONDS = 5  # the answer of a function that used all its time must still arrive


def connect_lambda(*, timeout_seconds: int, concurrency: int) -> "LambdaClient":
    """A client for synchronous invocations, each sent once: the SDK's own retries would run a slow chunk several times
    at once."""
    return boto3.client(
        "lambda",
        config=Config(
            retries={"total_max_attempts": 1},
            connect_timeout=3,
            read_timeout=timeout_seconds + _GRACE_SECONDS,
            max_pool_connections=concurrency,
        ),
    )


class LambdaChunkRunner:
    """See ChunkRunner."""

    def __init__(self, client: "LambdaClient", function_name: str) -> None:
        self._client, self._function_name = client, function_name

    def run(self, task: ChunkTask) -> ChunkResult:
        """See ChunkRunner.run."""
        try:
            answer = self._client.invoke(FunctionName=self._function_name, Payload=json.dumps(task.to_event()).encode())
            payload = json.loads(answer["Payload"].read())
        except (ClientError, ConnectTimeoutError, EndpointConnectionError) as error:
            raise ChunkFailed("invoke_refused", str(error)) from error
        except (BotoCoreError, json.JSONDecodeError) as error:
            raise Unavailable("invoke_unanswered", str(error)) from error
        if "FunctionError" in answer:
            raise _failure(payload)
        return ChunkResult.from_answer(payload)


def _failure(payload: Any) -> ChunkFailed:
    """The function's own errors begin with their code; without one it did not get to speak."""
    message = str(payload.get("errorMessage", payload)) if isinstance(payload, dict) else str(payload)
    code, separator, detail = message.partition(": ")
    if separator and _CODE.fullmatch(code):
        return ChunkFailed(code, detail)
    # Of what nobody foresaw only the kind: its message may quote a record.
    kind = payload.get("errorType") if isinstance(payload, dict) else None
    return ChunkCrashed("chunk_crashed", str(kind or message))
