"""Programs from the distribution's packages, unpacked into a folder of ours.

`apt-get` runs with a state of its own and `dpkg-deb` only unpacks: that needs no root, installs
nothing and starts nothing.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from embedded.errors import StackError


def can_unpack() -> bool:
    """Whether this system has such packages."""
    return bool(shutil.which("apt-get") and shutil.which("dpkg-deb"))


def libraries_in(root: Path) -> str:
    """Search path of the shared libraries that lie below an unpacked package."""
    return os.pathsep.join(str(path) for path in (root / "usr" / "lib").glob("*-linux-*"))


def unpack(package: str, target: Path, check: Sequence[str]) -> None:
    """Fetches the package and what shared libraries it needs that are not installed, and unpacks them into ``target``.

    ``check`` is a program below it, with arguments, that must run first. Raises StackError.
    """
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{package}-") as name:
        work, root = Path(name), Path(name) / "root"
        _download(package, work)
        for file in sorted(work.glob("*.deb")):
            _run(package, ["dpkg-deb", "-x", str(file), str(root)], work)
        program, *arguments = check
        environ = {**os.environ, "LD_LIBRARY_PATH": libraries_in(root)}
        _run(package, [str(root / program), *arguments], work, environ)
        try:
            root.rename(target)
        except OSError:
            if not target.is_dir():  # else a concurrent start was faster, with the same result
                raise


def _download(package: str, work: Path) -> None:
    """The package, and libraries that it needs, as .deb files in the directory."""
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
    _run(package, [*apt, "update"], work)
    plan = _run(package, [*apt, "--simulate", "--no-install-recommends", "install", package], work)
    missing = re.findall(r"^Inst (\S+)", plan, re.MULTILINE)
    wanted = [
        name
        for name in dict.fromkeys([package, *missing])
        if name == package or (name.startswith("lib") and not name.startswith("libjs-"))
    ]
    _run(package, [*apt, "download", *wanted], work)


def _run(package: str, command: list[str], directory: Path, environ: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=directory, env=environ, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    reason = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
    raise StackError(
        f"{package} could not be fetched ({Path(command[0]).name}: {reason}): "
        f"check the network and try again, or install the system package `{package}`"
    )
