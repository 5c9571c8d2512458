"""From a byte stream of lines to accepted batches, in constant memory."""

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from sluice_cli.api import Receipt, Rejection, RequestRefusedError
from sluice_cli.lines import decode_line, parse_line

type JsonObject = dict[str, Any]

DEFAULT_BATCH_RECORDS = 1000
MAX_BATCH_RECORDS = 10_000  # the API's own limit
MAX_BATCH_BYTES = 2 * 1024 * 1024  # JSON before compression; leaves room under the API's 4 MiB
MAX_LINE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Line:
    """One line of the input. `number` counts from 1; `size_bytes` includes the line break.

    `record` is None for a line that is not sent: blank, or longer than MAX_LINE_BYTES (`too_long`).
    """

    number: int
    size_bytes: int
    record: JsonObject | None
    too_long: bool = False


@dataclass
class Batch:
    """Records to send in one request, with the line each came from and the key that makes a retry no duplicate."""

    records: list[JsonObject] = field(default_factory=list)
    line_numbers: list[int] = field(default_factory=list)
    read_bytes: int = 0
    json_bytes: int = 0
    last_line: int = 0
    too_long: list[int] = field(default_factory=list)
    idempotency_key: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class Refusal:
    """Lines that were not accepted, from `first_line` to `last_line`, and the reason."""

    first_line: int
    last_line: int
    reason: str
    line_count: int = 1

    def __str__(self) -> str:
        if self.first_line == self.last_line:
            return f"line {self.first_line}: {self.reason}"
        return f"lines {self.first_line} to {self.last_line}: {self.reason}"


@dataclass(frozen=True)
class Shipment:
    """What became of one batch. `receipt` is None if the batch was refused as a whole, or was empty."""

    batch: Batch
    receipt: Receipt | None
    refusals: tuple[Refusal, ...]


class Ingester(Protocol):
    """The one method of the API that shipping needs."""

    def ingest(self, records: list[JsonObject], idempotency_key: str) -> Receipt:
        """Hands in a batch. Raises RequestRefusedError if it will never be taken; other CliErrors end the shipping."""


def read_lines(stream: BinaryIO) -> Iterator[Line]:
    """The lines of the stream; never more than MAX_LINE_BYTES of it are held."""
    number = 0
    while True:
        raw = stream.readline(MAX_LINE_BYTES + 1)
        if not raw:
            return
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            yield Line(number, len(raw) + _skip_rest(stream, raw), None, too_long=True)
        elif raw.isspace():
            yield Line(number, len(raw), None)
        else:
            yield Line(number, len(raw), parse_line(decode_line(raw)))


def _skip_rest(stream: BinaryIO, piece: bytes) -> int:
    """Reads on to the end of the line; returns the bytes read."""
    skipped = 0
    while piece and not piece.endswith(b"\n"):
        piece = stream.readline(MAX_LINE_BYTES)
        skipped += len(piece)
    return skipped


def make_batches(lines: Iterable[Line], max_records: int = DEFAULT_BATCH_RECORDS) -> Iterator[Batch]:
    """Batches of at most `max_records` records and about MAX_BATCH_BYTES of JSON; a single record may be larger."""
    batch = Batch()
    for line in lines:
        size = len(json.dumps(line.record, separators=(",", ":"))) + 1 if line.record is not None else 0
        if batch.records and (len(batch.records) >= max_records or batch.json_bytes + size > MAX_BATCH_BYTES):
            yield batch
            batch = Batch()
        _add(batch, line, size)
    if batch.read_bytes:
        yield batch


def _add(batch: Batch, line: Line, json_bytes: int) -> None:
    batch.read_bytes += line.size_bytes
    batch.json_bytes += json_bytes
    batch.last_line = line.number
    if line.record is not None:
        batch.records.append(line.record)
        batch.line_numbers.append(line.number)
    elif line.too_long:
        batch.too_long.append(line.number)


def ship(api: Ingester, batches: Iterable[Batch]) -> Iterator[Shipment]:
    """Sends the batches one after the other and tells what became of each.

    A batch that is refused is reported and the next one goes on. Raises the other CliErrors of Ingester.ingest.
    """
    for batch in batches:
        refusals = [_too_long(number) for number in batch.too_long]
        receipt = None
        if batch.records:
            try:
                receipt = api.ingest(batch.records, batch.idempotency_key)
                refusals += [_refused_record(batch, rejection) for rejection in receipt.rejected]
                if receipt.unlisted_count:
                    refusals.append(_unlisted(batch, receipt.unlisted_count))
            except RequestRefusedError as error:
                refusals += _refused_batch(batch, error)
        yield Shipment(batch, receipt, tuple(sorted(refusals, key=lambda refusal: refusal.first_line)))


def _unlisted(batch: Batch, count: int) -> Refusal:
    detail = "rejected, but the answer does not say which"
    return Refusal(batch.line_numbers[0], batch.line_numbers[-1], f"{count} more logs: {detail}", line_count=count)


def _too_long(number: int) -> Refusal:
    return Refusal(number, number, f"line_too_long: longer than {MAX_LINE_BYTES} bytes, not sent")


def _refused_record(batch: Batch, rejection: Rejection) -> Refusal:
    number = batch.line_numbers[rejection.index]
    place = f" ({rejection.pointer})" if rejection.pointer else ""
    return Refusal(number, number, f"{rejection.code}: {rejection.detail}{place}")


def _refused_batch(batch: Batch, error: RequestRefusedError) -> list[Refusal]:
    """A refusal for each record that the answer names, if it names all; else one for the whole batch."""
    if len(error.rejected) == len(batch.records):
        return [_refused_record(batch, rejection) for rejection in error.rejected]
    return [Refusal(batch.line_numbers[0], batch.line_numbers[-1], error.message, line_count=len(batch.records))]
