"""Building functions and layer with `sam build`, only when a source has changed."""

import fcntl
import hashlib
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from deploy import sam, web
from deploy.errors import DeployError
from deploy.progress import Step, console
from deploy.target import BUILD, REPOSITORY

ARTIFACTS = BUILD / "sam"
LAYER = ARTIFACTS / "CommonLayer" / "python"
TEMPLATE = ARTIFACTS / "template.yaml"
SOURCES = ("template.yaml", "samconfig.toml", "functions", "layers")
GENERATED = ("__pycache__", ".egg-info")
LAMBDA_PLATFORM = "manylinux2014_x86_64"
_STAMP = BUILD / "sam.sources"
_LOG = BUILD / "sam-build.log"


def layer_platform(*, runs_here: bool) -> str:
    """Platform of the layer's wheels: Lambda's, or this machine's if the embedded stack here runs the functions."""
    if runs_here and (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return "host"
    return LAMBDA_PLATFORM


def source_hash(wheels_for: str) -> str:
    """Hash of everything that the build's result depends on."""
    digest = hashlib.sha256(wheels_for.encode())
    for path in _source_files():
        digest.update(f"\0{path.relative_to(REPOSITORY)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build(current: Step, wheels_for: str) -> str:
    """Bring build/sam up to date and return the hash of its sources; raises DeployError if the build fails."""
    sources = source_hash(wheels_for)
    if TEMPLATE.exists() and _STAMP.exists() and _STAMP.read_text(encoding="utf-8") == sources:
        current.note = "unchanged"
        return sources
    _STAMP.unlink(missing_ok=True)
    # sam's own cache knows nothing of the platform.
    web.build(current)
    variables = {"PLATFORM": wheels_for, "WEB": str(web.BUILT)}
    sam.run(["build", "--cache-dir", f"build/sam-cache/{wheels_for}"], _LOG, current, variables)
    _STAMP.write_text(sources, encoding="utf-8")
    current.note = f"layer {layer_megabytes():.1f} MB"
    return sources


def layer_megabytes() -> float:
    """Unpacked size of the built layer, in millions of bytes, as Lambda counts it."""
    return sum(path.stat().st_size for path in LAYER.rglob("*") if path.is_file()) / 1e6


def check_parameters(names: Iterable[str]) -> None:
    """Raises DeployError for a name that template.yaml does not declare; sam would drop it without a word."""
    declared = yaml_parse((REPOSITORY / "template.yaml").read_text(encoding="utf-8"))["Parameters"]
    if unknown := set(names) - declared.keys():
        raise DeployError(f"template.yaml has no parameter {', '.join(sorted(unknown))}; it has {', '.join(declared)}")


@contextmanager
def exclusive() -> Iterator[None]:
    """Keep other builds and deployments of this working tree out: they share build/sam."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "sam.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print("waiting for another build or deployment from this working tree")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _source_files() -> Iterator[Path]:
    for name in SOURCES:
        root = REPOSITORY / name
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            if path.is_file() and not any(part.endswith(GENERATED) for part in path.parts):
                yield path
