"""The functions as the operator calls them: by Lambda Invoke, with IAM as the authentication."""

from __future__ import annotations

import json
from typing import Any, Protocol

from sluice_cli.aws import translated
from sluice_cli.environment import Environment
from sluice_cli.errors import RefusedError

type JsonObject = dict[str, Any]


class LambdaInvoker(Protocol):
    """The one call of the AWS Lambda client that is used here."""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Any:  # noqa: N803  # AWS's names
        """Invoke and wait; the answer has "Payload" (a readable stream) and maybe "FunctionError"."""


class Functions:
    """Calls admin and drain of one stage. Every method raises a CliError where the call fails."""

    def __init__(self, client: LambdaInvoker, environment: Environment) -> None:
        self._client = client
        self._environment = environment

    def admin(self, action: str, **fields: object) -> JsonObject:
        """Runs one action of functions/admin; the fields are those of its request."""
        return self._invoke("admin", {"action": action, **fields})

    def drain(self, *, is_forced: bool = False) -> JsonObject:
        """One drain pass now; answers with the counts of this pass. `is_forced`: the circuit breaker stays closed."""
        return self._invoke("drain", {"is_forced": True} if is_forced else {})

    def _invoke(self, verb: str, event: JsonObject) -> JsonObject:
        name = self._environment.function_name(verb)
        with translated(self._environment):
            answer = self._client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
            payload = answer["Payload"].read()
        if answer.get("FunctionError"):
            raise _failure(name, payload)
        result = _parsed(payload)
        if not isinstance(result, dict):
            raise RefusedError(f"{name} answered something that is no object", "Does its version match this tool's?")
        return result


def _failure(name: str, payload: bytes) -> RefusedError:
    """The function's own words: errorMessage begins with "<code>: " where the failure was an expected one."""
    report = _parsed(payload)
    message = str(report.get("errorMessage") or report) if isinstance(report, dict) else str(report)
    code, separator, detail = message.partition(": ")
    if separator and code.replace("_", "").isalnum() and code == code.lower():
        return RefusedError(f"{code}: {detail}", code=code)
    return RefusedError(f"{name} failed: {message}", "Its log says more: `make logs`, or CloudWatch in the cloud.")


def _parsed(payload: bytes) -> object:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode("utf-8", "replace")
