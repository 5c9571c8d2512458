"""Noticing that files are saved."""

import threading
from collections.abc import Iterator
from pathlib import Path

from watchfiles import watch

from dev.sources import Sources

SETTLE_MILLISECONDS = 50  # an editor's save is several events
IDLE_MILLISECONDS = 500


def saves(sources: Sources, stop: threading.Event) -> Iterator[list[Path]]:
    """What was saved, as it is; and nothing at all now and then, for the first time when the watch has begun."""
    watched = watch(
        *sources.watched(),
        stop_event=stop,
        debounce=SETTLE_MILLISECONDS,
        step=SETTLE_MILLISECONDS,
        rust_timeout=IDLE_MILLISECONDS,
        yield_on_timeout=True,
    )
    known = _version(sources.template)
    for changes in watched:
        saved = [Path(path) for _, path in changes]
        if (version := _version(sources.template)) not in (None, known):
            known = version
            saved.append(sources.template)
        yield saved


def _version(file: Path) -> tuple[int, int] | None:
    """Differs after each save; None while there is no such file.

    A watch of a single file would end with the first editor, or git, that saves by putting a new file in its place.
    """
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns
