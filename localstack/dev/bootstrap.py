"""The code of a function in the debugger: it runs the working tree's files, so that breakpoints set there are hit.

It is deployed in place of the function's code and configured by variables SLUICE_DEBUG_*. An invocation with the event
{"sluice_debug": "state"} starts the debugger's port and answers whether it listens; all others go to the handler.
"""

import os
import sys
import time
from typing import Any

PORT = int(os.environ["SLUICE_DEBUG_PORT"])
WAITS = os.environ["SLUICE_DEBUG_WAIT"] == "1"
BIND_PATIENCE_SECONDS = 3  # the worker before this one is just giving up the port

sys.dont_write_bytecode = True
for folder in reversed(os.environ["SLUICE_DEBUG_PATH"].split(os.pathsep)):
    sys.path.insert(0, folder)


def _listen() -> bool:
    """Whether this worker has the port; another worker of the same function may, and then runs undisturbed."""
    packages = os.environ["SLUICE_DEBUG_PACKAGES"]
    sys.path.append(packages)  # for debugpy alone: the function must not see the developer's other packages
    import debugpy

    sys.path.remove(packages)
    debugpy.configure(subProcess=False)
    deadline = time.monotonic() + BIND_PATIENCE_SECONDS
    while True:
        try:
            debugpy.listen(("127.0.0.1", PORT))
        except (OSError, RuntimeError):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        else:
            return True


IS_LISTENING = _listen()

import app  # noqa: E402  # only now: breakpoints in module code are hit, too


def handler(event: Any, context: Any) -> Any:
    """The function's own handler, once a debugger is attached if that is waited for."""
    if isinstance(event, dict) and event.get("sluice_debug") == "state":
        return {"is_listening": IS_LISTENING, "port": PORT}
    if IS_LISTENING and WAITS:
        import debugpy

        debugpy.wait_for_client()
    return app.handler(event, context)
