"""PgBouncer: one that is installed, else the distribution's package unpacked into build/pgbouncer.

No wheel of it exists. `apt-get` runs with a state of its own and `dpkg-deb` only unpacks: that needs no root, installs
nothing and starts nothing.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
    return PgBouncer(program, _library_path(UNPACKED)) if program.is_file() else None


def provide_pgbouncer(announce: Callable[[str], None]) -> PgBouncer:
    """PgBouncer, fetched if need be; StackError says how to install it where that is impossible."""
    if found := find_pgbouncer():
        return found
    if sys.platform == "darwin":
        raise StackError("PgBouncer is missing: run `brew install pgbouncer`")
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise StackError("PgBouncer is missing: install your system's package `pgbouncer`")
    announce("fetching PgBouncer (first time only)")
    _fetch()
    found = find_pgbouncer()
    assert found is not None
    return found


def _library_path(root: Path) -> str:
    return os.pathsep.join(str(path) for path in (root / "usr" / "lib").glob("*-linux-*"))


def _fetch() -> None:
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix=".pgbouncer-") as name:
        work = Path(name)
        root = work / "root"
        _download(work)
        for package in sorted(work.glob("*.deb")):
            _run(["dpkg-deb", "-x", str(package), str(root)], work)
        _run(
            [str(root / "usr" / "sbin" / "pgbouncer"), "--version"],
            work,
            {**os.environ, "LD_LIBRARY_PATH": _library_path(root)},
        )
        try:
            root.rename(UNPACKED)
        except OSError:
            if not UNPACKED.is_dir():  # else a concurrent start was faster, with the same result
                raise


def _download(work: Path) -> None:
    """Download the package, and those it needs that are not installed, as .deb files into the directory."""
    for directory in ("lists/partial", "cache/archives/partial"):
        (work / directory).mkdir(parents=True)
    options = {
        "Dir::State::Lists": work / "lists",
        "Dir::Cache": work / "cache",
        "APT::Sandbox::User": "root",  # root's download user could not enter the directory
        "Debug::NoLocking": "1",
        "Acquire::Retries": "2",
    }
    apt = ["apt-get", "-q"] + [text for key, value in options.items() for text in ("-o", f"{key}={value}")]
    _run([*apt, "update"], work)
    plan = _run([*apt, "--simulate", "--no-install-recommends", "install", "pgbouncer"], work)
    missing = re.findall(r"^Inst (\S+)", plan, re.MULTILINE)
    _run([*apt, "download", *(name for name in missing if name == "pgbouncer" or name.startswith("lib"))], work)


def _run(command: list[str], directory: Path, environ: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=directory, env=environ, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    reason = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
    raise StackError(
        f"PgBouncer could not be fetched ({Path(command[0]).name}: {reason}): "
        "check the network and try again, or install the system package `pgbouncer`"
    )
