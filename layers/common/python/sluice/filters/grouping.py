"""From stored rows to word filters: groups of rows whose tokens fill a filter, never across days or applications."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

import msgspec

from sluice.errors import ContractError
from sluice.filters.model import Batch, Row, Slice, WordFilter
from sluice.search import words

MAX_ROWS = 256
# Batches from here on have filters of their own, which positions tell apart; smaller ones share.
LARGE_BATCH = 64
_STEP = 16  # rows between looks at how full the filter is
_ENOUGH_TOKENS = words.MAX_TOKENS * 19 // 20
_FIELD_COLUMNS = tuple((Row._fields.index(name), name) for name in ("level", *words.FIELDS))
_EVENT_AT, _MESSAGE, _METADATA = map(Row._fields.index, ("event_at", "message", "metadata"))
_ESCAPES = ((b"\\n", b"\n"), (b"\\t", b"\t"), (b"\\r", b"\r"), (b"\\b", b"\b"), (b"\\f", b"\f"), (b"\\v", b"\v"))
_DECODER = msgspec.json.Decoder(list[dict[str, Any]], float_hook=str)  # a number's text is what SQL compares


class FilterBuilder:
    """Takes rows batch by batch, in the order of ``Batch.order``, and puts each into one filter. Neighbours share one
    if they are small. Keeps tokens, not rows: a page of long logs must fit into memory."""

    def __init__(self) -> None:
        self._filters: list[WordFilter] = []
        self._group = _Group()

    def add(self, item: Slice) -> None:
        is_large = len(item.rows) >= LARGE_BATCH
        if is_large or not self._group.fits(item.batch):
            self._close()
        for rows in batched(item.rows, _STEP, strict=False):
            self._group.add(item.batch, rows)
            if self._group.is_full:
                self._close()
        if is_large:
            self._close()

    def finish(self) -> list[WordFilter]:
        """The filters of everything that was added."""
        self._close()
        return self._filters

    def _close(self) -> None:
        if self._group.positions:
            self._filters.append(self._group.to_filter())
            self._group = _Group()


def row_tokens(rows: Iterable[Row]) -> set[bytes]:
    """The tokens of rows, see ``sluice.search.words``."""
    columns = list(zip(*rows, strict=True))
    tokens = _message_tokens(_unescaped(b"\n".join(columns[_MESSAGE])))
    for index, name in _FIELD_COLUMNS:
        prefix = name.encode() + b"="
        tokens.update(prefix + _folded(value) for value in set(columns[index]) if value)
    documents = b",".join(text for text in columns[_METADATA] if text != b"{}")
    if documents:
        _add_metadata(tokens, _unescaped(documents))
    return tokens


@dataclass(slots=True)
class _Group:
    """Rows on their way to one filter."""

    batches: list[Batch] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    times: list[bytes] = field(default_factory=list)
    tokens: set[bytes] = field(default_factory=set)

    def add(self, batch: Batch, rows: tuple[Row, ...]) -> None:
        self.batches.append(batch)
        self.positions += [int(row.position) for row in rows]
        self.times += [row.event_at for row in rows]
        self.tokens |= row_tokens(rows)

    def fits(self, batch: Batch) -> bool:
        first = self.batches[0] if self.batches else batch
        return first.application_id == batch.application_id and first.day == batch.day

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
        )


def _message_tokens(messages: bytes) -> set[bytes]:
    """Of messages with line feeds between them; those that are not all ASCII are looked at one by one."""
    tokens = set(words.ascii_words(messages))
    if not messages.isascii():
        for line in messages.split(b"\n"):
            if not line.isascii():
                tokens |= words.foreign_tokens(line.decode())
    return tokens


def _folded(value: bytes) -> bytes:
    value = _unescaped(value)
    return value.lower() if value.isascii() else words.fold(value.decode()).encode()


def _add_metadata(tokens: set[bytes], documents: bytes) -> None:
    try:
        decoded = _DECODER.decode(b"[" + documents + b"]")
    except msgspec.DecodeError as error:  # jsonb wrote it: cannot be
        raise ContractError("unreadable_metadata", str(error)) from error
    for document in decoded:
        _add_scalars(tokens, document)


def _add_scalars(tokens: set[bytes], document: dict[str, Any]) -> None:
    for key, value in document.items():
        name = key.rpartition(".")[2] if "." in key else key
        match value:
            case str():
                tokens.add(f".{name}={words.fold(value)}".encode())
            case bool():
                tokens.add(f".{name}={'true' if value else 'false'}".encode())
            case int():
                tokens.add(f".{name}={value}".encode())
            case dict():
                _add_scalars(tokens, value)
            case list():
                _add_objects(tokens, value)


def _add_objects(tokens: set[bytes], elements: list[Any]) -> None:
    """The objects within an array: a path may lead through it by number."""
    for element in elements:
        if isinstance(element, dict):
            _add_scalars(tokens, element)
        elif isinstance(element, list):
            _add_objects(tokens, element)


def _unescaped(text: bytes) -> bytes:
    """What COPY's text format stands for."""
    if b"\\" not in text:
        return text
    parts = text.split(b"\\\\")
    for escape, character in _ESCAPES:
        parts = [part.replace(escape, character) for part in parts]
    return b"\\".join(parts)
