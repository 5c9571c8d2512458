"""The state directory: where everything lies that one embedded stack owns, and who may own it now."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded.errors import StackError

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / "build"
# A look at the lock takes it for an instant; an owner-to-be must outwait that.
LOCK_PATIENCE_SECONDS = 0.5


@dataclass(frozen=True)
class State:
    """Paths below one state directory."""

    root: Path

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def accounts(self) -> Path:
        return self.root / "accounts.json"

    @property
    def connections(self) -> Path:
        return self.root / "connections.json"

    @property
    def environment(self) -> Path:
        return self.root / "env"

    @property
    def status(self) -> Path:
        return self.root / "status.json"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def create(self) -> None:
        """Make the directory, readable by its owner alone; StackError if it is another user's."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (owner := self.root.stat().st_uid) != os.geteuid():
            raise StackError(f"{self.root} belongs to the user with id {owner}: run this as that user, or delete it")
        self.logs.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, at once or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if there is no such file."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def owned(state: State) -> Iterator[bool]:
    """Own the state directory for as long as the block runs; False if another supervisor owns it.

    The kernel drops the lock with the process, however it ends.
    """
    descriptor = os.open(state.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
        while not (locked := _try_lock(descriptor)) and time.monotonic() < deadline:
            time.sleep(0.05)
        if locked:
            written = os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            os.ftruncate(descriptor, written)
        yield locked
    finally:
        os.close(descriptor)


def owner_pid(state: State) -> int | None:
    """Process id of the supervisor that owns the state directory now; None if there is none."""
    try:
        descriptor = os.open(state.lock, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        while not _try_lock(descriptor):
            if line := os.pread(descriptor, 20, 0).partition(b"\n")[0]:
                return int(line)
            time.sleep(0.01)  # the owner is about to write its number
        return None
    finally:
        os.close(descriptor)
