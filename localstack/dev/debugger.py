"""One function under debugpy."""

import io
import json
import os
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dev.aws import DeployedFunctions
from dev.errors import DevError
from dev.sources import Sources, add
from embedded.ports import HOST, is_taken

DEFAULT_PORT = 5678
LONGEST_SECONDS = 900  # Lambda's own limit
# Drain reserves the time-out of one chunk inside its own.
DRAIN_TIMEOUT = "600"


@dataclass
class Debugger:
    """Runs `verb` from the working tree, debuggable at 127.0.0.1:port; `waits`: each call waits for a debugger."""

    functions: DeployedFunctions
    sources: Sources
    verb: str
    port: int = DEFAULT_PORT
    waits: bool = False
    starts: int = 0

    def check(self) -> None:
        """DevError if it cannot start."""
        if self.verb not in self.sources.verbs():
            raise DevError(f"there is no function {self.verb}: DEBUG is one of {', '.join(self.sources.verbs())}")
        if is_taken(self.port):
            raise DevError(
                f"port {self.port}, wanted for the debugger, is taken: choose another with DEBUG_PORT=<port>"
            )
        _packages()

    def start(self) -> None:
        """Put the function into the debugger; returns when the port answers."""
        variables = {
            "SLUICE_DEBUG_PORT": str(self.port),
            "SLUICE_DEBUG_WAIT": "1" if self.waits else "0",
            "SLUICE_DEBUG_PATH": os.pathsep.join([str(self.sources.functions / self.verb), str(self.sources.layer)]),
            "SLUICE_DEBUG_PACKAGES": str(_packages()),
            "PYTHONOPTIMIZE": "0",
        }
        self.functions.configure(self.verb, Handler="bootstrap.handler", Timeout=LONGEST_SECONDS, Environment=variables)
        if self.verb == "process_chunk":
            patient = {"PROCESS_CHUNK_TIMEOUT_SECONDS": DRAIN_TIMEOUT}
            self.functions.configure("drain", Timeout=LONGEST_SECONDS, Environment=patient)
        self.restart()

    def restart(self) -> None:
        """Run what the working tree holds now: a fresh worker, to which a debugger attaches anew."""
        self.starts += 1
        self.functions.replace_code(self.verb, self._archive())
        answer = json.loads(self.functions.invoke(self.verb, b'{"sluice_debug": "state"}'))
        if not answer.get("is_listening"):
            raise DevError(f"{self.verb} does not start in the debugger: {answer.get('errorMessage', answer)}")

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def _archive(self) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as file:
            add(file, "bootstrap.py", Path(__file__).with_name("bootstrap.py").read_bytes())
            add(file, "start", str(self.starts).encode())  # equal code would not be a new version
        return content.getvalue()


def _packages() -> Path:
    """The folder that debugpy is installed in."""
    found = find_spec("debugpy")
    if found is None or found.origin is None:
        raise DevError("debugpy is missing from this environment: run `make setup`")
    return Path(found.origin).parents[1]
