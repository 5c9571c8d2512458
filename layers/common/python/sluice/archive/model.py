"""What is archived: a day of a retention class, object by object."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DueDay:
    """A day's partition that is older than its class keeps logs in the log table."""

    retention_class: int
    class_name: str
    day: date  # of receipt, UTC
    is_archived: bool  # False: its logs are deleted
    overdue_days: int = 1


@dataclass(frozen=True, slots=True)
class OpenDay:
    """A day on its way out. Its objects are of the state ``change``: the partition was changed so often before."""

    archive_day_id: int
    due: DueDay
    change: int


@dataclass(frozen=True, slots=True)
class Place:
    """Of a row in the order in which an application's rows of a day are archived: the next slice begins behind it."""

    received_at: datetime
    batch_id: UUID
    position: int


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows that make one object: those of an application behind a place (None: from the beginning)."""

    object_id: int
    key: str
    application_id: int
    after: Place | None


@dataclass(frozen=True, slots=True)
class Content:
    """An object and what it says of its rows; spans include both ends. ``data`` is its bytes."""

    data: bytes
    sha256: bytes
    row_count: int
    text_bytes: int
    event_from: datetime
    event_until: datetime
    received_from: datetime
    last: Place


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The manifest's row of an object that can be read."""

    object_id: int
    key: str
    retention_class: int
    day: date
    application_id: int
    row_count: int
    byte_count: int
    text_bytes: int
    sha256: bytes
    event_from: datetime
    event_until: datetime
    received_from: datetime
    received_until: datetime


@dataclass(frozen=True, slots=True)
class Family:
    """What stands for a template in an archived row: ids of those that it is one with, and keys of rows without."""

    template_ids: frozenset[int]
    template_keys: frozenset[int]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a rehydration would bring back: objects that are not there yet, and those that are."""

    object_count: int
    row_count: int
    byte_count: int  # to be read from the archive
    text_bytes: int  # about what they take in the database, without indexes
    present_count: int  # objects that other rehydrations have brought back already


@dataclass(frozen=True, slots=True)
class Rehydration:
    """Logs of an application that came back, or are on their way."""

    rehydration_id: int
    application: str
    event_from: datetime
    event_until: datetime
    status: str  # loading or ready
    expires_at: datetime
    object_count: int
    row_count: int
    loaded_objects: int
    loaded_rows: int

    @property
    def retention_class(self) -> int:
        """Of its rows."""
        return -self.rehydration_id


def object_key(opened: OpenDay, application_id: int, number: int) -> str:
    """Where an object lies: a Hive layout, by whose names Athena and DuckDB read no more than they need. Another turn
    of the day, or another state of its rows, makes another key."""
    due = opened.due
    folder = f"logs/class={due.class_name}/application={application_id}/day={due.day}"
    return f"{folder}/part-{number:05}-{opened.archive_day_id}-{opened.change}.ndjson.gz"
