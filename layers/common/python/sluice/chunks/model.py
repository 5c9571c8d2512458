"""The wire between drain and process_chunk, and what comes back. Written as version 1; version 1 is read."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from sluice.errors import ContractError

TASK_VERSION = 1


@dataclass(frozen=True, slots=True)
class ChunkTask:
    """Stream entries to store in one transaction, by reference: the records stay in the queue until they are stored."""

    shard: int
    entry_ids: tuple[str, ...]

    def to_event(self) -> dict[str, Any]:
        """The Lambda event."""
        return {"version": TASK_VERSION, "shard": self.shard, "entry_ids": list(self.entry_ids)}

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "ChunkTask":
        """Reads a Lambda event. Raises ContractError ``chunk_task`` for anything ``to_event`` did not write."""
        shard, entry_ids = event.get("shard"), event.get("entry_ids")
        if event.get("version") != TASK_VERSION or type(shard) is not int or not isinstance(entry_ids, list):
            raise ContractError("chunk_task", "expected {version: 1, shard: int, entry_ids: [id...]}")
        return cls(shard, tuple(map(str, entry_ids)))


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """Record counts of one chunk, and the number of stream entries acknowledged."""

    stored: int = 0
    duplicate: int = 0  # a client's repetition of a batch that is stored already
    redelivered: int = 0  # stored by an earlier run that did not get to acknowledge
    dead_lettered: int = 0
    acknowledged: int = 0

    def __add__(self, other: "ChunkResult") -> "ChunkResult":
        return ChunkResult(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))

    def to_answer(self) -> dict[str, int]:
        """The function's answer."""
        return asdict(self)

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> "ChunkResult":
        """Reads an answer; unknown members are ignored. Raises ContractError if it is none."""
        try:
            return cls(**{item.name: int(answer[item.name]) for item in fields(cls)})
        except (KeyError, TypeError, ValueError) as error:
            raise ContractError("chunk_result", f"process_chunk answered {answer!r}") from error
