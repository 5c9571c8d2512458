"""Bodies on the wire."""

import gzip
import tracemalloc

import pytest

from sluice.entries.body import inflate_body
from sluice.errors import RejectedInput


def inflate(wire: bytes, *, wire_limit: int = 1_000_000, limit: int = 1_000_000) -> bytes:
    return inflate_body(wire, max_wire_bytes=wire_limit, max_inflated_bytes=limit)


def code_of(wire: bytes, **limits: int) -> tuple[str, int]:
    with pytest.raises(RejectedInput) as caught:
        inflate(wire, **limits)
    return caught.value.code, caught.value.status


def test_plain_and_gzip_bodies_come_out_as_written() -> None:
    assert inflate(b"plain") == b"plain"
    assert inflate(gzip.compress(b"zipped")) == b"zipped"
    assert inflate(gzip.compress(b"two ") + gzip.compress(b"members")) == b"two members"


@pytest.mark.parametrize("wire", [b"\x1f\x8bnonsense", gzip.compress(b"cut" * 100)[:-5], b"\x1f\x8b"])
def test_broken_gzip(wire: bytes) -> None:
    assert code_of(wire) == ("invalid_gzip", 400)


def test_limits() -> None:
    assert code_of(b"x" * 11, wire_limit=10) == ("body_too_large", 413)
    assert code_of(gzip.compress(b"x" * 11), limit=10) == ("body_too_large", 413)
    assert inflate(gzip.compress(b"x" * 10), limit=10) == b"x" * 10


def test_a_gzip_bomb_costs_no_more_than_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 100_000_000)
    tracemalloc.start()
    assert code_of(bomb) == ("body_too_large", 413)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_body_of_countless_empty_members_is_refused() -> None:
    assert code_of(gzip.compress(b"") * 50_000, wire_limit=4_000_000) == ("invalid_gzip", 400)
