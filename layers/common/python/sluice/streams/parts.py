"""A packed batch as the parts that become stream entries."""

from backports import zstd

from sluice.entries.columns import MARK
from sluice.entries.packing import PackedBatch
from sluice.streams.model import LINES_VERSION, TABLE_VERSION, Part

_MAGIC = b"\x28\xb5\x2f\xfd"
_SMALL_SIZE = 256  # for which a byte is enough

# The processor is the bottleneck: level 1, with a table of positions that fits into its nearest cache. Kept: making
# one takes longer than compressing a single log.
_COMPRESSOR = zstd.ZstdCompressor(
    options={
        zstd.CompressionParameter.compression_level: 1,
        zstd.CompressionParameter.hash_log: 13,
        zstd.CompressionParameter.min_match: 6,
    }
)


def compressed_parts(batch: PackedBatch) -> tuple[Part, ...]:
    """The batch's parts, compressed."""
    return tuple(
        Part(*part[:3], part.line_bytes, compress(part.content), _version(part.content)) for part in batch.parts
    )


def _version(content: bytes) -> int:
    return TABLE_VERSION if content.startswith(MARK) else LINES_VERSION


def stored(content: bytes) -> bytes:
    """The same without compression: a frame of one raw block (RFC 8878, 3.1.1). For at most 65,791 bytes; of few, some
    less are not worth the time."""
    size = len(content)
    header = b"\x20" + size.to_bytes() if size < _SMALL_SIZE else b"\x60" + (size - _SMALL_SIZE).to_bytes(2, "little")
    return b"".join((_MAGIC, header, (size << 3 | 1).to_bytes(3, "little"), content))


def compress(content: bytes) -> bytes:
    """As in entries of this version."""
    return _COMPRESSOR.compress(content, _COMPRESSOR.FLUSH_FRAME)
