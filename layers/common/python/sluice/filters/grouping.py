"""From stored rows to word filters: groups of rows whose tokens fill a filter, never across days or applications."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from math import ceil
from typing import Any

import msgspec

from sluice.errors import ContractError
from sluice.filters.model import Batch, Row, Slice, WordFilter
from sluice.search import words

MAX_ROWS = 256
# Batches from here on have filters of their own, which positions tell apart; smaller ones share.
LARGE_BATCH = 64
_MAX_BLOCKS_PER_ROW = 0.5  # usual logs have 22 rows a block; looking a row up takes a fifth of reading a block
_TOKENS_PER_BLOCK = 100  # that a filter may have room for, rather than have a block read that is not its own
_LEAST_ROWS = 16  # between jumps from block to block: a batch in smaller pieces would have very many filters
_STEP = 32  # rows between looks at how full the filter is, at most
_ENOUGH_TOKENS = words.MAX_TOKENS * 3 // 4
_NUL = "\0"  # in no text of Postgres's
_ESCAPES = ((b"\\n", b"\n"), (b"\\t", b"\t"), (b"\\r", b"\r"), (b"\\b", b"\b"), (b"\\f", b"\f"), (b"\\v", b"\v"))
_DECODER = msgspec.json.Decoder(list[dict[str, Any]], float_hook=str)  # a number's text is what SQL compares


class FilterBuilder:
    """Takes rows batch by batch, in the order of ``Batch.order`` and within one by position, and puts each into one
    filter. Neighbours of a class share one if they are small. Filters end where blocks do, if they can, since whole
    blocks are read. Keeps tokens, not rows: a page of long logs must fit into memory."""

    def __init__(self) -> None:
        self._filters: list[WordFilter] = []
        self._groups: dict[int, _Group] = {}  # by class

    def add(self, item: Slice) -> None:
        number = item.batch.retention_class
        is_large = len(item.rows) >= LARGE_BATCH
        if is_large or (number in self._groups and not self._groups[number].fits(item.batch)):
            self._close(number)
        pieces = list(_pieces(item.rows))
        lookup_blocks = len({block for block, _ in pieces}) if is_large else 0
        ends_early = is_large and not _are_scattered(pieces)
        for block, rows in pieces:
            if ends_early and number in self._groups and self._groups[number].ends_before(block):
                self._close(number)
            group = self._groups.setdefault(number, _Group())
            group.add(item.batch, block, rows)
            group.lookup_blocks = lookup_blocks
            if group.is_full:
                self._close(number)
        if is_large:
            self._close(number)

    def finish(self) -> list[WordFilter]:
        """The filters of everything that was added."""
        for number in list(self._groups):
            self._close(number)
        return self._filters

    def _close(self, number: int) -> None:
        group = self._groups.pop(number, None)
        if group is not None:
            self._filters.append(group.to_filter())


def _pieces(rows: Sequence[Row]) -> Iterator[tuple[int, Sequence[Row]]]:
    """Rows of a block, and the block: all that are one behind the other, or about equal parts of them."""
    start = 0
    for place, run in groupby([row.ctid.split(b",", 1)[0] for row in rows]):
        count = len(list(run))
        size = ceil(count / ceil(count / _STEP))
        for at in range(start, start + count, size):
            yield int(place[1:]), rows[at : min(at + size, start + count)]
        start += count


def _are_scattered(pieces: Sequence[tuple[int, Sequence[Row]]]) -> bool:
    """Whether there are jumps from block to block after very few rows."""
    jumps = sum(not 0 <= block - last <= 1 for (last, _), (block, _) in pairwise(pieces))
    return jumps * _LEAST_ROWS > sum(len(rows) for _, rows in pieces)


def row_tokens(rows: Sequence[Row]) -> set[bytes]:
    """The tokens of rows, see ``sluice.search.words``."""
    tokens = _message_tokens(_unescaped(b"\n".join([row.message for row in rows])))
    fields = _unescaped(words.FIELD_SEPARATOR.join({row.fields for row in rows}))
    tokens.update(_folded(fields).split(words.FIELD_SEPARATOR))
    documents = b",".join([row.metadata for row in rows if row.metadata != b"{}"])
    if documents:
        tokens |= _metadata_tokens(_unescaped(documents))
    return tokens


@dataclass(slots=True)
class _Group:
    """Rows on their way to one filter."""

    batches: list[Batch] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    times: list[bytes] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    tokens: set[bytes] = field(default_factory=set)
    lookup_blocks: int = 0  # that the index on receipt leads to for this group, if they are more than its own

    def add(self, batch: Batch, block: int, rows: Sequence[Row]) -> None:
        self.batches.append(batch)
        self.blocks.append(block)
        self.positions += [int(row.position) for row in rows]
        self.times += [row.event_at for row in rows]
        self.tokens |= row_tokens(rows)

    def fits(self, batch: Batch) -> bool:
        first = self.batches[0]
        return first.application_id == batch.application_id and first.day == batch.day

    def ends_before(self, block: int) -> bool:
        """Whether the blocks before this one, which a search would read in vain, are worth more than the rest of the
        filter."""
        count = max(block - max(self.blocks), min(self.blocks) - block) - 1
        return count > 0 and count * _TOKENS_PER_BLOCK >= words.MAX_TOKENS - len(self.tokens)

    @property
    def is_full(self) -> bool:
        return len(self.tokens) >= _ENOUGH_TOKENS or len(self.positions) >= MAX_ROWS

    def to_filter(self) -> WordFilter:
        return WordFilter(
            application_id=self.batches[0].application_id,
            retention_class=self.batches[0].retention_class,
            received_from=min(batch.received_at for batch in self.batches),
            received_until=max(batch.received_at for batch in self.batches),
            position_from=min(self.positions),
            position_until=max(self.positions),
            event_from=min(self.times).decode(),
            event_until=max(self.times).decode(),
            row_count=len(self.positions),
            filter_bytes=words.make_filter(self.tokens),
            blocks=self._span(),
        )

    def _span(self) -> tuple[int, int]:
        """The blocks of the rows, unless they are scattered among strangers' rows."""
        first, count = min(self.blocks), max(self.blocks) - min(self.blocks) + 1
        most = max(len(self.positions) * _MAX_BLOCKS_PER_ROW, self.lookup_blocks, 1)
        return (first, count) if count <= most else (0, 0)


def _message_tokens(messages: bytes) -> set[bytes]:
    """Of messages with line feeds between them; those that are not all ASCII are looked at one by one."""
    tokens = set(words.ascii_words(messages))
    if not messages.isascii():
        for line in messages.split(b"\n"):
            if not line.isascii():
                tokens |= words.foreign_tokens(line.decode())
    return tokens


def _folded(text: bytes) -> bytes:
    return text.lower() if text.isascii() else words.fold(text.decode()).encode()


def _metadata_tokens(documents: bytes) -> set[bytes]:
    try:
        decoded = _DECODER.decode(b"[" + documents + b"]")
    except msgspec.DecodeError as error:  # Postgres checked it: cannot be
        raise ContractError("unreadable_metadata", str(error)) from error
    found: list[str] = []
    for document in decoded:
        _find_scalars(found, document)
    return set(_folded(_NUL.join(found).encode()).split(_NUL.encode()))


def _find_scalars(found: list[str], document: dict[str, Any]) -> None:
    """Adds ``.key=value`` of every scalar, see ``words.field_token``."""
    for key, value in document.items():
        name = key.rpartition(".")[2] if "." in key else key
        kind = type(value)
        if kind is str or kind is int:
            found.append(f".{name}={value}")
        elif kind is dict:
            _find_scalars(found, value)
        elif kind is list:
            _find_in_array(found, value)
        elif kind is bool:
            found.append(f".{name}={'true' if value else 'false'}")


def _find_in_array(found: list[str], elements: list[Any]) -> None:
    """The objects within an array: a path may lead through it by number."""
    for element in elements:
        if isinstance(element, dict):
            _find_scalars(found, element)
        elif isinstance(element, list):
            _find_in_array(found, element)


def _unescaped(text: bytes) -> bytes:
    """What COPY's text format stands for."""
    if b"\\" not in text:
        return text
    parts = text.split(b"\\\\")
    for escape, character in _ESCAPES:
        parts = [part.replace(escape, character) for part in parts]
    return b"\\".join(parts)
