"""Compares what clients were told with what the database holds."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from scratch import Scratch
from sluice.errors import Unavailable
from sluice.ledger.audit import audit
from sluice.ledger.model import Totals
from sluice.ledger.postgres import PostgresLedger
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.streams.redis import RedisQueue
from sluice.templates.postgres_audit import Difference, audit_census

LogId = tuple[str, int]  # batch id (hex), position

_WITH_VERSION = """
SELECT (SELECT count(*) FROM log_entries WHERE version IS NOT NULL AND application_id = ANY (%s)),
       (SELECT coalesce(sum(record_count), 0)::bigint FROM release_counts WHERE application_id = ANY (%s))"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STORED = "FROM log_entries WHERE true"
_DEAD = "FROM dead_letters WHERE status <> 'redriven' AND position IS NOT NULL"
_POSITIONS = """
SELECT replace(batch_id::text, '-', ''), array_agg(position) {source} AND application_id = ANY(%s) GROUP BY 1"""


@dataclass(frozen=True)
class Verdict:
    """Counts of log ids."""

    acknowledged: int = 0
    stored: int = 0
    dead: int = 0
    lost: int = 0
    duplicated: int = 0
    in_both: int = 0

    @property
    def is_clean(self) -> bool:
        return (self.lost, self.duplicated, self.in_both) == (0, 0, 0)


@dataclass
class Oracle:
    """What was acknowledged to the clients of some applications."""

    database: Scratch
    redis_url: str
    application_ids: set[int] = field(default_factory=set)
    acknowledged: dict[str, frozenset[int]] = field(default_factory=dict)  # batch id -> positions
    counts_by_release: bool = True  # functions of earlier releases of Sluice do not
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledge(self, batch_id: str, positions: frozenset[int]) -> None:
        """Notes a 202."""
        with self._lock:
            self.acknowledged[batch_id] = positions

    def forget(self, batch_ids: set[str]) -> None:
        """Takes back what a server is known and allowed to have lost."""
        for batch_id in batch_ids:
            del self.acknowledged[batch_id]

    def judge(self) -> Verdict:
        """Compares now; only once the queue is empty does 'lost' mean lost."""
        stored, dead = self._positions(_STORED), self._positions(_DEAD)
        acknowledged = {(batch, position) for batch, positions in self.acknowledged.items() for position in positions}
        return Verdict(
            acknowledged=len(acknowledged),
            stored=stored.total(),
            dead=dead.total(),
            lost=len(acknowledged - stored.keys() - dead.keys()),
            duplicated=sum(count - 1 for counts in (stored, dead) for count in counts.values()),
            in_both=len(stored.keys() & dead.keys()),
        )

    def missing(self) -> set[str]:
        """The acknowledged batches of which nothing is stored or dead-lettered."""
        found = self._positions(_STORED).keys() | self._positions(_DEAD).keys()
        return self.acknowledged.keys() - {batch for batch, _ in found}

    def totals(self) -> Totals:
        """The ledger's numbers, as GET /api/ledger makes them. Raises Unavailable."""
        with connect_redis(self.redis_url, timeout_seconds=2) as client:
            database = Database(self.database.url("sluice_reader", direct=True))
            try:
                ledger = PostgresLedger(database, self.application_ids)
                by_application = audit(RedisQueue(client, shard_count=1), ledger, self.application_ids)
            finally:
                database.close()
        return sum(by_application.values(), Totals())

    def assert_settled(self, verdict: Verdict) -> None:
        """AssertionError unless the ledger is at rest and agrees with the tables, and the census with it."""
        totals = self.totals()
        assert_possible(totals)
        assert (totals.unaccounted, totals.in_flight) == (0, 0), totals
        assert (totals.stored, totals.dead_lettered) == (verdict.stored, verdict.dead), (totals, verdict)
        assert_possible(totals)
        self.assert_counted()

    def assert_counted(self) -> None:
        """AssertionError unless logs are counted as they are stored, at whatever moment: by template as many as the
        ledger says for each minute of receipt, and by version as many as there are rows with one."""
        assert self._uncounted() == []
        if not self.counts_by_release:
            return
        ((stored, counted),) = self.database.rows(_WITH_VERSION, list(self.application_ids), list(self.application_ids))
        assert stored == counted, "stored logs with a version, and those counted by release"

    def _uncounted(self) -> list[Difference]:
        database = Database(self.database.url("sluice_reader", direct=True))
        try:
            return audit_census(database, self.application_ids, _EPOCH)
        finally:
            database.close()

    def _positions(self, source: str) -> Counter[LogId]:
        rows = self.database.rows(_POSITIONS.format(source=source), list(self.application_ids))
        return Counter((batch, position) for batch, positions in rows for position in positions)


def assert_possible(totals: Totals) -> None:
    """AssertionError unless the equation holds and no part of it is negative."""
    parts = (totals.stored, totals.duplicate, totals.dead_lettered, totals.in_flight, totals.unaccounted)
    assert min(parts) >= 0, totals
    assert sum(parts) == totals.accepted, totals


class LedgerWatch(threading.Thread):
    """Reads the ledger over and over while things happen; ``problems`` holds what can never be right."""

    def __init__(self, oracle: Oracle, *, interval_seconds: float = 0.25) -> None:
        super().__init__(daemon=True)
        self._oracle, self._interval_seconds = oracle, interval_seconds
        self._stop_watching = threading.Event()
        self.problems: list[str] = []
        self.reads = 0

    def run(self) -> None:
        while not self._stop_watching.wait(self._interval_seconds):
            try:
                totals = self._oracle.totals()
                assert_possible(totals)
                assert totals.unaccounted == 0, totals
                self.reads += 1
            except Unavailable:
                continue
            except AssertionError as error:
                self.problems.append(str(error))

    def stop(self) -> None:
        self._stop_watching.set()
        self.join()
        assert not self.problems, self.problems[:3]
