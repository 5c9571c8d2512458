"""PgBouncer: one that is installed, else the distribution's package unpacked into build/pgbouncer.

No wheel of it exists.
"""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from embedded.debian import can_unpack, libraries_in, unpack
from embedded.errors import StackError
from embedded.state import BUILD

UNPACKED = BUILD / "pgbouncer"
# Daemons live outside the PATH of ordinary users.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"])


@dataclass(frozen=True)
class PgBouncer:
    """The program, and where shared libraries lie that the system lacks (None: it lacks none)."""

    program: Path
    libraries: str | None = None


def find_pgbouncer() -> PgBouncer | None:
    """PgBouncer on this machine; None if it has to be fetched."""
    if installed := shutil.which("pgbouncer", path=SEARCH_PATH):
        return PgBouncer(Path(installed))
    program = UNPACKED / "usr" / "sbin" / "pgbouncer"
    return PgBouncer(program, libraries_in(UNPACKED)) if program.is_file() else None


def provide_pgbouncer(announce: Callable[[str], None]) -> PgBouncer:
    """PgBouncer, fetched if need be; StackError says how to install it where that is impossible."""
    if found := find_pgbouncer():
        return found
    if sys.platform == "darwin":
        raise StackError("PgBouncer is missing: run `brew install pgbouncer`")
    if not can_unpack():
        raise StackError("PgBouncer is missing: install your system's package `pgbouncer`")
    announce("fetching PgBouncer (first time only)")
    unpack("pgbouncer", UNPACKED, ["usr/sbin/pgbouncer", "--version"])
    found = find_pgbouncer()
    assert found is not None
    return found
