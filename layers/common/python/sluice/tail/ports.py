"""Contracts of what a waiting reader needs."""

from contextlib import AbstractContextManager
from typing import Protocol

from sluice.tail.model import Cursor, Page, Place


class Tail(Protocol):
    """The order in which entries were stored, as far as it is complete."""

    def begin(self) -> Cursor:
        """The end of what is complete now: whatever is stored from now on lies behind it. Raises Unavailable."""

    def read(self, place: Place, limit: int) -> Page:
        """The next records behind ``place``, in storing order, each exactly once whatever else is stored meanwhile; at
        most ``limit``, and a few megabytes. Reads a bounded number of entries, so that a page may be empty and still
        have more behind it. Raises Unavailable."""

    def check(self, cursor: Cursor) -> Place:
        """The cursor's place. Raises RejectedInput ``cursor_lost`` (409) for one of another history, Unavailable."""


class Seats(Protocol):
    """How many requests may wait at the same time, over all execution environments."""

    def take(self, seconds: float) -> AbstractContextManager[bool]:
        """Whether there was a seat; it is given back at the end of the block, and by itself ``seconds`` and a little
        later. Never raises: where seats cannot be counted, there are none."""
