"""The servers, and what a supervisor needs to know of each."""

import os
import signal
from pathlib import Path
from typing import Protocol

from embedded.ports import HOST, Ports


class Server(Protocol):
    """One server program; its files lie in `directory`, its port is `ports[name]`."""

    name: str
    directory: Path
    ports: Ports
    stop_signal: signal.Signals  # asks it to end in order
    death_signal: signal.Signals  # what it gets if its supervisor is gone
    stop_patience_seconds: int  # after which it is killed
    refuses_root: bool

    def prepare(self) -> None:
        """Write what it needs before each start; StackError if that fails."""
        ...

    def command(self) -> list[str]:
        """Command line that runs it in the foreground."""
        ...

    def environment(self) -> dict[str, str]:
        """Its whole environment."""
        ...

    def check(self) -> None:
        """Ask it for a real answer; Unhealthy if there is none within about a second."""
        ...

    def initialise(self) -> None:
        """Bring its content up to date, once it is healthy for the first time; StackError if that fails."""
        ...


def base_environment() -> dict[str, str]:
    """What every server needs of our environment: where the system keeps shared libraries, if that is unusual."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}


def address(server: Server) -> str:
    """Where the server listens, as host:port."""
    return f"{HOST}:{server.ports[server.name]}"
