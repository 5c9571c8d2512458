"""Contracts of what a waiting reader needs."""

from collections.abc import Sequence
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
    """How many requests may wait at the same time, over all execution environments; a fifth of them (one at least) for
    the same application."""

    def take(self, application_id: int, seconds: float) -> AbstractContextManager[bool]:
        """Whether there was a seat; it is given back at the end of the block, and by itself ``seconds`` and a little
        later. Never raises: where seats cannot be counted, there are none."""


class News(Protocol):
    """Where one learns, for less than a look into the database, that something was stored."""

    def mark(self, application_ids: Sequence[int]) -> object:
        """Another value than before when something of these applications was stored since; what is redriven may be left
        out. Never raises: where nothing can be learnt, the value stays."""
