"""Where chunks are run and stored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sluice.chunks.model import ChunkResult, ChunkTask, DeadLettered, Settlement
from sluice.errors import Unavailable
from sluice.streams.model import StreamEntry, UnreadableEntry
from sluice.templates.clusters import Cluster


@dataclass
class ScriptedRunner:
    """ChunkRunner that runs a function; what it raises is what process_chunk's invocation would."""

    action: Callable[[ChunkTask], ChunkResult]
    tasks: list[ChunkTask] = field(default_factory=list)

    def run(self, task: ChunkTask) -> ChunkResult:
        self.tasks.append(task)
        return self.action(task)


@dataclass
class MemoryChunkStore:
    """ChunkStore; ``rows`` holds (batch id, position) of every stored record, ``clusters`` those of clustered ones."""

    rows: list[tuple[UUID, int]] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)
    is_down: bool = False
    _ledger: dict[tuple[UUID, int], tuple[str, bytes]] = field(default_factory=dict)
    _dead: list[StreamEntry | UnreadableEntry] = field(default_factory=list)
    _duplicates: set[str] = field(default_factory=set)

    def store(
        self,
        entries: Sequence[StreamEntry | UnreadableEntry],
        *,
        attempts: int = 1,
        is_condemned: bool = False,
        is_forced: bool = False,
    ) -> Settlement:
        if self.is_down:
            raise Unavailable("database_unavailable", "down")
        result, dead = ChunkResult(), []
        for entry in entries:
            settled = self._store_entry(entry, is_condemned)
            result += settled
            if settled.dead_lettered:
                dead.append(_dead_lettered(entry, settled.dead_lettered, is_condemned))
        return Settlement(result, dead=tuple(dead))

    def _store_entry(self, entry: StreamEntry | UnreadableEntry, is_condemned: bool) -> ChunkResult:
        if isinstance(entry, UnreadableEntry):
            self._dead.append(entry)
            return ChunkResult(dead_lettered=1)
        known = self._ledger.get((entry.batch_id, entry.part))
        if known is None:
            self._ledger[entry.batch_id, entry.part] = (entry.entry_id, entry.body_hash)
            if is_condemned:
                self._dead.append(entry)
                return ChunkResult(dead_lettered=entry.record_count)
            positions = [int(line.split(b"\t")[0]) for line in entry.lines.splitlines()]
            self.rows += [(entry.batch_id, position) for position in positions]
            self.clusters += entry.clusters
            return ChunkResult(stored=entry.record_count)
        if known[0] == entry.entry_id or entry.entry_id in self._duplicates:
            return ChunkResult(redelivered=entry.record_count)
        self._duplicates.add(entry.entry_id)
        if known[1] == entry.body_hash:
            return ChunkResult(duplicate=entry.record_count)
        self._dead.append(entry)
        return ChunkResult(dead_lettered=entry.record_count)


def _dead_lettered(entry: StreamEntry | UnreadableEntry, count: int, is_condemned: bool) -> DeadLettered:
    if isinstance(entry, UnreadableEntry):
        return DeadLettered(None, "unreadable_entry", count)
    return DeadLettered(entry.batch_id.hex, "crashed" if is_condemned else "batch_id_reused", count)
