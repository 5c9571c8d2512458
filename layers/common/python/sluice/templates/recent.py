"""The clusters of the lines that came lately."""

from sluice.templates.clusters import Cluster

_MAX_LINES = 50_000
_MAX_CHARACTERS = 4_000_000


class RecentClusters:
    """Clusters by application and masked line, in bounded memory: of two generations the old one goes when the young
    one is full, with what was not asked for meanwhile."""

    def __init__(self, max_lines: int = _MAX_LINES, max_characters: int = _MAX_CHARACTERS) -> None:
        self._max_lines, self._max_characters = max_lines, max_characters
        self._young: dict[tuple[int, str], Cluster] = {}
        self._old: dict[tuple[int, str], Cluster] = {}
        self._characters = 0

    def get(self, line: tuple[int, str]) -> Cluster | None:
        """None if it is not, or no longer, known."""
        found = self._young.get(line)
        if found is None and (found := self._old.get(line)) is not None:
            self.add(line, found)
        return found

    def add(self, line: tuple[int, str], cluster: Cluster) -> None:
        """Remembers a cluster."""
        if len(self._young) >= self._max_lines or self._characters >= self._max_characters:
            self._old, self._young, self._characters = self._young, {}, 0
        self._young[line] = cluster
        self._characters += len(line[1])

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
