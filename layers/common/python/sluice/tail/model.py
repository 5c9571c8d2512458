"""Where a reader stands in the order of storing, and what it gets next."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from sluice.errors import RejectedInput

MAX_WAIT_SECONDS = 20
MAX_LIMIT = 1_000
BEHIND_SECONDS = 3  # a chunk may take that long; what is held back for longer is worth telling
FIRST, LAST = -1, 2**31 - 1  # before and behind all parts of a batch, and all positions in it
_NO_BATCH = UUID(int=0)
_MAX_XID = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Place:
    """In the order of storing: behind ``position`` of an entry, which ``xid`` stored."""

    xid: int
    batch_id: UUID = _NO_BATCH
    part: int = FIRST
    position: int = FIRST


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the history of one database: ``history`` tells it from others, also from itself before a failover or
    a restored backup, whose transactions are numbered alike."""

    history: str
    place: Place

    def to_text(self) -> str:
        """Opaque text for a URL."""
        place = self.place
        document = [self.history, place.xid, place.batch_id.hex, place.part, place.position]
        return base64.urlsafe_b64encode(json.dumps(document, separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Raises RejectedInput ``invalid_cursor``."""
        try:
            history, xid, batch_id, *numbers = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            part, position = numbers
            if not isinstance(history, str) or type(xid) is not int or not 0 <= xid <= _MAX_XID:
                raise ValueError(text)
            if any(type(number) is not int or not FIRST <= number <= LAST for number in numbers):
                raise ValueError(text)
            return cls(history, Place(xid, UUID(batch_id), part, position))
        except (ValueError, TypeError, AttributeError, binascii.Error, RecursionError) as error:
            raise RejectedInput("invalid_cursor", "pass the cursor of the answer before, unchanged") from error


@dataclass(frozen=True, slots=True)
class Page:
    """What was stored behind a place, as JSON objects, the first stored first; ``place`` is where the next page begins.

    ``has_more``: there is more that could be shown at once. ``is_held_back``: more is stored, but a transaction that
    began before it is still running, and what that will have stored comes first. ``is_complete``: nothing else was
    stored that could be shown later, so that there is nothing to look for until something is stored.
    """

    logs: list[dict[str, Any]]
    place: Place
    has_more: bool
    is_held_back: bool
    is_complete: bool = False
