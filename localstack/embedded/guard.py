"""Run a command that dies with the process that started it: `guard.py SIGNAL PARENT COMMAND...`.

SIGNAL is the number of the signal the command gets when PARENT (a process id, our parent) ends, however it ends. Linux
does that itself, so that this program turns into the command. Elsewhere it stays, looks after its parent, and hands
signals on. It needs nothing but the standard library.
"""

import ctypes
import os
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
LOOK_SECONDS = 0.2
GRACE_SECONDS = 10


def become(command: list[str], death_signal: int, parent: int) -> None:
    """Turn into the command, under the kernel's watch."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the kernel was told
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - to become another program is the purpose


def watch(command: list[str], death_signal: int, parent: int) -> int:
    """Run the command and end it with the parent; returns its exit code."""
    child = subprocess.Popen(command)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, lambda received, _frame: child.send_signal(received))
    while os.getppid() == parent:
        try:
            return child.wait(timeout=LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    child.send_signal(death_signal)
    try:
        return child.wait(timeout=GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


if __name__ == "__main__":
    _number, _parent, _command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        become(_command, _number, _parent)
    sys.exit(watch(_command, _number, _parent))
