"""What this machine deployed last, so that a deployment of the same again takes no time."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from deploy.stack import DEPLOYED, Stack


def fingerprint(sources: str, parameters: Mapping[str, str]) -> str:
    """Hash of all that decides what a deployment results in."""
    return hashlib.sha256(json.dumps([sources, sorted(parameters.items())]).encode()).hexdigest()


def is_current(file: Path, stack: Stack | None, wanted: str) -> bool:
    """Whether `stack` is as the deployment of `wanted` left it: nobody has changed or replaced it since."""
    if stack is None or stack.status not in DEPLOYED or not file.exists():
        return False
    known = json.loads(file.read_text(encoding="utf-8"))
    return bool(known.get("fingerprint") == wanted and known.get("revision") == stack.revision)


def has_migrations(file: Path, stack: Stack, wanted: str) -> bool:
    """Whether `stack` was deployed from here with these migrations (their hash), and nobody has changed it since."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return bool(known.get("migrations") == wanted and known.get("revision") == stack.revision)


def write(file: Path, stack: Stack, deployed: str, migrations: str) -> None:
    """Record the outputs, and what they came from."""
    content = {
        "outputs": dict(stack.outputs),
        "fingerprint": deployed,
        "migrations": migrations,
        "revision": stack.revision,
    }
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
