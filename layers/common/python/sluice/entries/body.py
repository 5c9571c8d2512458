"""Request bodies: what arrives on the wire, inflated within a limit."""

import zlib

from sluice.errors import RejectedInput

_GZIP_MAGIC = b"\x1f\x8b"
_MAX_MEMBERS = 100
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def inflate_body(wire: bytes, *, max_wire_bytes: int, max_inflated_bytes: int) -> bytes:
    """The body as the client wrote it. Gzip is recognised by its first bytes: headers lie, and a gateway may have
    inflated already.

    Raises RejectedInput ``body_too_large`` (413) before more than ``max_inflated_bytes`` exist in memory, and
    ``invalid_gzip`` (400) for a broken or truncated stream.
    """
    if len(wire) > max_wire_bytes:
        raise _too_large(f"{len(wire)} bytes on the wire", max_wire_bytes)
    if not wire.startswith(_GZIP_MAGIC):
        return wire
    body = bytearray()
    rest = wire
    for _ in range(_MAX_MEMBERS):  # a gzip file may consist of several members
        if not rest.startswith(_GZIP_MAGIC):
            return bytes(body)
        member = zlib.decompressobj(_GZIP_WINDOW)
        try:
            body += member.decompress(rest, max_inflated_bytes - len(body) + 1)
        except zlib.error as error:
            raise RejectedInput("invalid_gzip", f"the body starts like gzip but does not inflate: {error}") from error
        if len(body) > max_inflated_bytes:
            raise _too_large("the inflated body", max_inflated_bytes)
        if not member.eof:
            raise RejectedInput("invalid_gzip", "the gzip stream ends before its end marker")
        rest = member.unused_data
    if rest.startswith(_GZIP_MAGIC):
        raise RejectedInput("invalid_gzip", f"more than {_MAX_MEMBERS} gzip members in one body")
    return bytes(body)


def _too_large(what: str, limit: int) -> RejectedInput:
    return RejectedInput(
        "body_too_large", f"{what} is over the limit of {limit} bytes: send smaller batches", status=413
    )
