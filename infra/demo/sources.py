"""What the demo ships: the stack's own log files and the generated logs, in batches."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from demo.generate import JsonObject
from sluice_cli.shipping import Batch, Line, make_batches, read_lines

# A stack that has been up for days has long logs; their last part shows as much and keeps the demo short.
MAX_FILE_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class Source:
    """A named run of batches, with the count of log records in it."""

    name: str
    batches: list[Batch]

    @property
    def record_count(self) -> int:
        """Records in all batches."""
        return sum(len(batch.records) for batch in self.batches)


def read_server_logs(folder: Path) -> list[Source]:
    """The last part of every *.log file in the folder, as it is now: the servers go on writing meanwhile."""
    return [
        Source(file.name, list(make_batches(read_lines(_last_part(file))))) for file in sorted(folder.glob("*.log"))
    ]


def _last_part(file: Path) -> BytesIO:
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - MAX_FILE_BYTES))
        content = stream.read(MAX_FILE_BYTES)
    if size > MAX_FILE_BYTES:  # cut in the middle of a line
        content = content.partition(b"\n")[2]
    return BytesIO(content)


def batch_records(name: str, records: Iterator[JsonObject]) -> Source:
    """Records in batches of the usual size."""
    lines = (Line(number, len(json.dumps(record)), record) for number, record in enumerate(records, start=1))
    return Source(name, list(make_batches(lines)))
