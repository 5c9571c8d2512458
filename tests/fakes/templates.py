"""Templates in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sluice.errors import SluiceError
from sluice.streams.model import StreamEntry, UnreadableEntry
from sluice.templates.clusters import Cluster, known_cluster, masked_lines, unmined_cluster
from sluice.templates.keys import template_key
from sluice.templates.miner import Miner
from sluice.templates.ports import Clustering


@dataclass
class MemoryClusterer:
    """Clusterer. ``failure`` is what looking for templates ends with."""

    failure: SluiceError | None = None
    _miners: dict[int, Miner] = field(default_factory=dict)
    _ids: dict[tuple[int, int], int] = field(default_factory=dict)  # by application and the miner's number
    _known: dict[tuple[int, str], int] = field(default_factory=dict)

    def cluster(self, entries: Sequence[StreamEntry | UnreadableEntry]) -> Clustering:
        readable = [entry for entry in entries if isinstance(entry, StreamEntry)]
        lines = [(entry.application_id, line) for entry in readable for line in masked_lines(entry.records)]
        new = dict.fromkeys(line for line in lines if line not in self._known)
        learnt_count = 0 if self.failure else sum(self._learn(*line) for line in new)
        clustered = tuple(
            replace(entry, clusters=[self._cluster(entry.application_id, line) for line in masked_lines(entry.records)])
            if isinstance(entry, StreamEntry)
            else entry
            for entry in entries
        )
        return Clustering(clustered, len(lines), learnt_count, self.failure, len(new) if self.failure else 0)

    def _learn(self, application_id: int, line: str) -> bool:
        assignment = self._miners.setdefault(application_id, Miner()).assign(line)
        template = application_id, assignment.template_id
        self._known[application_id, line] = self._ids.setdefault(template, len(self._ids) + 1)
        return bool(assignment.changed)

    def _cluster(self, application_id: int, line: str) -> Cluster:
        template_id = self._known.get((application_id, line))
        if template_id is None:
            return unmined_cluster(application_id, line)
        return known_cluster(template_key(application_id, line), template_id)
