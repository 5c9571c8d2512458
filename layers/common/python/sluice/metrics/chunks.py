"""What a chunk says about the pipeline. Pure."""

from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.metrics.model import Sample


def chunk_samples(task: ChunkTask, result: ChunkResult, *, started_at: float, ended_at: float) -> list[Sample]:
    """A chunk's duration, size and freshness; the moments are seconds since the epoch.

    Freshness counts only what this run made visible, from when the queue got it: entries are named by that.
    """
    settled = result.stored + result.duplicate + result.redelivered + result.dead_lettered
    samples = [
        Sample("chunk_duration", max(ended_at - started_at, 0.0)),
        Sample("chunk_records", float(settled)),
    ]
    if result.stored:
        oldest = min(int(entry_id.partition("-")[0]) for entry_id in task.entry_ids) / 1000
        samples.append(Sample("freshness", max(ended_at - oldest, 0.0)))
    return samples
