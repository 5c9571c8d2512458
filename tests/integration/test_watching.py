"""Watching on real servers: from stored counts to stored anomalies, what it costs, and two runs at once."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO

import psycopg2
import pytest
from psycopg2.extensions import cursor

from scratch import Scratch
from sluice.anomalies.ports import Conflict
from sluice.anomalies.postgres_census import PostgresCensus
from sluice.anomalies.postgres_evidence import PostgresEvidence
from sluice.anomalies.postgres_watch import PostgresWatchStore
from sluice.anomalies.watch import Watcher
from sluice.entries.model import Level
from sluice.runtime.postgres import Database

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
BUCKET = 10 * MINUTE
INCIDENT = START + 5 * DAY + 10 * HOUR

type Row = tuple[datetime, int, int, int]  # minute, template, level, count


def watcher(scratch: Scratch) -> Watcher:
    database = Database(scratch.url("sluice_watcher"))
    return Watcher(PostgresCensus(database), PostgresWatchStore(database), PostgresEvidence(database))


def application_with(scratch: Scratch, templates: int) -> tuple[int, list[int]]:
    application_id = scratch.create_application()
    scratch.rows("INSERT INTO template_sets (application_id) VALUES (%s)", application_id)
    rows = scratch.rows(
        "INSERT INTO templates (application_id, number, version, text)"
        " SELECT %s, n, 1, 'event ' || n FROM generate_series(1, %s) n RETURNING template_id",
        *(application_id, templates),
    )
    return application_id, [template_id for (template_id,) in rows]


def count_in(scratch: Scratch, application_id: int, rows: Iterator[Row]) -> None:
    lines = StringIO(
        "".join(
            f"{minute.isoformat()}\t{minute.isoformat()}\t0\t{application_id}\t{template_id}\t{count}\t{level}\n"
            for minute, template_id, level, count in rows
        )
    )
    columns = (
        *("event_minute", "received_minute", "template_key"),
        *("application_id", "template_id", "record_count", "level"),
    )
    with psycopg2.connect(scratch.url("sluice_owner", direct=True)) as connection, connection.cursor() as cursor:
        cursor.copy_from(lines, "template_counts", columns=columns)
        cursor.execute("ANALYZE template_counts")
    connection.close()


def traffic(template_ids: list[int], since: datetime, until: datetime, *, storm: int = 0) -> Iterator[Row]:
    """One row for each template and bucket; ``storm`` is a template that comes in great numbers from INCIDENT on."""
    chance = random.Random(1)
    at = since
    while at < until:
        for template_id in template_ids:
            is_storm = template_id == storm and at >= INCIDENT
            yield at, template_id, Level.INFO, 900 if is_storm else 20 + chance.randint(0, 9)
        at += BUCKET


def anomalies(scratch: Scratch, application_id: int) -> list[tuple[object, ...]]:
    sql = "SELECT kind, template_ids[1], onset, closed_at IS NULL, query FROM anomalies WHERE application_id = %s"
    return scratch.rows(sql, application_id)


def test_an_anomaly_is_found_told_once_and_ends(scratch: Scratch) -> None:
    application_id, template_ids = application_with(scratch, 5)
    stormy = template_ids[2]
    count_in(scratch, application_id, traffic(template_ids, START, INCIDENT + HOUR, storm=stormy))
    first = watcher(scratch)
    while first.watch(application_id, INCIDENT + HOUR).is_behind:
        pass
    told = [("spike", stormy, INCIDENT, True, f"template:{stormy}")]
    assert anomalies(scratch, application_id) == told
    count_in(scratch, application_id, traffic(template_ids, INCIDENT + HOUR, INCIDENT + 4 * HOUR))
    watcher(scratch).watch(application_id, INCIDENT + 4 * HOUR)  # another process
    assert anomalies(scratch, application_id) == [("spike", stormy, INCIDENT, False, f"template:{stormy}")]
    with pytest.raises(Conflict):
        first.watch(application_id, INCIDENT + 4 * HOUR + MINUTE)
    assert first.watch(application_id, INCIDENT + 4 * HOUR + MINUTE).opened == 0


def test_states_are_small(scratch: Scratch) -> None:
    application_id, template_ids = application_with(scratch, 50)
    count_in(scratch, application_id, traffic(template_ids, START, START + 3 * DAY))
    watching = watcher(scratch)
    while watching.watch(application_id, START + 3 * DAY).is_behind:
        pass
    ((series, mean_bytes, longest),) = scratch.rows(
        "SELECT count(*), avg(length(state)), max(length(state)) FROM anomaly_states WHERE application_id = %s",
        application_id,
    )
    assert series == 50 + 6 + 1
    assert mean_bytes < 6_000
    assert longest < 20_000


@pytest.mark.parametrize("late_minutes", [30, 300])
def test_late_logs_are_found_in_the_census(scratch: Scratch, late_minutes: int) -> None:
    application_id, template_ids = application_with(scratch, 3)
    count_in(scratch, application_id, traffic(template_ids, START, INCIDENT))
    watching = watcher(scratch)
    until = INCIDENT + HOUR
    while watching.watch(application_id, until).is_behind:
        pass
    (silence,) = anomalies(scratch, application_id)
    assert (silence[0], silence[3]) == ("silence", True)
    late = until + late_minutes * MINUTE
    scratch.rows(
        "INSERT INTO template_counts (application_id, event_minute, template_id, template_key, level, received_minute,"
        " record_count) SELECT %s, at, t, 0, 20, %s, 25 FROM unnest(%s) t,"
        " generate_series(%s, %s, interval '10 minutes') at",
        *(application_id, late, template_ids, INCIDENT, late - MINUTE),
    )
    watching.watch(application_id, late + MINUTE)
    rows = scratch.rows("SELECT is_corrected, closed_at FROM anomalies WHERE application_id = %s", application_id)
    assert [(is_corrected, closed_at is not None) for is_corrected, closed_at in rows] == [(True, True)]


class CountingDatabase(Database):
    """Knows how many transactions there were."""

    count = 0

    @contextmanager
    def transaction(self) -> Iterator[cursor]:
        self.count += 1
        with super().transaction() as open_cursor:
            yield open_cursor


def test_a_minute_costs_as_many_transactions_however_many_series_there_are(scratch: Scratch) -> None:
    costs = []
    for templates in (3, 60):
        application_id, template_ids = application_with(scratch, templates)
        count_in(scratch, application_id, traffic(template_ids, START, START + 2 * DAY))
        database = CountingDatabase(scratch.url("sluice_watcher"))
        watching = Watcher(PostgresCensus(database), PostgresWatchStore(database))
        while watching.watch(application_id, START + 2 * DAY - HOUR).is_behind:
            pass
        before = database.count
        for minute in range(1, 21):
            watching.watch(application_id, START + 2 * DAY - HOUR + minute * MINUTE)
        costs.append((database.count - before) / 20)
    assert costs[0] == costs[1] <= 8


def test_who_forgets_an_application_forgets_its_anomalies(scratch: Scratch) -> None:
    application_id, template_ids = application_with(scratch, 3)
    count_in(scratch, application_id, traffic(template_ids, START, INCIDENT + HOUR, storm=template_ids[0]))
    watching = watcher(scratch)
    while watching.watch(application_id, INCIDENT + HOUR).is_behind:
        pass
    tables = ("anomalies", "anomaly_states", "anomaly_watches")
    counts = " UNION ALL ".join(
        f"SELECT count(*) FROM {table} WHERE application_id = {application_id}" for table in tables
    )
    assert all(number for (number,) in scratch.rows(counts))
    scratch.rows("SELECT forget_templates(%s)", application_id)
    assert not any(number for (number,) in scratch.rows(counts))
