"""Blocks of records, as they are read, put together to the parts of a batch. Pure."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from sluice.entries.columns import Column, TableWriter, cut, each
from sluice.entries.packing import PART_MAX_CHARACTERS, PART_MAX_RECORDS, PackedPart, part_spans, time_bounds


class Block(NamedTuple):
    """Some records of a body, on their way to a part."""

    record_count: int
    columns: Sequence[Column]  # beginning with event times
    character_count: int  # of messages and metadata
    characters: Callable[[], Sequence[int]]  # the same of each record
    earliest: datetime
    latest: datetime
    is_timed: bool

    def cut(self, span: slice) -> "Block":
        """Some of these records."""
        columns, characters = [cut(column, span) for column in self.columns], self.characters()[span]
        bounds = time_bounds(each(columns[0], len(characters)))
        return Block(len(characters), columns, sum(characters), lambda: characters, *bounds, self.is_timed)


class Parts:
    """Of a batch; see ``packed_parts`` for where they end. Those of fewer than ``table_records`` are lines."""

    def __init__(self, table_records: int) -> None:
        self.record_count = 0
        self._table_records = table_records
        self._finished: list[PackedPart] = []
        self._start()

    def add(self, block: Block) -> None:
        """As the last of all so far."""
        records, characters = self._part.record_count, self._part_characters
        if (
            records + block.record_count <= PART_MAX_RECORDS
            and characters + block.character_count <= PART_MAX_CHARACTERS
        ):
            self._take(block)
            return
        first, *others = part_spans(block.characters(), records, characters)
        if first.stop:
            self._take(block.cut(first))
        for span in others:
            self._finish()
            self._take(block.cut(span))

    def finished(self) -> tuple[PackedPart, ...]:
        """All of them."""
        self._finish()
        return tuple(self._finished)

    def _start(self) -> None:
        self._part, self._part_characters = TableWriter(self.record_count), 0
        self._bounds: list[datetime] = []

    def _take(self, block: Block) -> None:
        self._part.add(block.record_count, block.columns)
        self.record_count += block.record_count
        self._part_characters += block.character_count
        self._bounds += (block.earliest, block.latest)

    def _finish(self) -> None:
        if count := self._part.record_count:
            packed = self._part.table() if count >= self._table_records else self._part.lines()
            self._finished.append(PackedPart(count, min(self._bounds), max(self._bounds), *packed))
        self._start()
