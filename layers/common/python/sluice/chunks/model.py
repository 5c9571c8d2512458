"""The wire between drain and process_chunk, and what comes back. Written as version 1; version 1 is read."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from sluice.errors import ContractError
from sluice.streams.model import ClaimedEntry, StreamEntry

TASK_VERSION = 1


@dataclass(frozen=True, slots=True)
class ChunkTask:
    """Stream entries to store in one transaction, by reference: the records stay in the queue until they are stored."""

    shard: int
    entry_ids: tuple[str, ...]
    attempts: int = 1  # the highest number of deliveries among them
    is_condemned: bool = False  # they kill whoever works on them: dead-letter them without storing
    is_forced: bool = False  # an operator's word: dead-letter what fails even if the circuit breaker would open
    drain_id: str = ""  # of the invocation of drain, for the log

    def to_event(self) -> dict[str, Any]:
        """The Lambda event."""
        return {"version": TASK_VERSION, **asdict(self), "entry_ids": list(self.entry_ids)}

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "ChunkTask":
        """Reads a Lambda event. Raises ContractError ``chunk_task`` for anything ``to_event`` did not write."""
        match event:
            case {"version": 1, "shard": int(shard), "entry_ids": list(entry_ids)}:
                attempts = event.get("attempts", 1)
                flags = (event.get("is_condemned") is True, event.get("is_forced") is True)
                attempts = attempts if type(attempts) is int else 1
                return cls(shard, tuple(map(str, entry_ids)), attempts, *flags, str(event.get("drain_id", "")))
            case _:
                raise ContractError("chunk_task", "expected {version: 1, shard: int, entry_ids: [id...]}")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Claimed entries of one shard that go to process_chunk together; not empty."""

    shard: int
    entries: tuple[ClaimedEntry, ...]

    @property
    def attempts(self) -> int:
        """The highest number of deliveries among the entries."""
        return max(entry.deliveries for entry in self.entries)

    @property
    def batch_ids(self) -> list[str]:
        """Of the entries that tell theirs, each once."""
        return list(dict.fromkeys(entry.batch_id for entry in self.entries if entry.batch_id))

    @property
    def application_ids(self) -> list[int]:
        """Of the entries that tell theirs, each once."""
        return list(dict.fromkeys(entry.application_id for entry in self.entries if entry.application_id is not None))

    def to_task(self, *, is_condemned: bool = False, is_forced: bool = False, drain_id: str = "") -> ChunkTask:
        """The task that has it stored."""
        ids = tuple(entry.entry_id for entry in self.entries)
        return ChunkTask(self.shard, ids, self.attempts, is_condemned, is_forced, drain_id)


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


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """Records of one batch that went to the dead letters for one reason."""

    batch_id: str | None  # 32 hex digits; None: an entry that cannot be read
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a chunk's entries: all are settled, but for those held back by the open circuit breaker."""

    result: ChunkResult
    held: tuple[StreamEntry, ...] = ()
    dead: tuple[DeadLettered, ...] = ()
