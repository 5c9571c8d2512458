"""A headless Chromium: one that is installed, else the one of an npm package, unpacked into build/chromium.

The package holds a build for Linux on x86-64 that needs of the system the C library alone: no root, nothing installed.
SLUICE_TEST_CHROMIUM names another one.
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
    """Chromium, fetched if need be. Raises NoBrowserError."""
    if chosen := os.environ.get("SLUICE_TEST_CHROMIUM"):
        return Chromium(Path(chosen))
    if installed := _installed():
        return Chromium(installed)
    if not (UNPACKED / "chromium").exists():
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            raise NoBrowserError(f"install Chromium or Chrome, {OLDEST} or newer: none is on PATH")
        _fetch()
    environment = {"LD_LIBRARY_PATH": str(UNPACKED / "lib"), "FONTCONFIG_FILE": str(UNPACKED / "fonts.conf")}
    return Chromium(UNPACKED / "chromium", environment)


def _installed() -> Path | None:
    """One on PATH that starts (a stub of a package manager does not) and is new enough."""
    for name in NAMES:
        if program := shutil.which(name):
            done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
            version = re.search(r"(\d+)\.\d+\.\d+", done.stdout)
            if done.returncode == 0 and version and int(version[1]) >= OLDEST:
                return Path(program)
    return None


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
