"""What the archive takes and gives back: a day of logs goes to objects, is searched there, and comes back. Leaves rates
and bytes for `make sizing`.

Seconds are of the processor, the function's and the servers': they work in turn, so it is the time on an idle machine,
and other work changes it little. Objects are files: what S3 takes comes on top.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from apps import load_app
from benchmarks import report
from benchmarks.bench import FULL_REDIS
from benchmarks.day import fill
from benchmarks.figures import ARCHIVE_INPUTS, BenchError
from benchmarks.installation import Installation
from benchmarks.logs import APPLICATIONS
from benchmarks.program import console, exit_code, servers
from fakes.objects import FolderObjects
from sluice.archive.postgres import PostgresArchive
from sluice.archive.postgres_reads import PostgresArchiveReads
from sluice.archive.postgres_rehydration import PostgresRehydrations
from sluice.runtime.postgres import Database
from stack import BUILD, Stack

RESULT = BUILD / "archive.json"
HOT_DAYS = 30  # of the class that logs have by default


class Vault:
    """The archive of an installation's database, in a folder, when the day that was filled is long over."""

    def __init__(self, stack: Stack, installation: Installation, folder: Path) -> None:
        app: Any = load_app("archive")
        database = Database(stack.database_url("sluice_archiver", "bench_product"))
        objects, reads = FolderObjects(folder), PostgresArchiveReads(database)
        rehydrations = PostgresRehydrations(database)
        self.archiver = app.Archiver(PostgresArchive(database), objects, self._now, app.patiently)
        self.overview = app.Overview(reads, objects)
        self.searcher = app.Searcher(reads, objects, self._now)
        self.rehydrator = app.Rehydrator(reads, rehydrations, objects, self._now, app.patiently)
        installation.cursor.execute("SELECT name FROM applications WHERE application_id <= %s", (APPLICATIONS,))
        self.names = [name for (name,) in installation.cursor.fetchall()]

    def _now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=HOT_DAYS + 2)

    def search(self) -> None:
        """For a word that no log holds."""
        for name in self.names:
            self.searcher.search({"application": name, "q": "nowhere"}, _always)

    def rehydrate(self) -> None:
        """All of it."""
        for name in self.names:
            span = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
            self.rehydrator.rehydrate({"application": name} | span, _always)


def _always() -> bool:
    return True


def _processor_seconds(stack: Stack) -> float:
    """Of this process and the servers so far."""
    supervisor = psutil.Process(stack.supervisor_pid())
    times = (process.cpu_times() for process in (psutil.Process(), *supervisor.children(recursive=True)))
    return float(sum(time.user + time.system for time in times))


def measure(stack: Stack, exits: ExitStack, rows: int) -> dict[str, float]:
    """Rows a second and bytes a log. Raises BenchError if anything is missing afterwards."""
    installation = Installation(stack, "product", FULL_REDIS, exits)
    fill(installation, rows)
    vault = Vault(stack, installation, Path(exits.enter_context(tempfile.TemporaryDirectory())))

    def rate(act: Callable[[], object]) -> float:
        before = _processor_seconds(stack)
        act()
        return rows / (_processor_seconds(stack) - before)

    done: Any = None

    def archive() -> None:
        nonlocal done
        done = vault.archiver.run(_always)

    archived = rate(archive)
    if done.rows_archived != rows:
        raise BenchError(f"{done.rows_archived:,} of {rows:,} rows were archived")
    text_bytes = installation.value("SELECT sum(text_bytes) FROM archive_objects WHERE status = 'stored'")
    figures = {
        "archive_rows_per_second": archived,
        "archive_bytes_per_log": done.bytes_written / rows,
        "archive_text_bytes_per_log": int(text_bytes) / rows,
        "archive_verify_rows_per_second": rate(lambda: vault.overview.verify({}, _always)),
        "archive_search_rows_per_second": rate(vault.search),
        "rehydrate_rows_per_second": rate(vault.rehydrate),
    }
    if installation.value("SELECT count(*) FROM log_entries WHERE retention_class < 0") != rows:
        raise BenchError("not all rows came back")
    return figures


def run(rows: int) -> None:
    """Measures, prints and writes."""
    with servers("archive-stack", "--without", "emulator") as stack, ExitStack() as exits:
        figures = measure(stack, exits, rows)
    for name in ARCHIVE_INPUTS:
        console.print(f"  {name}: {figures[name]:,.1f}")
    report.write(RESULT, {name: round(figures[name], 1) for name in ARCHIVE_INPUTS})


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-archive", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    return exit_code("bench-archive", lambda: run(arguments.rows))


if __name__ == "__main__":
    sys.exit(main())
