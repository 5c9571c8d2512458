"""Named places at which the fault suite kills a process.

Calls stand behind ``if __debug__``, so that they are not in the bytecode that is deployed (PYTHONOPTIMIZE=1).
"""

import os
import signal
from typing import Literal, get_args

CrashPoint = Literal[
    "ingest.before_submit",
    "ingest.after_submit",
    "drain.after_claim",
    "drain.after_invoke",
    "drain.before_release",
    "drain.before_trim",
    "process_chunk.after_read",
    "process_chunk.before_mining_commit",
    "process_chunk.after_mining",
    "process_chunk.after_ledger",
    "process_chunk.after_copy",
    "process_chunk.after_counts",
    "process_chunk.before_commit",
    "process_chunk.after_commit",
    "process_chunk.after_acknowledge",
    "admin.before_redrive_commit",
    "index.after_read",
    "index.before_commit",
    "index.after_commit",
    "watch.before_commit",
    "watch.after_commit",
    "archive.after_open",
    "archive.after_announce",
    "archive.after_put",
    "archive.before_confirm_commit",
    "archive.after_count",
    "archive.before_drop_commit",
    "archive.after_drop",
    "archive.after_delete",
    "dispatch.after_route",
    "dispatch.after_claim",
    "dispatch.after_send",
    "dispatch.after_settle",
    "rehydrate.before_begin_commit",
    "rehydrate.before_load_commit",
    "rehydrate.before_attach_commit",
    "rehydrate.before_release_commit",
    "erase.before_letters_commit",
    "erase.before_rows_commit",
    "erase.after_rows",
    "erase.before_rewrite_commit",
    "erase.after_put",
    "erase.before_swap_commit",
    "erase.before_quotations_commit",
]
CRASH_POINTS: tuple[CrashPoint, ...] = get_args(CrashPoint)

_armed: CrashPoint | None = None


def arm(point: CrashPoint | None) -> None:
    """Makes this process kill itself (SIGKILL) when it next reaches ``point``; None disarms it."""
    global _armed  # noqa: PLW0603  # one process, one switch
    _armed = point


def crash_point(name: CrashPoint) -> None:
    """Dies here if armed."""
    if name == _armed:
        os.kill(os.getpid(), signal.SIGKILL)
