"""A packed batch as the parts that become stream entries."""

from backports import zstd

from sluice.entries.packing import PackedBatch
from sluice.streams.model import Part

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
        Part(part.record_count, part.event_from, part.event_to, len(part.lines), compress(part.lines))
        for part in batch.parts
    )


def compress(lines: bytes) -> bytes:
    """As in entries of this version."""
    return _COMPRESSOR.compress(lines, _COMPRESSOR.FLUSH_FRAME)
