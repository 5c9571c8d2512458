import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, override

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_cli.api import Receipt, Rejection, RequestRefusedError
from sluice_cli.shipping import MAX_BATCH_BYTES, MAX_LINE_BYTES, Batch, make_batches, read_lines, ship


class FakeIngester:
    """Takes every batch except those whose first message begins with "refuse"."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def ingest(self, records: list[dict[str, Any]], idempotency_key: str) -> Receipt:
        self.keys.append(idempotency_key)
        bad = tuple(
            Rejection(index, "#/level", "invalid_level", "no")
            for index, record in enumerate(records)
            if "bad" in record["message"]
        )
        if records[0]["message"].startswith("refuse") or len(bad) == len(records):
            raise RequestRefusedError("413 body_too_large", "body_too_large", bad)
        return Receipt("b" * 32, len(records) - len(bad), bad)


def batches_of(content: bytes, size: int = 1000) -> list[Batch]:
    return list(make_batches(read_lines(io.BytesIO(content)), size))


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")).filter(lambda t: t.strip())),
    st.integers(1, 7),
)
def test_every_line_is_in_exactly_one_batch_in_order(lines: list[str], size: int) -> None:
    batches = batches_of("".join(f"{line}\n" for line in lines).encode(), size)
    numbers = [number for batch in batches for number in batch.line_numbers]
    assert numbers == list(range(1, len(lines) + 1))
    assert all(len(batch.records) <= size for batch in batches)


def test_blank_lines_are_passed_over_and_the_last_line_needs_no_line_break() -> None:
    (batch,) = batches_of(b"one\n\n  \r\n  two  \r\nthree")
    assert [record["message"] for record in batch.records] == ["one", "  two  ", "three"]
    assert batch.line_numbers == [1, 4, 5]
    assert batch.read_bytes == 23


def test_an_empty_input_makes_no_batch() -> None:
    assert batches_of(b"") == []


def test_batches_stay_below_the_size_limit() -> None:
    line = b"x" * 500_000 + b"\n"
    batches = batches_of(line * 20)
    assert len(batches) > 1
    assert all(len(json.dumps(batch.records)) <= MAX_BATCH_BYTES * 1.01 for batch in batches)


class EndlessLine(io.RawIOBase):
    """A line of many times the limit, made as it is read; it fails the test if too much is asked for at once."""

    def __init__(self, size: int) -> None:
        self.left = size

    @override
    def readline(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 < size <= MAX_LINE_BYTES + 1
        taken = min(size, self.left)
        self.left -= taken
        return b"x" * taken if self.left else (b"x" * (taken - 1) + b"\n" if taken else b"")


def test_a_line_over_the_limit_is_refused_without_being_held() -> None:
    stream: BinaryIO = EndlessLine(50 * MAX_LINE_BYTES)  # type: ignore[assignment]  # readline is all that is used
    (shipment,) = ship(FakeIngester(), make_batches(read_lines(stream)))
    assert shipment.receipt is None
    assert str(shipment.refusals[0]).startswith("line 1: line_too_long")
    assert shipment.batch.read_bytes == 50 * MAX_LINE_BYTES


def test_the_input_is_read_no_further_than_the_batch_that_is_sent() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"line\n"

    class Stream(io.RawIOBase):
        source = endless()

        @override
        def readline(self, size: int | None = -1, /) -> bytes:
            return next(self.source)

    stream: BinaryIO = Stream()  # type: ignore[assignment]  # readline is all that is used
    shipment = next(ship(FakeIngester(), make_batches(read_lines(stream), 10)))
    assert len(shipment.batch.records) == 10


def test_rejected_records_are_named_by_their_line() -> None:
    (shipment,) = ship(FakeIngester(), batches_of(b"fine\n\nbad one\nfine\n"))
    assert [str(refusal) for refusal in shipment.refusals] == ["line 3: invalid_level: no (#/level)"]


def test_a_batch_refused_with_all_its_records_named_reports_each() -> None:
    (shipment,) = ship(FakeIngester(), batches_of(b"bad 1\nbad 2\n"))
    assert [refusal.first_line for refusal in shipment.refusals] == [1, 2]
    assert shipment.receipt is None


def test_a_batch_refused_as_a_whole_is_one_report_and_the_next_batch_goes_on() -> None:
    first, second = ship(FakeIngester(), batches_of(b"refuse\nfine\nfine\nfine\n", 2))
    assert str(first.refusals[0]) == "lines 1 to 2: 413 body_too_large"
    assert first.refusals[0].line_count == 2
    assert second.receipt is not None


def test_every_batch_has_a_key_of_its_own() -> None:
    ingester = FakeIngester()
    list(ship(ingester, batches_of(b"line\n" * 10, 2)))
    assert len(set(ingester.keys)) == 5


def test_the_ids_of_a_receipt_leave_out_rejected_positions() -> None:
    receipt = Receipt("ab", 2, (Rejection(1, "", "code", ""),))
    assert receipt.log_ids() == {"ab-0", "ab-2"}


def test_a_receipt_that_lists_some_rejections_gives_no_id_it_is_not_sure_of() -> None:
    receipt = Receipt("ab", 2, (Rejection(1, "", "code", ""),), rejected_count=3)
    assert receipt.log_ids() == {"ab-0"}


def test_rejections_that_are_not_listed_are_counted() -> None:
    class Terse(FakeIngester):
        def ingest(self, records: list[dict[str, Any]], idempotency_key: str) -> Receipt:
            return Receipt("b" * 32, 2, (Rejection(1, "", "code", ""),), rejected_count=3)

    (shipment,) = ship(Terse(), batches_of(b"line\n" * 5, 5))
    assert sum(refusal.line_count for refusal in shipment.refusals) == 3


@pytest.mark.parametrize("content", [b"x" * MAX_LINE_BYTES, b"x" * (MAX_LINE_BYTES - 1) + b"\n"])
def test_a_line_of_exactly_the_limit_is_sent(content: bytes) -> None:
    (batch,) = batches_of(content)
    assert len(batch.records) == 1
