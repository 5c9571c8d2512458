"""E-mail by SES, topics of SNS, and functions/deliver by Lambda Invoke. The SDK is loaded when it is first needed."""

import json
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from sluice.errors import ContractError
from sluice.notifications.messages import references, sns_parts, subject, text
from sluice.notifications.model import ChannelKind, Outcome, Result, Task

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_CONNECT_SECONDS, _READ_SECONDS = 3, 10
_NEVER = ("InvalidParameter", "InvalidParameterValue", "NotFound", "NotFoundException", "BadRequestException")


class SesSender:
    """See Sender: kind email. ``sender`` is an address that SES may send from; empty: this deployment sends no
    e-mail."""

    def __init__(self, sender: str) -> None:
        self._sender = sender

    def send(self, task: Task) -> Outcome:
        """See Sender.send. SES gives each message a Message-ID of its own, so a thread hangs on References."""
        if not self._sender:
            return Outcome(Result.REFUSED, "email_not_configured", detail="this deployment has no sender of e-mail")
        domain = self._sender.rpartition("@")[2].rstrip(">")
        thread = references(task.message, domain)
        headers = {"Message-ID": f"<{task.message_id}@{domain}>", "X-Sluice-Message": task.message_id}
        if thread:
            headers |= {"References": " ".join(thread), "In-Reply-To": thread[0]}
        content = {
            "Subject": {"Data": subject(task.message), "Charset": "UTF-8"},
            "Body": {"Text": {"Data": text(task.message), "Charset": "UTF-8"}},
            "Headers": [{"Name": name, "Value": value} for name, value in headers.items()],
        }
        return _called(
            lambda: _client("sesv2").send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [task.target]},
                Content={"Simple": content},
            )
        )


class SnsSender:
    """See Sender: kind sns. A FIFO topic drops what it gets a second time."""

    def send(self, task: Task) -> Outcome:
        """See Sender.send."""
        heading, body = sns_parts(task.message)
        attributes = {"id": task.message_id, "kind": task.message.kind, "application": task.message.application}
        extra: dict[str, Any] = {}
        if task.target.endswith(".fifo"):
            extra = {"MessageGroupId": task.message.application, "MessageDeduplicationId": task.message_id}
        return _called(
            lambda: _client("sns", task.target.split(":")[3]).publish(
                TopicArn=task.target,
                Subject=heading,
                Message=body,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
                **extra,
            )
        )


class LambdaSender:
    """See Sender: all kinds, by functions/deliver."""

    def __init__(self, function_name: str, *, timeout_seconds: int) -> None:
        self._function_name, self._timeout_seconds = function_name, timeout_seconds

    def send(self, task: Task) -> Outcome:
        """See Sender.send. Invoked once: the SDK's own retries would send again."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.invoke(FunctionName=self._function_name, Payload=json.dumps(task.to_event()).encode())
            payload = json.loads(answer["Payload"].read())
            if "FunctionError" in answer:
                return Outcome(Result.FAILED, "deliver_failed", detail="the function deliver failed")
            return Outcome.from_answer(payload)
        except (BotoCoreError, ClientError, ContractError, ValueError) as error:
            return Outcome(Result.FAILED, "deliver_unavailable", detail=type(error).__name__)

    @cached_property
    def _client(self) -> "LambdaClient":
        client: LambdaClient = _connect("lambda", None, self._timeout_seconds + 5)
        return client


def senders(email_from: str) -> dict[ChannelKind, SesSender | SnsSender]:
    """The senders of the kinds that AWS delivers."""
    return {ChannelKind.EMAIL: SesSender(email_from), ChannelKind.SNS: SnsSender()}


def _called(call: Any) -> Outcome:
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        call()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        return Outcome(Result.REFUSED if code in _NEVER else Result.FAILED, "aws_refused", detail=code[:100])
    except ParamValidationError as error:
        return Outcome(Result.REFUSED, "aws_refused", detail=type(error).__name__)
    except BotoCoreError as error:
        return Outcome(Result.FAILED, "aws_unavailable", detail=type(error).__name__)
    return Outcome(Result.DELIVERED, "delivered")


@cache
def _client(service: str, region: str | None = None) -> Any:
    return _connect(service, region, _READ_SECONDS)


def _connect(service: str, region: str | None, read_seconds: int) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=read_seconds,
        max_pool_connections=10,
    )
    clients: Any = boto3
    return clients.client(service, region_name=region, config=config)
