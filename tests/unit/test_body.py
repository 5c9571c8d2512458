"""Bodies on the wire."""

import gzip
import resource
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from backports import zstd

from sluice.entries.body import inflate_body
from sluice.errors import RejectedInput


def inflate(wire: bytes, encoding: str | None = None, *, wire_limit: int = 1_000_000, limit: int = 1_000_000) -> bytes:
    return inflate_body(wire, encoding, max_wire_bytes=wire_limit, max_inflated_bytes=limit)


def raw_deflate(content: bytes) -> bytes:
    return zlib.compress(content, wbits=-15)


def code_of(wire: bytes, encoding: str | None = None, **limits: int) -> tuple[str, int]:
    with pytest.raises(RejectedInput) as caught:
        inflate(wire, encoding, **limits)
    return caught.value.code, caught.value.status


def test_plain_and_gzip_bodies_come_out_as_written() -> None:
    assert inflate(b"plain") == b"plain"
    assert inflate(gzip.compress(b"zipped")) == b"zipped"
    assert inflate(gzip.compress(b"two ") + gzip.compress(b"members")) == b"two members"


TEXT = b'{"message": "zipped"}'
ZSTD_SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"


@pytest.mark.parametrize("encoding", [None, "", "gzip", "GZIP", "x-gzip", "deflate", "zstd", "identity", "utf-8"])
@pytest.mark.parametrize(
    "wire", [gzip.compress(TEXT), zlib.compress(TEXT), zlib.compress(TEXT, 1), zstd.compress(TEXT), TEXT]
)
def test_what_the_bytes_show_counts_more_than_the_header(wire: bytes, encoding: str | None) -> None:
    assert inflate(wire, encoding) == TEXT


def test_raw_deflate_needs_its_header() -> None:
    assert inflate(raw_deflate(TEXT), "deflate") == TEXT
    assert inflate(raw_deflate(TEXT)) == raw_deflate(TEXT)


def test_zstd_frames_follow_each_other() -> None:
    assert inflate(zstd.compress(b"two ") + ZSTD_SKIPPABLE + zstd.compress(b"frames")) == b"two frames"
    assert inflate(ZSTD_SKIPPABLE + zstd.compress(TEXT), "zstd") == TEXT


@pytest.mark.parametrize("wire", [b"x^2 grows", b"x\xda\xb0 text", b"\x78\x9c", b"x\x01"])
def test_text_that_begins_like_zlib_stays_text(wire: bytes) -> None:
    assert inflate(wire) == wire


@pytest.mark.parametrize("encoding", ["br", "snappy", "lz4", "compress", "gzip, gzip", "gzip, br"])
def test_unknown_encodings(encoding: str) -> None:
    assert code_of(gzip.compress(TEXT), encoding) == ("unsupported_encoding", 415)


@pytest.mark.parametrize(
    "wire",
    [
        b"\x28\xb5\x2f\xfd",
        b"\x28\xb5\x2f\xfdnonsense",
        zstd.compress(b"cut" * 100)[:-5],
        zstd.compress(TEXT) + b"rest",
        zstd.compress(b"") * 101,
    ],
)
def test_broken_zstd(wire: bytes) -> None:
    assert code_of(wire) == ("invalid_zstd", 400)


@pytest.mark.parametrize("wire", [b"nonsense", zlib.compress(b"cut" * 100)[:-5], raw_deflate(b"cut" * 100)[:-2]])
def test_broken_deflate(wire: bytes) -> None:
    assert code_of(wire, "deflate") == ("invalid_deflate", 400)


def test_a_zstd_window_beyond_the_limit_is_refused_before_it_is_allocated() -> None:
    bomb = bytearray(zstd.compress(b"x" * 1_000, options={zstd.CompressionParameter.content_size_flag: 0}))
    bomb[5] = 21 << 3  # the header's window descriptor: 2 GiB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert code_of(bytes(bomb)) == ("invalid_zstd", 400)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


@pytest.mark.parametrize("wire", [b"\x1f\x8bnonsense", gzip.compress(b"cut" * 100)[:-5], b"\x1f\x8b"])
def test_broken_gzip(wire: bytes) -> None:
    assert code_of(wire) == ("invalid_gzip", 400)


def test_limits() -> None:
    assert code_of(b"x" * 11, wire_limit=10) == ("body_too_large", 413)
    assert code_of(gzip.compress(b"x" * 11), limit=10) == ("body_too_large", 413)
    assert inflate(gzip.compress(b"x" * 10), limit=10) == b"x" * 10


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate), ("zstd", zstd.compress)],
)
def test_a_bomb_costs_no_more_than_the_limit(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(b"\0" * 100_000_000)
    tracemalloc.start()
    assert code_of(bomb, encoding) == ("body_too_large", 413)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_body_of_countless_empty_members_is_refused() -> None:
    assert code_of(gzip.compress(b"") * 50_000, wire_limit=4_000_000) == ("invalid_gzip", 400)
