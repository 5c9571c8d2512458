"""Request bodies: what arrives on the wire, inflated within a limit.

Headers lie, and a gateway may have inflated already. So gzip, zstd and zlib are recognised by their first bytes; only
raw deflate, which has no mark, needs its header. Where the header claims gzip or zstd and the bytes do not show it, the
body is taken as it is.
"""

import zlib
from typing import Any

from deflate import DeflateError, crc32, gzip_decompress

from sluice.errors import RejectedInput

_GZIP_MAGIC = b"\x1f\x8b"
_USUAL_GZIP = b"\x1f\x8b\x08\x00"  # a header without optional parts
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE_ZSTD_MAGICS = tuple(bytes((0x50 + low, 0x2A, 0x4D, 0x18)) for low in range(16))
_ZLIB_MAGICS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_KNOWN_ENCODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "zstd": "zstd"}
# Said by clients that mean: not encoded. The character sets belong into Content-Type.
_NO_ENCODINGS = {"", "identity", "none", "utf-8", "utf8"}
_MAX_MEMBERS = 100
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def inflate_body(
    wire: bytes, content_encoding: str | None = None, *, max_wire_bytes: int, max_inflated_bytes: int
) -> bytes:
    """The body as the client wrote it.

    Raises RejectedInput ``body_too_large`` (413) before more than ``max_inflated_bytes`` exist in memory,
    ``unsupported_encoding`` (415) for a ``content_encoding`` nobody here knows, and ``invalid_gzip``, ``invalid_zstd``
    or ``invalid_deflate`` (400) for a broken or truncated stream.
    """
    if len(wire) > max_wire_bytes:
        raise _too_large("body-bytes", f"{len(wire)} bytes on the wire", max_wire_bytes)
    claimed = _claimed_encoding(content_encoding)
    if wire.startswith(_GZIP_MAGIC):
        inflated = inflate_usual(wire, max_inflated_bytes)
        return inflate_members(wire, max_inflated_bytes) if inflated is None else inflated
    if wire.startswith(_ZSTD_MAGIC) or (claimed == "zstd" and wire.startswith(_SKIPPABLE_ZSTD_MAGICS)):
        return _inflate_zstd(wire, max_inflated_bytes)
    if claimed == "deflate":
        return _inflate_deflate(wire, max_inflated_bytes)
    if wire.startswith(_ZLIB_MAGICS):
        # Text may begin like this; only a stream that is whole, checksum and all, is one.
        inflated = _deflated(wire, zlib.MAX_WBITS, max_inflated_bytes)
        return wire if inflated is None else inflated
    return wire


def _claimed_encoding(header: str | None) -> str | None:
    if not header:
        return None
    names = [name.strip().lower() for name in header.split(",")]
    claimed = [name for name in names if name not in _NO_ENCODINGS]
    if not claimed:
        return None
    if len(claimed) > 1 or claimed[0] not in _KNOWN_ENCODINGS:
        detail = "Content-Encoding must be gzip, deflate or zstd, once, or absent"
        raise RejectedInput("unsupported_encoding", detail, status=415)
    return _KNOWN_ENCODINGS[claimed[0]]


def inflate_usual(wire: bytes, limit: int) -> bytes | None:
    """The body where one member is all of ``wire``, in half of zlib's time. None for whatever is damaged, too large,
    longer than its member or has a header with optional parts: ``inflate_members`` says what becomes of it."""
    size = int.from_bytes(wire[-4:], "little")  # as a member says at its end
    if not 0 < size <= limit or not wire.startswith(_USUAL_GZIP):  # with no room at all, nothing is read or checked
        return None
    try:
        body = bytes(gzip_decompress(wire, size))
    except DeflateError:
        return None
    # How much of the wire it has read it does not tell; its end looks like this, and has been checked.
    trailer = crc32(body).to_bytes(4, "little") + len(body).to_bytes(4, "little")
    return body if wire.find(trailer) + len(trailer) == len(wire) else None


def inflate_members(wire: bytes, limit: int) -> bytes:
    """The body of a gzip file. Raises RejectedInput ``body_too_large`` and ``invalid_gzip``."""
    body = bytearray()
    rest = wire
    for _ in range(_MAX_MEMBERS):  # a gzip file may consist of several members
        if not rest.startswith(_GZIP_MAGIC):
            return bytes(body)
        member = zlib.decompressobj(_GZIP_WINDOW)
        try:
            body += member.decompress(rest, limit - len(body) + 1)
        except zlib.error as error:
            raise RejectedInput("invalid_gzip", f"the body starts like gzip but does not inflate: {error}") from error
        if len(body) > limit:
            raise _too_large("inflated-body-bytes", "the inflated body", limit)
        if not member.eof:
            raise RejectedInput("invalid_gzip", "the gzip stream ends before its end marker")
        rest = member.unused_data
    if rest.startswith(_GZIP_MAGIC):
        raise RejectedInput("invalid_gzip", f"more than {_MAX_MEMBERS} gzip members in one body")
    return bytes(body)


def _inflate_zstd(wire: bytes, limit: int) -> bytes:
    from backports import zstd  # rare, and 20 ms of a cold start

    # A frame names its window, memory that the decoder takes at once: no frame within the limit needs a larger one.
    options: dict[Any, int] = {zstd.DecompressionParameter.window_log_max: max(23, (limit - 1).bit_length())}
    body = bytearray()
    rest = wire
    for _ in range(_MAX_MEMBERS):
        if not rest:
            return bytes(body)
        frame = zstd.ZstdDecompressor(options=options)
        try:
            body += frame.decompress(rest, limit - len(body) + 1)
        except zstd.ZstdError as error:
            raise RejectedInput("invalid_zstd", f"the body starts like zstd but does not inflate: {error}") from error
        if len(body) > limit:
            raise _too_large("inflated-body-bytes", "the inflated body", limit)
        if not frame.eof:
            raise RejectedInput("invalid_zstd", "the zstd frame is cut off")
        rest = frame.unused_data
    raise RejectedInput("invalid_zstd", f"more than {_MAX_MEMBERS} zstd frames in one body")


def _inflate_deflate(wire: bytes, limit: int) -> bytes:
    """HTTP's deflate is zlib's format; some clients send it raw, and some gateways pass it on inflated."""
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        inflated = _deflated(wire, window, limit)
        if inflated is not None:
            return inflated
    if wire.lstrip()[:1] in (b"{", b"["):
        return wire
    raise RejectedInput("invalid_deflate", "Content-Encoding is deflate but the body does not inflate")


def _deflated(wire: bytes, window: int, limit: int) -> bytes | None:
    """What ``wire`` inflates to; None if it is no whole stream of that kind and nothing else."""
    stream = zlib.decompressobj(window)
    try:
        inflated = stream.decompress(wire, limit + 1)
    except zlib.error:
        return None
    if len(inflated) > limit:
        raise _too_large("inflated-body-bytes", "the inflated body", limit)
    return inflated if stream.eof and not stream.unused_data else None


def _too_large(policy: str, what: str, limit: int) -> RejectedInput:
    detail = f"{what} is over the limit of {limit} bytes: send smaller batches"
    return RejectedInput("body_too_large", detail, status=413).violating(policy)
