"""The dashboard's files: built with Vite from functions/dashboard/web, in build/web, only when a source has changed.

The sources are copied first: node_modules beside them would be copied into every build of the function, and shipped.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from deploy.errors import DeployError
from deploy.progress import Step
from deploy.target import BUILD, REPOSITORY

SOURCES = REPOSITORY / "functions" / "dashboard" / "web"
WORK = BUILD / "web"
BUILT = WORK / "dist"
ASSETS = "assets"
INSTALLED_FROM = ("package.json", "package-lock.json", ".npmrc")
TAIL_LINES = 30
_NOT_SOURCES = ("node_modules", "dist")
_LOG = BUILD / "web-build.log"


def build(current: Step) -> str:
    """Bring build/web/dist up to date and return the hash of its sources; raises DeployError if the build fails."""
    sources = source_hash()
    stamp = WORK / ".built"
    if BUILT.exists() and _read(stamp) == sources:
        current.note = "unchanged"
        return sources
    stamp.unlink(missing_ok=True)
    prepare(current)
    current.show("vite build")
    _run(["npx", "--no-install", "vite", "build", "--emptyOutDir"])
    for asset in sorted((BUILT / ASSETS).iterdir()):
        asset.with_name(asset.name + ".gz").write_bytes(gzip.compress(asset.read_bytes(), mtime=0))
    stamp.write_text(sources, encoding="utf-8")
    current.note = f"{transfer_kilobytes():.0f} KB of scripts and styles"
    return sources


def prepare(current: Step) -> None:
    """Copy the sources to build/web and install what they need there."""
    _LOG.unlink(missing_ok=True)
    WORK.mkdir(parents=True, exist_ok=True)
    _copy_sources()
    wanted = _hash(SOURCES / name for name in INSTALLED_FROM)
    stamp = WORK / ".installed"
    if _read(stamp) != wanted:
        stamp.unlink(missing_ok=True)
        current.show("npm ci")
        _run(["npm", "ci", "--no-progress"])
        stamp.write_text(wanted, encoding="utf-8")


def check(current: Step) -> None:
    """Types, lint and format of the sources; raises DeployError with what is wrong."""
    prepare(current)
    current.show("tsc, biome")
    _run(["npm", "run", "--silent", "check"])


def reformat(current: Step) -> None:
    """Format the sources in place, and repair what lint can repair."""
    prepare(current)
    _run([str(WORK / "node_modules" / ".bin" / "biome"), "check", "--write", "."], SOURCES)


def source_hash() -> str:
    """Hash of everything that the build's result depends on."""
    return _hash(_source_files())


def transfer_kilobytes() -> float:
    """What a browser loads of scripts and styles, compressed, in thousands of bytes."""
    return (
        sum(path.stat().st_size for path in (BUILT / ASSETS).glob("*.gz") if path.suffixes[-2] in (".js", ".css")) / 1e3
    )


def _source_files() -> Iterator[Path]:
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file() and not any(name in path.relative_to(SOURCES).parts for name in _NOT_SOURCES):
            yield path


def _copy_sources() -> None:
    for entry in WORK.iterdir():  # what was deleted from the sources must go; what is costly to make stays
        if entry.name not in (*_NOT_SOURCES, ".installed", ".built"):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    shutil.copytree(SOURCES, WORK, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*_NOT_SOURCES))


def _hash(paths: Iterator[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"\0{path.relative_to(SOURCES)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _read(stamp: Path) -> str | None:
    return stamp.read_text(encoding="utf-8") if stamp.exists() else None


def _run(command: list[str], folder: Path = WORK) -> None:
    # node and npm come from a wheel in this tool's own environment.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path, "CI": "1"}, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    with _LOG.open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(command)}\n{output}\n")
    if done.returncode:
        tail = "\n".join(output.splitlines()[-TAIL_LINES:])
        raise DeployError(f"{' '.join(command)} failed, see {_LOG}. Its last lines:\n{tail}")
