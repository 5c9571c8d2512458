"""Old days of logs in a database of their own, the function that archives them, and where every row is."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from apps import load_app
from fakes import MemoryQueue
from fakes.objects import FolderObjects
from samples import record, stream_entry
from scratch import Scratch
from sluice.archive.lines import read_line, text_lines
from sluice.archive.postgres import PostgresArchive
from sluice.archive.postgres_reads import PostgresArchiveReads
from sluice.archive.postgres_rehydration import PostgresRehydrations
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.model import Flag, Level, Record
from sluice.entries.packing import pack_record
from sluice.erasures.postgres import PostgresErasures
from sluice.runtime.crash_points import CrashPoint, arm
from sluice.runtime.postgres import Database
from sluice.streams.model import StreamEntry

app: Any = load_app("archive")
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
DAY = date(2026, 10, 1)  # long over by NOW
HOURS = 10  # of a day's first and last rows
MAX_ROWS = 7  # of an object
TABLE_COLUMNS = (
    "application_id, replace(batch_id::text, '-', ''), position, received_at, event_at, level, flags, severity_number,"
    " severity_text, original_length, trace_id, span_id, session_id, logger, host, service, version, template_id,"
    " template_key, message, metadata::text"
)
type Row = tuple[Any, ...]


def always() -> bool:
    """As if there were time for everything."""
    return True


def impatiently(act: Callable[[int], Any]) -> Any:
    """Repeats without a pause."""
    return app.patiently(act, lambda _: None)


def odd_records(count: int, first: int = 0) -> list[Record]:
    """Records with everything that a row may hold, as far as it tells texts from each other."""
    made = []
    for position in range(first, first + count):
        at = datetime(2026, 10, 1, 9, tzinfo=UTC) + timedelta(minutes=position, microseconds=position)
        trace_id = "4bf9" if first % 2 else f"{0x4BF9 << position:032x}"  # in one form of rows and in the other
        texts: dict[str, object] = (
            {} if position % 2 else {"trace_id": trace_id, "host": 'web "1"\n', "version": "1\\n"}
        )
        metadata = f'{{"user_id":{position % 5},"big":1e16,"text":"tab\\tline\\n\\u001f\\\\","none":null}}'
        made.append(
            record(
                position,
                f'Wort {position} ünï\t"quoted"\n\\N\\ \x7f\u2028',
                event_at=at,
                level=list(Level)[position % 5],
                flags=Flag(position % 128),
                severity_number=position % 24 + 1 if position % 3 else None,
                severity_text="wärn" if position % 4 == 0 else None,
                original_length=70_000 if position % 7 == 0 else None,
                metadata=metadata if position % 3 else "{}",
                **texts,
            )
        )
    return made


@dataclass
class Vault:
    """``clock`` is what the function takes for now."""

    scratch: Scratch
    folder: Path
    clock: datetime = NOW
    expected: Counter[Row] = field(default_factory=Counter)  # every row that was ever stored
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    objects: FolderObjects = field(init=False)
    applications: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.objects = FolderObjects(self.folder)
        self.applications = [self.scratch.create_application() for _ in range(2)]

    def database(self, role: str = "sluice_archiver") -> Database:
        return Database(self.scratch.url(role))

    def entry(
        self, application_id: int, records: Sequence[Record], received_at: datetime, **changes: Any
    ) -> StreamEntry:
        times = [item.event_at for item in records]
        spans = {"event_from": min(times), "event_to": max(times), "received_at": received_at}
        return stream_entry(map(pack_record, records), application_id=application_id, **spans | changes)

    def store(self, entries: Iterable[StreamEntry]) -> None:
        PostgresChunkStore(self.database("sluice_writer")).store(list(entries))
        self.expected = self.hot() + self.archived()

    def fill(self, day: date = DAY, batches: int = 3, rows: int = 6) -> None:
        """Rows of both applications, in some batches of which two have the same time of receipt."""
        start = datetime(day.year, day.month, day.day, 3, tzinfo=UTC)
        self.store(
            self.entry(application_id, odd_records(rows, number), start + timedelta(hours=max(number, 1)))
            for application_id in self.applications
            for number in range(batches)
        )

    def archiver(self) -> Any:
        archive = PostgresArchive(self.database(), max_rows=MAX_ROWS)
        return app.Archiver(archive, self.objects, lambda: self.clock, impatiently)

    def run(self, has_time: Callable[[], bool] = always) -> Any:
        return self.archiver().run(has_time)

    def function(self) -> Any:
        """All of its actions."""
        parts = (self.archiver(), self.overview(), self.rehydrator(), self.searcher(), self.eraser())
        return app.Archive(*parts, self.database())

    def rehydrator(self) -> Any:
        reads, rehydrations = PostgresArchiveReads(self.database()), PostgresRehydrations(self.database())
        return app.Rehydrator(reads, rehydrations, self.objects, lambda: self.clock, impatiently)

    def eraser(self) -> Any:
        erasures, rehydrations = PostgresErasures(self.database()), PostgresRehydrations(self.database())
        clear = self.archiver().clear
        return app.Eraser(erasures, rehydrations, self.objects, self.queue, clear, lambda: self.clock, impatiently)

    def searcher(self) -> Any:
        return app.Searcher(PostgresArchiveReads(self.database()), self.objects, lambda: self.clock)

    def name(self, number: int = 0) -> str:
        """Of an application."""
        ((name,),) = self.scratch.rows(
            "SELECT name FROM applications WHERE application_id = %s", self.applications[number]
        )
        return str(name)

    def overview(self) -> Any:
        return app.Overview(PostgresArchiveReads(self.database()), self.objects)

    def dies(self, point: CrashPoint, work: Callable[[], object]) -> int:
        """Does the work in a process of its own, which dies at the point; returns the signal that ended it."""
        child = os.fork()
        if child == 0:
            arm(point)
            work()
            os._exit(0)
        return os.waitpid(child, 0)[1] & 0x7F

    def hot(self) -> Counter[Row]:
        """Rows of the log table that were never archived."""
        return self._rows("retention_class > 0")

    def archived(self) -> Counter[Row]:
        """Rows that the archive is the place of."""
        found: Counter[Row] = Counter()
        for item in PostgresArchiveReads(self.database()).objects(0, 10_000):
            if item.application_id in self.applications:
                found.update(self._object_rows(item.application_id, item.key))
        return found

    def _object_rows(self, application_id: int, key: str) -> Iterable[Row]:
        data = self.objects.get(key)
        assert data is not None, key
        for text in text_lines(data):
            line = read_line(text)
            yield (
                *(
                    application_id,
                    UUID(line.id.partition("-")[0]).hex,
                    int(line.id.partition("-")[2]),
                    line.received_at,
                ),
                *(line.timestamp, Level[line.level], line.flags, line.severity_number, line.severity_text),
                *(line.original_length, line.trace_id, line.span_id, line.session_id, line.logger, line.host),
                *(line.service, line.version, line.template_id, line.template_key, line.message),
                bytes(line.metadata).decode(),
            )

    def rehydrated(self) -> Counter[Row]:
        """Rows of the log table that came back from the archive."""
        return self._rows("retention_class < 0")

    def _rows(self, condition: str) -> Counter[Row]:
        found = self.scratch.rows(
            f"SELECT {TABLE_COLUMNS} FROM log_entries WHERE application_id = ANY (%s) AND {condition}",
            self.applications,
        )
        return Counter(found)

    def keys(self) -> list[str]:
        """Of the objects of these applications."""
        return [key for key in self.objects.all_keys() if int(key.split("/")[2].partition("=")[2]) in self.applications]

    def known_keys(self) -> list[str]:
        """Of the objects that the manifest knows of."""
        known = "SELECT key FROM archive_objects WHERE status <> 'gone' AND application_id = ANY (%s) ORDER BY key"
        return [key for (key,) in self.scratch.rows(known, self.applications)]
