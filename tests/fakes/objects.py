"""Objects in a folder: they outlive the process that wrote them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FolderObjects:
    """See ObjectStore."""

    folder: Path

    def put(self, key: str, data: bytes) -> None:
        """See ObjectStore.put."""
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}")
        draft.write_bytes(data)
        draft.rename(path)

    def get(self, key: str) -> bytes | None:
        """See ObjectStore.get."""
        path = self.folder / key
        return path.read_bytes() if path.exists() else None

    def delete(self, key: str) -> None:
        """See ObjectStore.delete."""
        (self.folder / key).unlink(missing_ok=True)

    def all_keys(self) -> list[str]:
        """All keys."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*.gz"))
