"""What is to be erased, and what is left of that: a receipt."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sluice.errors import RejectedInput
from sluice.search.model import METADATA, Condition, Field, all_of

# In this order: whatever might still bring rows back comes before what deletes rows.
STEPS = ("queue", "dead_letters", "rehydrations", "rows", "objects", "quotations", "store", "done")
_MAX_CONDITIONS = 8
_MAX_CHARACTERS = 4_096


@dataclass(frozen=True, slots=True)
class Subject:
    """Logs of an application whose metadata have these values by key; without any: all of its logs."""

    application: str
    metadata: Mapping[str, str]

    @property
    def condition(self) -> Condition:
        """The same for searching."""
        return all_of(*(Field(METADATA + key, value) for key, value in sorted(self.metadata.items())))

    @property
    def keys(self) -> list[str]:
        """Of the metadata."""
        return sorted(self.metadata)

    def digest(self, erasure_id: UUID) -> bytes:
        """Tells whether a receipt is about this subject, without telling who that is."""
        text = json.dumps([self.application, dict(sorted(self.metadata.items()))], ensure_ascii=False)
        return hashlib.sha256(erasure_id.bytes + text.encode()).digest()


@dataclass(frozen=True, slots=True)
class Erasure:
    """One request and how far it got. ``counts`` are of what was deleted, by place."""

    erasure_id: UUID
    application_id: int
    application: str
    keys: tuple[str, ...]
    digest: bytes
    accepted: Mapping[int, int]  # last sequence numbers by shard, when it was asked for
    step: str
    last_object_id: int
    until_object_id: int
    last_letter_id: int
    requested_at: datetime
    completed_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    checksum: bytes | None = None

    def receipt(self) -> dict[str, Any]:
        """What the operator keeps; JSON."""
        return {
            "erasure_id": str(self.erasure_id),
            "application": self.application,
            "metadata_keys": list(self.keys),
            "digest": self.digest.hex(),
            "requested_at": self.requested_at.isoformat(),
            "completed_at": self.completed_at and self.completed_at.isoformat(),
            "step": self.step,
            "deleted": dict(sorted(self.counts.items())),
            "checksum": self.checksum and self.checksum.hex(),
        }

    def proof(self) -> bytes:
        """SHA-256 of the receipt without its checksum, as JSON with sorted keys and no blanks."""
        content = {name: value for name, value in self.receipt().items() if name != "checksum"}
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).digest()


def read_subject(event: Mapping[str, Any]) -> Subject:
    """``application`` and ``metadata`` of an event; ``"all": true`` in the place of metadata for all logs. Raises
    RejectedInput ``invalid_application``, ``invalid_metadata``, ``empty_selection``."""
    application, metadata = event.get("application"), event.get("metadata", {})
    if not isinstance(application, str):
        raise RejectedInput("invalid_application", "application must be the name of an application")
    if not isinstance(metadata, dict) or len(metadata) > _MAX_CONDITIONS:
        raise RejectedInput("invalid_metadata", f"metadata must be an object of at most {_MAX_CONDITIONS} texts by key")
    for key, value in metadata.items():
        if not (isinstance(key, str) and key and isinstance(value, str) and len(key) + len(value) <= _MAX_CHARACTERS):
            raise RejectedInput("invalid_metadata", "keys of metadata and their values must be texts")
    if not metadata and event.get("all") is not True:
        raise RejectedInput("empty_selection", "name metadata, or say all: true for all logs of the application")
    return Subject(application, metadata)
