"""MiniStack, the AWS emulator, in an interpreter and an environment of its own.

It hands its own environment on to the functions it runs, so it gets a clean one.

Its persistence is on. What is deployed survives a stop and a crash: functions with their code and layers, the REST API
under the same URL, schedules (counted anew from the start), secrets and objects in S3 were all tried, as were a deploy
without changes and one with changes on top of what was restored. It saves when it is stopped, and the launcher makes it
save after each deploy; only what else changed since then is lost if it is killed. Functions are configured with the
servers' ports and passwords: if these change, what was saved is dropped and has to be deployed again.
"""

import hashlib
import json
import os
import shutil
import signal
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from embedded.accounts import Accounts
from embedded.binaries import emulator_python
from embedded.connections import REGION, connections
from embedded.errors import Unhealthy
from embedded.ports import HOST, Ports
from embedded.servers import base_environment

LAUNCHER = Path(__file__).parent.parent / "emulator_launcher.py"
HEALTH_PATH = "/_ministack/health"


def check_http(port: int, path: str) -> None:
    """Unhealthy unless GET is answered 200."""
    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise Unhealthy(str(error)) from error
    finally:
        connection.close()
    if status != 200:
        raise Unhealthy(f"GET {path} answers {status}")


class EmulatorServer:
    """Runs the functions as its child processes; they end with it."""

    name = "emulator"
    stop_signal = signal.SIGTERM
    death_signal = signal.SIGKILL
    stop_patience_seconds = 10
    refuses_root = False

    def __init__(self, directory: Path, ports: Ports, accounts: Accounts) -> None:
        self.directory = directory
        self.ports = ports
        self._accounts = accounts
        self._temporary = directory / "tmp"
        self._saved = directory / "state"

    def prepare(self) -> None:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        # Unpacked functions of an earlier run.
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir(mode=0o700)
        self._drop_outdated_state()

    def command(self) -> list[str]:
        return [str(emulator_python()), str(LAUNCHER)]

    def environment(self) -> dict[str, str]:
        return base_environment() | {
            "PATH": os.defpath,
            "HOME": str(self.directory),
            "TMPDIR": str(self._temporary),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "MINISTACK_REGION": REGION,
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(self.ports[self.name]),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self._saved),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.directory / "s3"),
            # Listeners and clean-ups that Sluice has no use for; the last keeps it from the user's own containers.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": f"unix://{self.directory}/no-docker",
        }

    def check(self) -> None:
        check_http(self.ports[self.name], HEALTH_PATH)

    def initialise(self) -> None:
        """Nothing: the deploy tool brings its content."""

    def _drop_outdated_state(self) -> None:
        document = json.dumps([connections(self.ports, self._accounts), self.ports[self.name]])
        fingerprint = hashlib.sha256(document.encode()).hexdigest()
        file = self.directory / "deployed-for"
        if not file.exists() or file.read_text() != fingerprint:
            shutil.rmtree(self._saved, ignore_errors=True)
            file.write_text(fingerprint)
