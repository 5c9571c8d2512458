"""Run a server that refuses to run as root, as root.

Two ways, the first that works: a user namespace in which root has another number (files keep their owner), or the user
`nobody` with the one capability that lets it reach files below directories that only root may enter. Many containers
forbid the first and allow the second.
"""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from embedded.errors import StackError

NOBODY = 65534
_NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
_CAPABILITY = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
)


def is_root() -> bool:
    return os.geteuid() == 0


def _works(prefix: tuple[str, ...]) -> bool:
    """Whether a command under the prefix is not root and yet may read what only root may."""
    if not shutil.which(prefix[0]):
        return False
    probe = 'test "$(id -u)" != 0 && test -r /etc/shadow'
    return subprocess.run([*prefix, "sh", "-c", probe], capture_output=True, check=False).returncode == 0


@cache
def _root_prefix() -> tuple[str, ...]:
    for prefix in (_NAMESPACE, _CAPABILITY):
        if _works(prefix):
            return prefix
    raise StackError(
        "Postgres and PgBouncer refuse to run as root, and this container forbids both user namespaces and "
        "setpriv: run the command as an ordinary user"
    )


def unprivileged_prefix() -> list[str]:
    """What to put before a command so that it does not run as root; nothing for an ordinary user."""
    return list(_root_prefix()) if is_root() else []


def give_to_unprivileged(directory: Path) -> None:
    """Make the directory and all in it the property of whoever `unprivileged_prefix` runs commands as."""
    if not is_root():
        return
    owner = NOBODY if _root_prefix() is _CAPABILITY else 0
    if directory.stat().st_uid != owner:
        for path in (directory, *directory.rglob("*")):
            os.chown(path, owner, owner)
