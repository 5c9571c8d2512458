"""Counts that outlive their logs: by minute, then by hour, then by day, with the same sums."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from desk import Desk
from fakes import NOON
from samples import record, stream_entry
from scratch import wait_for_a_lock
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.model import Level
from sluice.entries.packing import pack_record
from sluice.runtime.postgres import Database
from sluice.search.model import Visible
from sluice.search.parse import parse_query
from sluice.search.postgres import PostgresLogReader
from sluice.templates.postgres import PostgresClusterer
from sluice.templates.postgres_audit import audit_census
from sluice.templates.postgres_history import HOURS_KEPT, MINUTES_KEPT, PostgresCountHistory

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATER, LATEST = NOON + MINUTES_KEPT + DAY, NOON + HOURS_KEPT + DAY
COUNTS = """
SELECT event_from, span, level, sum(record_count)::int FROM template_census WHERE application_id = %s
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""


@dataclass
class Archive:
    """One application, all of whose logs were received when they happened."""

    desk: Desk
    application_id: int
    name: str

    def store(self, *messages: str, at: datetime = NOON, received_at: datetime | None = None, **fields: Any) -> None:
        lines = [pack_record(record(n, message, event_at=at, **fields)) for n, message in enumerate(messages)]
        times = {"received_at": received_at or at, "event_from": at, "event_to": at}
        entry = stream_entry(lines, application_id=self.application_id, **times)
        database = Database(self.desk.scratch.url("sluice_writer"))
        PostgresChunkStore(database).store(PostgresClusterer(database).cluster([entry]).entries)

    def history(self, **settings: int) -> PostgresCountHistory:
        return PostgresCountHistory(Database(self.desk.scratch.url("sluice_indexer")), **settings)

    def roll_up(self, now: datetime, max_rows: int = 1_000, **settings: int) -> Iterator[int]:
        """What each step moves, other tests' applications included."""
        history = self.history(**settings)
        while (moved := history.roll_up(now, max_rows)) is not None:
            yield moved

    def rows(self, sql: str) -> list[Any]:
        return self.desk.scratch.rows(sql, self.application_id)

    def differences(self) -> list[Any]:
        return audit_census(Database(self.desk.scratch.url("sluice_reader")), {self.application_id}, EPOCH)

    def template(self, text: str) -> int:
        ((found,),) = self.desk.scratch.rows(
            "SELECT template_id FROM templates WHERE application_id = %s AND text = %s", self.application_id, text
        )
        return int(found)

    def found(self, text: str, **parameters: str) -> list[str]:
        """The times of the logs of a template."""
        query = parse_query({"template": str(self.template(text)), "order": "asc", **parameters}, NOON + DAY)
        reader = PostgresLogReader(
            Database(self.desk.scratch.url("sluice_reader")), Visible({self.application_id: self.name})
        )
        return [log["timestamp"] for log in reader.search(query).logs]


@pytest.fixture
def archive(desk: Desk) -> Archive:
    return Archive(desk, *desk.new_application())


def test_minutes_become_hours_and_hours_days_with_the_same_sums(archive: Archive) -> None:
    times = [NOON, NOON + MINUTE, NOON + 59 * MINUTE, NOON + HOUR]
    for at in times:
        archive.store("order 1 placed", "order 2 placed", at=at)
    archive.store("out of memory", at=NOON, level=Level.ERROR)
    archive.store("order 3 placed", at=NOON - 3 * DAY, received_at=NOON + 5 * DAY)
    before = archive.rows(COUNTS)
    assert (len(before), archive.differences()) == (6, [])
    list(archive.roll_up(NOON + MINUTES_KEPT))
    assert archive.rows(COUNTS) == before, "too young"
    for _ in archive.roll_up(LATER, max_rows=1):
        assert archive.differences() == []
    hours = [
        (NOON - 3 * DAY, MINUTE, Level.INFO, 1),
        (NOON, HOUR, Level.INFO, 6),
        (NOON, HOUR, Level.ERROR, 1),
        (NOON + HOUR, HOUR, Level.INFO, 2),
    ]
    assert archive.rows(COUNTS) == hours
    for _ in archive.roll_up(LATEST, max_rows=1):
        assert archive.differences() == []
    midnight = NOON.replace(hour=0)
    assert archive.rows(COUNTS) == [
        (midnight - 3 * DAY, DAY, Level.INFO, 1),
        (midnight, DAY, Level.INFO, 8),
        (midnight, DAY, Level.ERROR, 1),
    ]
    archive.rows("UPDATE template_history SET record_count = record_count - 1 WHERE level = 40 AND application_id = %s")
    ((difference),) = archive.differences()
    assert (difference.received_from, difference.stored, difference.counted) == (midnight, 9, 8)


def test_nothing_is_due_before_the_next_day(archive: Archive) -> None:
    archive.store("order 1 placed")
    list(archive.roll_up(LATER))
    archive.store("order 2 placed")
    assert archive.history().roll_up(LATER + HOUR, 1_000) is None
    list(archive.roll_up(LATER + DAY))
    assert archive.rows(COUNTS) == [(NOON, HOUR, Level.INFO, 2)]


def test_times_that_no_clock_shows_yet(archive: Archive) -> None:
    future = datetime(9999, 12, 31, 23, 59, 30, tzinfo=UTC)
    archive.store("order 1 placed", at=future, received_at=NOON)
    assert len(archive.found("order <*> placed")) == 1
    list(archive.roll_up(LATER))
    ((moment, span, _, _),) = archive.rows(COUNTS)
    assert (moment, span) == (future.replace(minute=0, second=0), HOUR)
    assert len(archive.found("order <*> placed")) == 1


def test_old_logs_of_a_template_are_found_by_hours_and_days(archive: Archive) -> None:
    """Rows that stay longer than their minutes do."""
    wanted = [NOON + 59 * MINUTE, NOON + 2 * HOUR, NOON + 2 * HOUR + 59 * MINUTE]
    for at in wanted:
        archive.store("out of memory", at=at)
    archive.store("order 1 placed", at=NOON + 90 * MINUTE)
    for now in (NOON, LATER, LATEST):
        list(archive.roll_up(now))
        assert [datetime.fromisoformat(time) for time in archive.found("out of memory")] == wanted
        since = (NOON + 2 * HOUR + 30 * MINUTE).isoformat()
        assert len(archive.found("out of memory", since=since)) == 1
        assert len(archive.found("out of memory", until=since)) == 2


def test_templates_of_long_ago_are_listed_with_their_counts(archive: Archive) -> None:
    archive.store("order 1 placed", "order 2 placed", at=NOON + 10 * MINUTE)
    key = archive.desk.new_key(archive.name, "read")
    span = {"since": str(NOON.replace(hour=0)), "until": str(NOON.replace(hour=0) + DAY), "buckets": "24"}
    for now in (NOON, LATER, LATEST):
        list(archive.roll_up(now))
        answer = archive.desk.get("/api/templates", key, **span)[1]
        (template,) = answer["templates"]
        assert (template["count"], template["levels"], sum(template["trend"])) == (2, {"INFO": 2}, 2)
        assert template["example"] == "order 1 placed"


def test_what_somebody_counts_meanwhile_is_not_lost(archive: Archive) -> None:
    """Such as a log that is redriven after weeks."""
    archive.store("order 1 placed")
    with ThreadPoolExecutor(1) as pool:
        with Database(archive.desk.scratch.url("sluice_owner", direct=True)).transaction() as cursor:
            count = "UPDATE template_counts SET record_count = record_count + 1 WHERE application_id = %s"
            cursor.execute(count, (archive.application_id,))
            running = pool.submit(lambda: list(archive.roll_up(LATER)))
            wait_for_a_lock(archive.desk.scratch, "transactionid")
        running.result(10)
    list(archive.roll_up(LATER + DAY))
    assert archive.rows(COUNTS) == [(NOON, HOUR, Level.INFO, 2)]


RELEASES = """
SELECT coalesce(version, 'other'), event_hour, sum(record_count)::int
FROM release_counts LEFT JOIN releases USING (application_id, release_id)
WHERE release_counts.application_id = %s GROUP BY 1, 2 ORDER BY 1, 2"""


def test_versions_of_long_ago_are_counted_by_day_and_the_oldest_together(archive: Archive) -> None:
    for version in ("1", "2", "3"):
        archive.store("order 1 placed", "out of memory", version=version)
        archive.store("order 2 placed", version=version, at=NOON + HOUR)
    list(archive.roll_up(LATER, max_rows=1))
    assert [count for _, _, count in archive.rows(RELEASES)] == [2, 1] * 3
    list(archive.roll_up(LATEST, max_rows=1, max_releases=2))
    midnight = NOON.replace(hour=0)
    assert archive.rows(RELEASES) == [("2", midnight, 3), ("3", midnight, 3), ("other", midnight, 3)]
    assert archive.rows("SELECT version FROM releases WHERE application_id = %s ORDER BY 1") == [("2",), ("3",)]


def test_an_applications_templates_can_be_forgotten(archive: Archive) -> None:
    other = Archive(archive.desk, *archive.desk.new_application())
    for each in (archive, other):
        each.store("order 1 placed", "out of memory", version="1")
    list(archive.roll_up(LATER))
    for each in (archive, other):
        each.store("order 2 placed")
    with Database(archive.desk.scratch.url("sluice_archiver")).transaction() as cursor:
        cursor.execute("SELECT forget_templates(%s)", (archive.application_id,))
    for table in ("template_counts", "template_history", "release_counts", "releases", "templates", "template_sets"):
        count = f"SELECT count(*) > 0 FROM {table} WHERE application_id = %s"
        assert (archive.rows(count), other.rows(count)) == ([(False,)], [(True,)]), table
    archive.store("order 3 placed")
    assert archive.template("order <*> placed")
