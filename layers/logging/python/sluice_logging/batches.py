"""Batches: what one request carries, the same bytes and the same key on every try."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

_GZIP_LEVEL = 3


@dataclass(frozen=True)
class Batch:
    """`count` records as gzip of a JSON array, and the key by which Sluice recognises a retry."""

    body: bytes
    count: int
    key: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(cls, records: Sequence[bytes]) -> Batch:
        """A batch of encoded records."""
        return cls(gzip.compress(b"[" + b",".join(records) + b"]", _GZIP_LEVEL), len(records))

    def halves(self) -> tuple[Batch, Batch]:
        """The same records in two batches, with keys of their own: they are other requests than this one."""
        records = [
            json.dumps(record, separators=(",", ":")).encode() for record in json.loads(gzip.decompress(self.body))
        ]
        middle = len(records) // 2
        return Batch.of(records[:middle]), Batch.of(records[middle:])
