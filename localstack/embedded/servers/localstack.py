"""LocalStack as a plain process, in the place of the emulator: what the compose file runs as a container.

It runs functions through `localstack/runtime/process_executor.py` and keeps nothing: every start is an empty account.
"""

import os
import shutil
import signal
from pathlib import Path

from embedded.accounts import Accounts
from embedded.binaries import emulator_python, localstack_python
from embedded.ports import HOST, Ports
from embedded.servers import base_environment
from embedded.servers.emulator import check_http
from embedded.state import REPOSITORY

RUNTIME = REPOSITORY / "localstack" / "runtime"
HEALTH_PATH = "/_localstack/health"
SERVICES = "apigateway,cloudformation,cloudwatch,events,iam,lambda,logs,s3,scheduler,secretsmanager,sqs,ssm,sts"


class LocalStackServer:
    """Community LocalStack: mounts no layers, so functions are deployed with merged bundles."""

    name = "localstack"
    stop_signal = signal.SIGTERM
    death_signal = signal.SIGKILL
    stop_patience_seconds = 10
    refuses_root = False

    def __init__(self, directory: Path, ports: Ports, _accounts: Accounts) -> None:
        self.directory = directory
        self.ports = ports
        self._temporary = directory / "tmp"

    def prepare(self) -> None:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir(mode=0o700)

    def command(self) -> list[str]:
        return [str(localstack_python()), "-m", "localstack.runtime.main"]

    def environment(self) -> dict[str, str]:
        # Its S3 and DynamoDB bind ports of their own only when they are used; DNS and HTTPS are switched off.
        return base_environment() | {
            "PATH": os.defpath,
            "HOME": str(self.directory),
            "TMPDIR": str(self._temporary),
            "XDG_CACHE_HOME": str(self.directory / "cache"),
            "FILESYSTEM_ROOT": str(self.directory / "root"),
            "OVERRIDE_IN_DOCKER": "0",  # in a container, too, its files belong below FILESYSTEM_ROOT
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONPATH": str(RUNTIME),
            "GATEWAY_LISTEN": f"{HOST}:{self.ports[self.name]}",
            "LAMBDA_RUNTIME_EXECUTOR": "process",
            "SLUICE_FUNCTION_PYTHON": str(emulator_python()),
            "SERVICES": SERVICES,
            "STRICT_SERVICE_LOADING": "1",
            "DNS_ADDRESS": "0",
            "DISABLE_EVENTS": "1",  # no telemetry
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "DISABLE_CUSTOM_CORS_S3": "1",
            "DOCKER_HOST": f"unix://{self.directory}/no-docker",
        }

    def check(self) -> None:
        check_http(self.ports[self.name], HEALTH_PATH)

    def initialise(self) -> None:
        """Nothing: the deploy tool brings its content."""
