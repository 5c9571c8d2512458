"""The working tree as the loop sees it: which function a file belongs to, and the archives that are made of folders."""

import io
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

GENERATED = ("__pycache__", ".egg-info", ".pyc")
SITE_PACKAGES = "python/lib/python3.13/site-packages"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # equal sources give equal archives
_READABLE = 0o644 << 16


@dataclass(frozen=True)
class Sources:
    """A working tree, or a copy of one."""

    root: Path

    @property
    def functions(self) -> Path:
        return self.root / "functions"

    @property
    def layer(self) -> Path:
        """What the layer calls `python`: it holds the package sluice."""
        return self.root / "layers" / "common" / "python"

    @property
    def template(self) -> Path:
        return self.root / "template.yaml"

    def verbs(self) -> list[str]:
        """Names of all functions' folders."""
        return sorted(file.parent.name for file in self.functions.glob("*/app.py"))

    def watched(self) -> list[Path]:
        """Folders; the template is a file of its own."""
        return [self.functions, self.root / "layers" / "common"]


@dataclass(frozen=True)
class Changes:
    """What a save touched. `needs_deploy`: more than Python and data of functions and layer."""

    verbs: frozenset[str] = frozenset()
    is_layer: bool = False
    needs_deploy: bool = False

    def __bool__(self) -> bool:
        return bool(self.verbs) or self.is_layer or self.needs_deploy


def classify(sources: Sources, paths: Collection[Path]) -> Changes:
    """What the changed files mean; generated ones and those of editors mean nothing."""
    verbs, is_layer, needs_deploy = set(), False, False
    for path in paths:
        if path == sources.template:
            needs_deploy = True
        elif _is_noise(path):
            continue
        elif path.is_relative_to(sources.layer):
            is_layer = True
        elif path.is_relative_to(sources.functions):
            verb = path.relative_to(sources.functions).parts[0]
            verbs.add(verb)
            needs_deploy = needs_deploy or (sources.functions / verb / "Makefile").exists()
        else:
            needs_deploy = True  # the layer's requirements and how it is built
    # A function whose app.py was deleted is one, too: its import says what is missing.
    known = set(sources.verbs()) | {path.parent.name for path in paths if path.name == "app.py"}
    return Changes(frozenset(verbs & known), is_layer, needs_deploy)


def archive(folder: Path, prefix: str = "") -> bytes:
    """A zip of the folder's files, below `prefix`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not _is_noise(path):
                add(file, prefix + path.relative_to(folder).as_posix(), path.read_bytes())
    return content.getvalue()


def layer_archive(sources: Sources, libraries: Path) -> bytes:
    """A layer with the working tree's sluice that takes everything else from the folder `libraries`."""
    content = io.BytesIO(archive(sources.layer / "sluice", "python/sluice/"))
    with zipfile.ZipFile(content, "a") as file:
        # Right behind this layer, which is at the front while this is read: sluice is also among the libraries, and
        # behind the interpreter's own packages other versions would win.
        line = f"import sys; sys.path.insert(1, {str(libraries)!r})\n"
        add(file, f"{SITE_PACKAGES}/libraries.pth", line.encode())
    return content.getvalue()


def add(file: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add one member that looks the same whenever it is made."""
    member = zipfile.ZipInfo(name, _ZIP_EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = _READABLE
    file.writestr(member, content)


def _is_noise(path: Path) -> bool:
    return (
        any(part.endswith(GENERATED) for part in path.parts)
        or path.name.startswith((".", "#"))
        or path.name.endswith(("~", ".tmp", ".swp"))
    )
