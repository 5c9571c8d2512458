"""A day of stored logs, as many as wanted, without the product's having to store them one by one."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import psycopg2

from benchmarks.clients import repeating
from benchmarks.installation import Installation
from benchmarks.logs import APPLICATIONS, COLUMNS, LEDGER_COLUMNS, UNCOMMON_WORD, Block, ledger_rows, usual_rows

MANY, QUICK_MANY = 10_000_000, 1_000_000
BLOCK_LOGS = 50_000
FILLERS = 2  # connections that fill at once
LONE_WORD = "syzygy"  # in one log
_BOUNDS = """
INSERT INTO event_time_bounds (retention_class, day, application_id, event_from, event_until)
SELECT 1, (%s AT TIME ZONE 'UTC')::date, id, %s, %s FROM generate_series(1, %s) AS application (id)
ON CONFLICT DO NOTHING"""


def fill(installation: Installation, count: int, *, has_filters: bool = False) -> float:
    """Stores rows and their ledger by COPY of finished text and vacuums them, if wanted while the function index makes
    word filters; returns the seconds it took.

    Each block is as received within a minute of its own: the last of them now, or the first at midnight if the day is
    too young. One log in the middle holds LONE_WORD.
    """
    installation.empty()
    size = min(count, BLOCK_LOGS)
    blocks = count // size
    now = datetime.now(UTC)
    first = max(now.replace(hour=0, minute=0, second=0, microsecond=0), now - timedelta(minutes=blocks))
    filler = _Filler(installation, usual_rows(size), ledger_rows(size), first, lone=blocks // 2)
    started = time.perf_counter()
    indexing = repeating(lambda: installation.ask("index"), 1) if has_filters else nullcontext()
    with indexing, ThreadPoolExecutor(FILLERS) as pool:
        list(pool.map(filler.run, (range(n, blocks, FILLERS) for n in range(FILLERS))))
        installation.cursor.execute("VACUUM ANALYZE log_rows, ledger")
        installation.settle()
    if has_filters:
        installation.ask("index")  # of what came since its last run began
    seconds = time.perf_counter() - started
    until = first + timedelta(minutes=blocks + 1)
    installation.cursor.execute(_BOUNDS, (now, first - timedelta(minutes=1), until, APPLICATIONS))
    installation.settle()
    return seconds


class _Filler:
    """Copies blocks into today's partition."""

    def __init__(self, installation: Installation, block: Block, ledger: Block, first: datetime, lone: int) -> None:
        self._url, self._block, self._ledger, self._first, self._lone = installation.url, block, ledger, first, lone
        self._leaf = installation.value("SELECT ensure_partition(1::smallint, (now() AT TIME ZONE 'UTC')::date)")

    def run(self, numbers: range) -> None:
        """On a connection of its own, a transaction for each block."""
        connection = psycopg2.connect(self._url)
        for number in numbers:
            moment = self._first + timedelta(minutes=number)
            text = self._block.rows(number, moment)
            if number == self._lone:
                text = text.replace(UNCOMMON_WORD.encode(), LONE_WORD.encode(), 1)
            with connection, connection.cursor() as cursor:
                ledger = io.BytesIO(self._ledger.rows(number, moment))
                cursor.copy_expert(f"COPY ledger ({LEDGER_COLUMNS}) FROM STDIN", ledger)
                cursor.copy_expert(f"COPY {self._leaf} ({COLUMNS}) FROM STDIN", io.BytesIO(text))
        connection.close()
