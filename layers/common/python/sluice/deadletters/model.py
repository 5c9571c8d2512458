"""A dead letter as its reader sees it, and which dead letters an operation is about."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"
    REDRIVEN = "redriven"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Selection:
    """All conditions hold together; ``since`` is inclusive, ``until`` exclusive, both times of dead-lettering."""

    ids: tuple[int, ...] = ()
    application: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: Status = Status.OPEN


@dataclass(frozen=True, slots=True)
class Redrive:
    """Counts of one redrive: stored now, and still not storable."""

    redriven: int = 0
    failed: int = 0
