"""Start the emulator; run by the interpreter of build/emulator, which knows nothing of this package.

It serves the emulator's application as `ministack` would, with six differences:

- A function that logs nothing would pay 50 ms at each invocation, because the emulator waits that long for a first log
  line. It waits 2 ms here.
- Each worker would unpack its function's layers anew, half a second of processor time for ours. Here they are unpacked
  once, and linked into every worker's folder.
- Workers end with the emulator, however it ends.
- The emulator saves what is deployed when it is stopped; here it does so after each deploy too, so that the stack is
  there again after a crash.
- It reads the gateway responses of an imported REST API, which it would pass over.
- When it is stopped it does not wait for functions that are running.
"""

# The emulator's packages are not where types are checked, and what is changed here has no public name.
# mypy: disable-error-code="import-not-found"
# ruff: noqa: SLF001

import asyncio
import hashlib
import inspect
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, ClassVar

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]

# The defaults in the version whose source was read. The launcher changes nothing it does not know.
KNOWN_LOG_WAITS = {"first_line_wait": 0.050, "idle_confirm": 0.005, "hard_cap": 0.250}
# A function writes its log before its answer: the line is there within a millisecond, or never.
FIRST_LINE_WAIT_SECONDS = 0.002
# Requests to these services change what is deployed; a snapshot follows when none has come for a while.
DEPLOYING_SERVICES = (b"/cloudformation/", b"/secretsmanager/")
QUIET_SECONDS = 2.0
FOLDERS_KEPT = 30  # of what was unpacked: each deploy while developing brings others


def end_workers_with_me() -> None:
    """Let a shell wait for the end of this process, then kill its process group: all workers, and itself.

    The supervisor starts the emulator in a group of its own.
    """
    reader, _writer = os.pipe()  # the writing end is this process's alone and closes with it
    subprocess.Popen(["/bin/sh", "-c", 'read -r _; kill -KILL "-$0"', str(os.getpgrp())], stdin=reader)
    os.close(reader)


def raise_descriptor_limit() -> None:
    """Allow as many connections as the system does; some systems name a limit that they then refuse."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def shorten_log_wait() -> None:
    """Replace the default wait for a first log line; the emulator's log says so if that is impossible."""
    from ministack.core.lambda_runtime import Worker

    drain = Worker._drain_stderr_bounded
    parameters = list(inspect.signature(drain).parameters.values())[1:]
    found = {parameter.name: parameter.default for parameter in parameters}
    if found != KNOWN_LOG_WAITS:
        print(f"launcher: unknown log wait {found}, left as it is: silent functions take 50 ms more", file=sys.stderr)
        return
    drain.__defaults__ = tuple((found | {"first_line_wait": FIRST_LINE_WAIT_SECONDS}).values())


class SharedZip(zipfile.ZipFile):
    """A zip file that is unpacked once: wherever it is wanted again, the same files are linked."""

    _turn = threading.Lock()
    _folders: ClassVar[dict[bytes, str]] = {}  # by what the file holds

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        """Into ``path``, on the file system of temporary files; all members, by no password."""
        assert self.fp is not None
        assert path is not None
        assert members is pwd is None
        self.fp.seek(0)
        key = hashlib.sha256(self.fp.read()).digest()
        with self._turn:
            if key not in self._folders:
                folder = tempfile.mkdtemp(prefix="unpacked-")
                super().extractall(folder)
                self._folders[key] = folder
            shutil.copytree(self._folders[key], path, copy_function=os.link, dirs_exist_ok=True)
            if len(self._folders) > FOLDERS_KEPT:
                shutil.rmtree(self._folders.pop(next(iter(self._folders))))


def unpack_layers_once() -> None:
    """Replace how workers open zip files; functions do not write where layers are, and must not in the cloud."""
    from ministack.core import lambda_runtime

    lambda_runtime.zipfile = SimpleNamespace(**vars(zipfile) | {"ZipFile": SharedZip})


def import_gateway_responses() -> None:
    """Let the import of a REST API read the extension that holds its gateway responses."""
    from ministack.services import apigateway_v1 as gateway

    import_paths = gateway._import_rest_api

    def import_all(document: Any, base_data: Any = None) -> Any:
        api_id = import_paths(document, base_data)
        for response_type, response in (document.get("x-amazon-apigateway-gateway-responses") or {}).items():
            gateway._put_gateway_response(api_id, response_type, response)
        return api_id

    gateway._import_rest_api = import_all


class SnapshotAfterDeploy:
    """The emulator's application; saves its state once the requests of a deploy have ceased."""

    def __init__(self, application: Application, save: Callable[[], None]) -> None:
        self._application = application
        self._save = save
        self._pending: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        await self._application(scope, receive, send)
        authorization = dict(scope.get("headers", ())).get(b"authorization", b"")
        if any(service in authorization for service in DEPLOYING_SERVICES):
            self._save_when_quiet()

    def _save_when_quiet(self) -> None:
        if self._pending:
            self._pending.cancel()
        loop = asyncio.get_running_loop()
        self._pending = loop.call_later(QUIET_SECONDS, lambda: loop.run_in_executor(None, self._save))


async def serve() -> None:
    """Serve until SIGTERM, then save the state and end without waiting for functions that are running."""
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config
    from ministack import app as emulator
    from ministack.core.persistence import save_all

    def save() -> None:
        save_all(emulator._build_persistence_save_dict())

    async def until_stopped() -> None:
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        await stopped.wait()
        save()
        os._exit(0)

    config = Config()
    config.bind = [f"{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = 75
    await hypercorn_serve(SnapshotAfterDeploy(emulator.app, save), config, shutdown_trigger=until_stopped)


if __name__ == "__main__":
    end_workers_with_me()
    raise_descriptor_limit()
    shorten_log_wait()
    unpack_layers_once()
    import_gateway_responses()
    asyncio.run(serve())
