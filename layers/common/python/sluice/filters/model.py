"""Stored rows as the indexer reads them, and the word filters it makes of them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that came in one request and are kept in one class."""

    application_id: int
    retention_class: int
    received_at: datetime
    batch_id: UUID

    @property
    def day(self) -> tuple[int, date]:
        """The partition: retention class and day of receipt, UTC."""
        return self.retention_class, self.received_at.date()

    @property
    def order(self) -> tuple[int, int, datetime, UUID]:
        """Brings together what can share a filter."""
        return self.application_id, self.retention_class, self.received_at, self.batch_id


class Row(NamedTuple):
    """A stored row in COPY's text format. Times are UTC, so that text order is time order."""

    batch: bytes  # its number in the page
    retention_class: bytes
    ctid: bytes
    position: bytes
    event_at: bytes
    fields: bytes  # name=value, with FIELD_SEPARATOR between them
    message: bytes
    metadata: bytes


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of one batch, by position."""

    batch: Batch
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class WordFilter:
    """A row of word_filters; spans include both ends. ``filter_bytes`` is None if anything may be in the rows."""

    application_id: int
    retention_class: int
    received_from: datetime
    received_until: datetime
    position_from: int
    position_until: int
    event_from: str
    event_until: str
    row_count: int
    filter_bytes: bytes | None
    blocks: tuple[int, int] = (0, 0)  # the first one, and how many hold all rows; none: better look the rows up


@dataclass(frozen=True, slots=True)
class Advance:
    """What one step did."""

    entries: int = 0
    rows: int = 0
    filters: int = 0
    slabs: int = 0
    is_busy: bool = False  # another run holds the progress: nothing was done

    def __add__(self, other: "Advance") -> "Advance":
        return Advance(
            self.entries + other.entries,
            self.rows + other.rows,
            self.filters + other.filters,
            self.slabs + other.slabs,
            is_busy=self.is_busy or other.is_busy,
        )


@dataclass(frozen=True, slots=True)
class Lag:
    """What is stored and in no filter yet; ``seconds`` since the oldest of it was stored, 0 without any."""

    entries: int
    seconds: float
