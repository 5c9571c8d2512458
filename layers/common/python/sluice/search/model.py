"""A query for stored records, and a page of its answer."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sluice.entries.model import Level
from sluice.errors import RejectedInput

MAX_LIMIT = 1_000
DEFAULT_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last record of a page: the next page begins right below it."""

    event_at: datetime
    batch_id: UUID
    position: int

    def to_text(self) -> str:
        """Opaque text for a URL."""
        document = json.dumps([self.event_at.astimezone(UTC).isoformat(), self.batch_id.hex, self.position])
        return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")

    @classmethod
    def from_text(cls, text: str) -> "Cursor":
        """Raises RejectedInput ``invalid_cursor``."""
        try:
            event_at, batch_id, position = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            moment = datetime.fromisoformat(event_at)
            if moment.tzinfo is None or type(position) is not int or not -(2**31) <= position < 2**31:
                raise ValueError(text)
            return cls(moment.astimezone(UTC), UUID(batch_id), position)
        except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error, RecursionError) as error:
            raise RejectedInput("invalid_cursor", "pass next_cursor of the previous page, unchanged") from error


@dataclass(frozen=True, slots=True)
class LogQuery:
    """All conditions hold together. ``since`` is inclusive, ``until`` exclusive, both event times."""

    application_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    levels: tuple[Level, ...] = ()
    text: str | None = None  # a piece of the message, in any case
    batch_id: UUID | None = None
    cursor: Cursor | None = None
    limit: int = DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class Page:
    """Records as JSON objects, newest first; ``next_cursor`` is None on the last page."""

    logs: list[dict[str, Any]]
    next_cursor: Cursor | None
