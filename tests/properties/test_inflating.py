"""What libdeflate inflates is what zlib inflates, and it leaves to zlib whatever is not one whole member."""

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.entries.body import inflate_body, inflate_members, inflate_usual
from sluice.errors import RejectedInput

LIMIT = 3_000
contents = st.binary(max_size=50) | st.builds(bytes.__mul__, st.binary(min_size=1, max_size=9), st.integers(0, 500))


def member(content: bytes, level: int, strategy: int, header: bytes) -> bytes:
    """A gzip member; ``header`` is added to its header as a file's name, if there is any."""
    stream = zlib.compressobj(level, zlib.DEFLATED, 31, strategy=strategy)
    wire = stream.compress(content) + stream.flush()
    return wire[:3] + b"\x08" + wire[4:10] + header + b"\0" + wire[10:] if header else wire


members = st.builds(
    member,
    contents,
    st.integers(0, 9),
    st.sampled_from([zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED]),
    st.just(b"") | st.just(b"") | st.just(b"name"),
)
ONE = gzip.compress(b"one", mtime=0)


def outcome(inflate: Callable[[bytes, int], bytes], wire: bytes) -> object:
    try:
        return inflate(wire, LIMIT)
    except RejectedInput as error:
        return error.code, error.detail, error.status


def whole(wire: bytes, limit: int) -> bytes:
    return inflate_body(wire, max_wire_bytes=1_000_000, max_inflated_bytes=limit)


@given(st.lists(members, min_size=1, max_size=3), st.binary(max_size=12) | st.sampled_from([b"\x1f\x8b", b"\0" * 8]))
@example([ONE, ONE], b"")
@example([ONE, gzip.compress(b"", mtime=0)], b"")
@example([ONE[:12] + b"damaged"], bytes(8))
@example([ONE], b"\x1f\x8b" + ONE[-8:])
@example([ONE], ONE[-8:])
@example([ONE[:3] + b"\x02" + ONE[4:10] + b"\0\0" + ONE[10:]], b"")  # a wrong checksum of the header
@example([gzip.compress(b"x" * (LIMIT + 1))], b"")
def test_whole_streams(streams: list[bytes], rest: bytes) -> None:
    wire = b"".join(streams) + rest
    assert outcome(whole, wire) == outcome(inflate_members, wire)


@given(members, st.data())
def test_damaged_streams(wire: bytes, data: st.DataObject) -> None:
    damaged = bytearray(wire)
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    found = outcome(lambda wire, limit: inflate_usual(wire, limit) or b"", bytes(damaged))
    assert found in (b"", outcome(inflate_members, bytes(damaged)))


@given(contents.filter(len), st.integers(0, 9))
def test_the_usual_stream_is_left_to_nobody(content: bytes, level: int) -> None:
    """Otherwise the properties above would prove nothing."""
    assert inflate_usual(gzip.compress(content, level), len(content)) == content


@pytest.mark.parametrize("size", [2**32 - 1, LIMIT + 1, LIMIT, 0])
def test_what_a_stream_says_of_its_size_is_no_reason_to_make_room(size: int) -> None:
    wire = gzip.compress(b"x" * 2_000)[:-4] + size.to_bytes(4, "little")
    assert inflate_usual(wire, LIMIT) is None
    assert outcome(whole, wire) == outcome(inflate_members, wire)
