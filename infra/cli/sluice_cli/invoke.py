"""The functions as the operator calls them: by Lambda Invoke, with IAM as the authentication."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from sluice_cli.aws import translated
from sluice_cli.environment import Environment
from sluice_cli.errors import RefusedError

type JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Invocation:
    """What one call brought. `failure` is the function's error report, None if it succeeded (then `result` counts).

    log: the end of what it logged, "" where that was not asked for or the endpoint does not give it.
    """

    function: str
    result: object
    failure: JsonObject | None
    log: str


class Functions:
    """Calls the functions of one stage. Every method raises a CliError where the call fails."""

    def __init__(self, client: Any, environment: Environment) -> None:
        """`client` is an AWS Lambda client."""
        self._client = client
        self._environment = environment

    def admin(self, action: str, **fields: object) -> JsonObject:
        """Runs one action of functions/admin; the fields are those of its request."""
        return self._ask("admin", {"action": action, **fields})

    def archive(self, action: str, **fields: object) -> JsonObject:
        """Runs one action of functions/archive, which answers after some seconds also where there is more to do."""
        return self._ask("archive", {"action": action, **fields})

    def drain(self, *, is_forced: bool = False) -> JsonObject:
        """One drain pass now; answers with the counts of this pass. `is_forced`: the circuit breaker stays closed."""
        return self._ask("drain", {"is_forced": True} if is_forced else {})

    def queue(self, **bounds: int) -> JsonObject:
        """What the queue is like now, shard by shard; bounds are those of functions/query's action "queue"."""
        return self._ask("query", {"action": "queue", **bounds})

    def invoke(self, verb: str, event: object, *, with_log: bool = False) -> Invocation:
        """Calls any function and waits. What the function raised is in the answer, not an exception."""
        name = self._environment.function_name(verb)
        options = {"LogType": "Tail"} if with_log else {}
        with translated(self._environment):
            answer = self._client.invoke(FunctionName=name, Payload=json.dumps(event).encode(), **options)
            content = _parsed(answer["Payload"].read())
        log = base64.b64decode(answer.get("LogResult", "")).decode("utf-8", "replace")
        if not answer.get("FunctionError"):
            return Invocation(name, content, None, log)
        report = content if isinstance(content, dict) else {"errorMessage": str(content)}
        return Invocation(name, None, report, log)

    def start(self, verb: str, event: object) -> None:
        """Hands an event to a function's queue and does not wait for it to run."""
        name = self._environment.function_name(verb)
        with translated(self._environment):
            self._client.invoke(FunctionName=name, Payload=json.dumps(event).encode(), InvocationType="Event")

    def names(self) -> list[str]:
        """Short names of the stage's functions."""
        prefix = self._environment.function_name("")
        with translated(self._environment):
            pages = self._client.get_paginator("list_functions").paginate()
            names = [function["FunctionName"] for page in pages for function in page["Functions"]]
        return sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix))

    def _ask(self, verb: str, event: JsonObject) -> JsonObject:
        """The JSON object that the function answered with. Raises RefusedError for its failure."""
        done = self.invoke(verb, event)
        if done.failure is not None:
            raise _failure(done.function, done.failure)
        if not isinstance(done.result, dict):
            raise RefusedError(f"{done.function} answered something that is no object", "Are its and this version one?")
        return done.result


def _failure(name: str, report: JsonObject) -> RefusedError:
    """The function's own words: errorMessage begins with "<code>: " where the failure was an expected one."""
    message = str(report.get("errorMessage") or report)
    code, separator, detail = message.partition(": ")
    if separator and code.replace("_", "").isalnum() and code == code.lower():
        return RefusedError(f"{code}: {detail}", code=code)
    return RefusedError(f"{name} failed: {message}", "Its log says more: `make logs`, or CloudWatch in the cloud.")


def _parsed(payload: bytes) -> object:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode("utf-8", "replace")
