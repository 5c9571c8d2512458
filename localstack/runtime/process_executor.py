"""LocalStack's executor plugin `process`: a function's execution environment is a process, not a container.

LocalStack finds it by the entry point in `sluice_executor.dist-info` and uses it when LAMBDA_RUNTIME_EXECUTOR is
`process`. SLUICE_FUNCTION_PYTHON is the interpreter of the functions. Layers are not mounted: deploy merged bundles.
"""

import os
from pathlib import Path

from localstack import config  # type: ignore[attr-defined]  # mypy takes the folder for the package
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from function_process import FunctionProcess

HOST = "127.0.0.1"


class ProcessExecutorPlugin(RuntimeExecutorPlugin):  # type: ignore[misc]  # not installed where types are checked
    """What the entry point names."""

    name = "process"

    def load(self, *_args: object, **_kwargs: object) -> type[RuntimeExecutor]:
        return ProcessExecutor


class ProcessExecutor(RuntimeExecutor):  # type: ignore[misc]
    """One execution environment; LocalStack gives it one invocation at a time and makes more for parallel ones."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:  # noqa: A002  # LocalStack names it so
        super().__init__(id, function_version)
        self._process: FunctionProcess | None = None

    def start(self, env_vars: dict[str, str]) -> None:
        settings = self.function_version.config
        code = Path(settings.code.get_unzipped_code_location())
        python = os.environ["SLUICE_FUNCTION_PYTHON"]
        self._process = FunctionProcess(python, code, settings.handler, settings.timeout, env_vars)

    def stop(self) -> None:
        if self._process:
            self._process.stop()

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        assert self._process is not None
        request_id = payload["invoke-id"]
        answer = self._process.invoke(payload["payload"], request_id, payload["invoked-function-arn"])
        return InvocationResult(request_id, answer.payload, is_error=answer.is_error, logs=answer.logs)

    def get_logs(self) -> str:
        return ""  # every invocation hands over its own

    def get_address(self) -> str:
        return HOST

    def get_endpoint_from_executor(self) -> str:
        return HOST

    def get_runtime_endpoint(self) -> str:
        return f"http://{HOST}:{config.GATEWAY_LISTEN[0].port}/_localstack_lambda/{self.id}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        function_version.config.code.destroy_cached()
