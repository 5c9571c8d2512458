"""The process that a function runs in: one JSON line on standard input per invocation, one on a pipe as its answer.

Standard output and standard error are the function's logs. It ends when standard input does: with whoever started it.
"""

import importlib
import json
import os
import sys
import time
import traceback
from types import SimpleNamespace
from typing import Any


def context(request: dict[str, Any], timeout_seconds: float) -> SimpleNamespace:
    """The handler's second argument."""
    deadline = time.monotonic() + timeout_seconds
    environ = os.environ
    return SimpleNamespace(
        aws_request_id=request["request_id"],
        invoked_function_arn=request["function_arn"],
        function_name=environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        function_version=environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        memory_limit_in_mb=environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        log_group_name=environ.get("AWS_LAMBDA_LOG_GROUP_NAME", ""),
        log_stream_name=environ.get("AWS_LAMBDA_LOG_STREAM_NAME", ""),
        identity=None,
        client_context=None,
        get_remaining_time_in_millis=lambda: max(0, int((deadline - time.monotonic()) * 1000)),
    )


def answer(handler: str, request: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
    """Import and run the handler; an exception of either becomes an error document as Lambda's runtime writes it."""
    module, _, function = handler.rpartition(".")
    try:
        run = getattr(importlib.import_module(module), function)
        result = run(json.loads(request["event"] or "{}"), context(request, timeout_seconds))
        return {"is_error": False, "payload": json.dumps(result)}
    except Exception as error:  # noqa: BLE001  # whatever it is, the caller gets it
        traceback.print_exc()
        document = {
            "errorMessage": str(error),
            "errorType": type(error).__name__,
            "stackTrace": traceback.format_tb(error.__traceback__),
        }
        return {"is_error": True, "payload": json.dumps(document)}


def main(code: str, handler: str, timeout_seconds: str, answers: str) -> None:
    sys.path[0] = code
    with os.fdopen(int(answers), "w") as pipe:
        for line in sys.stdin:
            pipe.write(json.dumps(answer(handler, json.loads(line), float(timeout_seconds))) + "\n")
            pipe.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
