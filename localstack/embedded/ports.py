"""Which port each server listens on: chosen by the operating system once, kept from then on."""

import json
import os
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from embedded.errors import StackError
from embedded.state import read_json, write_private

HOST = "127.0.0.1"


def variable(name: str) -> str:
    """The environment variable that fixes a server's port."""
    return f"SLUICE_{name.upper()}_PORT"


def is_taken(port: int) -> bool:
    """Whether some program listens on the port."""
    with socket.socket() as probe:
        # As servers do: a connection of an earlier run in TIME_WAIT is not a program that listens.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


class Ports:
    """Port numbers by server name, from the environment, else from the file, else from the system."""

    def __init__(self, file: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._file = file
        self._environ = environ
        self._fresh: set[str] = set()
        self._numbers: dict[str, int] = dict(read_json(file))

    def __getitem__(self, name: str) -> int:
        return self._numbers[name]

    def __contains__(self, name: str) -> bool:
        return name in self._numbers

    def is_fresh(self, name: str) -> bool:
        """Whether the port was chosen by this run, so that nobody relies on it yet."""
        return name in self._fresh

    def assign(self, names: Iterable[str]) -> None:
        """Give every server a port that is free now; StackError names a port that is wanted but taken."""
        names = list(names)
        for name in names:
            if wanted := self._environ.get(variable(name)):
                self._numbers[name] = _port_number(name, wanted)
        for name in (name for name in names if name in self._numbers):
            self.refuse_taken(name)
        self._choose([name for name in names if name not in self._numbers])

    def choose_again(self, name: str) -> None:
        """Replace a fresh port that another program took before the server could."""
        self._choose([name])

    def refuse_taken(self, name: str) -> None:
        """StackError if another program listens on the server's port."""
        port = self._numbers[name]
        if is_taken(port):
            raise StackError(
                f"port {port}, wanted for {name}, is taken by another program: "
                f"stop that program, or choose another port with {variable(name)}=<port>"
            )

    def _choose(self, names: list[str]) -> None:
        with ExitStack() as stack:
            for name in names:
                # All are held until all are chosen: the system may offer a released port again.
                probe = stack.enter_context(socket.socket())
                probe.bind((HOST, 0))
                self._numbers[name] = probe.getsockname()[1]
                self._fresh.add(name)
        write_private(self._file, json.dumps(self._numbers, indent=2) + "\n")


def _port_number(name: str, text: str) -> int:
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise StackError(f"{variable(name)}={text} is not a port: give a number from 1 to 65535")
