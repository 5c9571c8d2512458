"""Waking the drain by asynchronous Lambda Invoke."""

import json
from functools import cached_property
from typing import TYPE_CHECKING

from sluice.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class LambdaWaker:
    """See Waker. It loads the AWS SDK when it first wakes: that takes 225 ms, and most environments never do."""

    def __init__(self, function_name: str, *, tick_seconds: float) -> None:
        self._function_name = function_name
        self._event = json.dumps({"lingers": True, "tick_seconds": tick_seconds}).encode()

    def wake(self) -> None:
        """See Waker.wake."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.invoke(FunctionName=self._function_name, InvocationType="Event", Payload=self._event)
        except (BotoCoreError, ClientError) as error:
            raise Unavailable("wake_failed", str(error)) from error

    @cached_property
    def _client(self) -> "LambdaClient":
        """Gives up soon: somebody's request waits for it."""
        import boto3
        from botocore.config import Config

        config = Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=2)
        return boto3.client("lambda", config=config)
