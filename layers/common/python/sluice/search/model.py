"""What is asked for: conditions on a log, filters of a request, cursors and pages."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sluice.entries.model import OPTIONAL_FIELDS, Level
from sluice.errors import RejectedInput

MAX_LIMIT = 1_000
MAX_EXPORT_LIMIT = 10_000  # of NDJSON and CSV
DEFAULT_LIMIT = 100
MAX_CONTEXT, DEFAULT_CONTEXT = 200, 10  # logs on each side of one
METADATA = "metadata."  # what a field's name begins with that is a key of the metadata
FIELDS = ("application", *OPTIONAL_FIELDS)  # whose values are text
# that not every log has
EXTRA_FIELDS = ("severity_number", "severity_text", "original_length", *OPTIONAL_FIELDS, "template_id")
_ALWAYS = ("id", "application", "timestamp", "received_at", "level", "message", "metadata", "flags")
DOCUMENT_FIELDS = (*_ALWAYS, *EXTRA_FIELDS)


@dataclass(frozen=True, slots=True)
class Text:
    """The message holds ``text``, in any case. Where ``text`` begins or ends with a word character, a word begins or
    ends there, too: ``fuse`` is not within ``refused``. A prefix may end within a word."""

    text: str
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """The field has this value, or begins with it. ``name`` is one of FIELDS, or METADATA and a key."""

    name: str
    value: str
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Levels:
    """The level is between these, both included."""

    lowest: Level
    highest: Level


@dataclass(frozen=True, slots=True)
class OfTemplate:
    """The log has this template, or one that is the same by now."""

    template_id: int


@dataclass(frozen=True, slots=True)
class Has:
    """The field is there, whatever it holds."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """``condition`` does not hold."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of them hold; without any, each log fits."""

    conditions: "tuple[Condition, ...]" = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of them holds."""

    conditions: "tuple[Condition, ...]"


type Condition = Text | Field | Levels | OfTemplate | Has | Not | AllOf | AnyOf
EVERYTHING = AllOf()


def all_of(*conditions: Condition) -> Condition:
    """The conditions together, without needless nesting."""
    flat: list[Condition] = []
    for condition in conditions:
        flat += condition.conditions if isinstance(condition, AllOf) else (condition,)
    return flat[0] if len(flat) == 1 else AllOf(tuple(flat))


def any_of(*conditions: Condition) -> Condition:
    """At least one of the conditions (one or more), without needless nesting."""
    flat: list[Condition] = []
    for condition in conditions:
        flat += condition.conditions if isinstance(condition, AnyOf) else (condition,)
    return flat[0] if len(flat) == 1 else AnyOf(tuple(flat))


@dataclass(frozen=True, slots=True)
class Filters:
    """Which logs. All of it holds together; ``since`` is inclusive, ``until`` exclusive, both event times.
    ``applications`` are names; empty: all that the reader sees."""

    condition: Condition = EVERYTHING
    text: str | None = None  # a piece of the message, in any case, also within words
    since: datetime | None = None
    until: datetime | None = None
    applications: tuple[str, ...] = ()
    batch_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Visible:
    """The applications that a request may read, name by id. ``is_all``: there are no others."""

    names: Mapping[int, str]
    is_all: bool = False

    @property
    def ids(self) -> list[int]:
        """Their ids, sorted."""
        return sorted(self.names)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two logs in the order of event time, batch and position: right above the log that it names.

    ``is_backwards`` tells on which side of it the page lies: against the order that was asked for. ``now`` is what
    relative times of the request refer to, on every page.
    """

    event_at: datetime
    batch_id: UUID
    position: int
    now: datetime
    is_backwards: bool = False

    def to_text(self) -> str:
        """Opaque text for a URL."""
        place = [self.event_at.astimezone(UTC).isoformat(), self.batch_id.hex, self.position]
        document = json.dumps([*place, self.now.astimezone(UTC).isoformat(), int(self.is_backwards)])
        return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")

    def reversed(self, is_ascending: bool) -> "Cursor":
        """The way back from a page in the direction of ``is_ascending``: to the other side, the log included."""
        position = self.position + (1 if is_ascending else -1)
        return replace(self, position=position, is_backwards=not self.is_backwards)

    @classmethod
    def from_text(cls, text: str) -> "Cursor":
        """Raises RejectedInput ``invalid_cursor``."""
        try:
            document = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            event_at, batch_id, position, now, is_backwards = document
            moments = datetime.fromisoformat(event_at), datetime.fromisoformat(now)
            if None in {moment.tzinfo for moment in moments}:
                raise ValueError(text)
            if type(position) is not int or not -(2**31) <= position < 2**31 or is_backwards not in (0, 1):
                raise ValueError(text)
            event_moment, now_moment = (moment.astimezone(UTC) for moment in moments)
            return cls(event_moment, UUID(batch_id), position, now_moment, bool(is_backwards))
        except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error, RecursionError) as error:
            raise RejectedInput("invalid_cursor", "pass a cursor of another page, unchanged") from error


@dataclass(frozen=True, slots=True)
class LogQuery:
    """A page of logs that fit ``filters``. ``now`` is the moment of the request."""

    filters: Filters
    now: datetime
    cursor: Cursor | None = None
    limit: int = DEFAULT_LIMIT
    is_ascending: bool = False
    fields: tuple[str, ...] = ()  # that the documents are to have; empty: all


@dataclass(frozen=True, slots=True)
class Page:
    """Logs as JSON objects in the order asked for.

    ``next_cursor`` is None where there are no more. ``previous_cursor`` leads to what lies, or will lie, before the
    page; it is None only for an empty page without a cursor. ``is_partial``: the budget was used up first.
    """

    logs: list[dict[str, Any]]
    next_cursor: Cursor | None
    previous_cursor: Cursor | None
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """A log between those next to it in its application, the oldest first."""

    log: dict[str, Any]
    before: list[dict[str, Any]]
    after: list[dict[str, Any]]
