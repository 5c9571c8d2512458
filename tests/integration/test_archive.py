"""Days leave the log table for the archive: each row is in one of them, whatever comes in between."""

import gzip
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scratch import Scratch
from sluice.archive.model import OpenDay
from sluice.archive.postgres import PostgresArchive, alone
from sluice.chunks.postgres import PostgresChunkStore
from sluice.errors import ContractError, Unavailable
from vault import DAY, NOW, Vault, always, app, odd_records


@pytest.fixture(scope="module")
def archive_database(migrated_database: Callable[..., Scratch]) -> Scratch:
    """Of this module: archiving concerns every partition."""
    return migrated_database(is_partitioned=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the objects."""
    return tmp_path_factory.mktemp("objects")


@pytest.fixture
def vault(archive_database: Scratch, folder: Path) -> Vault:
    return Vault(archive_database, folder)


def after(vault: Vault) -> None:
    """Nothing is lost or doubled, and there is no object that nobody knows."""
    assert vault.hot() + vault.archived() == vault.expected
    assert vault.keys() == vault.known_keys()


def test_a_day_becomes_objects_and_its_partition_is_gone(vault: Vault) -> None:
    vault.fill(rows=10)
    done = vault.run()
    assert vault.hot() == {}
    assert vault.archived() == vault.expected
    assert (done.days_dropped, done.rows_archived, done.days_left) == (1, 60, 0)
    assert done.objects_written == len(vault.keys()) == 10  # of up to 7 rows
    assert vault.scratch.rows("SELECT to_regclass('log_entries_1_20261001')") == [(None,)]
    assert vault.scratch.rows("SELECT FROM event_time_bounds WHERE application_id = ANY (%s)", vault.applications) == []
    assert vault.overview().verify({}, always)["problems"] == []


def test_an_object_is_lines_of_json_in_a_hive_layout(vault: Vault) -> None:
    vault.fill(batches=1)
    vault.run()
    key = next(key for key in vault.known_keys() if f"application={vault.applications[0]}/" in key)
    assert key.startswith(f"logs/class=standard/application={vault.applications[0]}/day=2026-10-01/part-00000-")
    lines = [json.loads(line) for line in gzip.decompress(vault.objects.get(key) or b"").splitlines()]
    assert [line["level"] for line in lines[:5]] == ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    assert lines[1]["timestamp"] == "2026-10-01T09:01:00.000001+00:00"
    assert lines[1]["metadata"]["text"] == "tab\tline\n\x1f\\"
    assert "host" not in lines[1]


def test_days_within_their_retention_stay(vault: Vault) -> None:
    vault.clock = NOW - timedelta(days=(NOW.date() - DAY).days - 30)  # the 30th day after it
    vault.fill()
    assert vault.run().days_dropped == 0
    vault.clock += timedelta(days=1)
    assert vault.run().days_dropped == 1
    after(vault)


def test_a_run_stops_when_time_is_up_and_the_next_one_goes_on(vault: Vault) -> None:
    vault.fill(rows=10)
    written = []
    while vault.hot():
        turns = [True] * 4 + [False] * 1_000  # its first look is at what has to be deleted
        written.append(vault.run(iter(turns).__next__).objects_written)
        after(vault)
    assert len(written) > 3
    assert sum(written) == len(vault.keys())


def test_rows_that_come_while_a_day_is_archived_are_in_it(vault: Vault) -> None:
    vault.fill()
    archiver = vault.archiver()
    opened = archiver.archive.open(archiver.archive.due(NOW.date())[0])
    assert archiver._write(opened, archiver.archive.announce(opened), app.Archiving())
    vault.fill()  # between two slices
    assert vault.run().rows_archived == vault.expected.total()
    assert vault.hot() == {}
    after(vault)


def test_a_partition_that_changed_since_is_not_dropped(vault: Vault) -> None:
    vault.fill()
    archive = vault.archiver().archive
    opened = archive.open(archive.due(NOW.date())[0])
    while wanted := archive.announce(opened):
        assert vault.archiver()._write(opened, wanted, app.Archiving())
    vault.fill(batches=1)
    assert archive.drop(opened) is None
    after(vault)
    vault.run()
    assert vault.hot() == {}
    after(vault)


def test_rows_that_come_after_the_last_count_are_not_dropped(vault: Vault) -> None:
    vault.fill()

    class Overtaken(PostgresArchive):
        def _count(self, opened: OpenDay) -> int | None:
            total = super()._count(opened)
            vault.fill(batches=1)
            return total

    archive = vault.archiver().archive
    opened = archive.open(archive.due(NOW.date())[0])
    while wanted := archive.announce(opened):
        assert vault.archiver()._write(opened, wanted, app.Archiving())
    assert Overtaken(vault.database()).drop(opened) is None
    after(vault)
    vault.run()
    assert vault.hot() == {}
    after(vault)


def test_rows_for_a_day_that_is_gone_become_further_objects(vault: Vault) -> None:
    received_at = datetime(2026, 10, 1, 5, tzinfo=UTC)
    writer = PostgresChunkStore(vault.database("sluice_writer"))  # it has seen the partition that is gone later
    writer.store([vault.entry(vault.applications[1], odd_records(2), received_at)])
    vault.fill()
    vault.run()
    before = vault.keys()
    writer.store([vault.entry(vault.applications[0], odd_records(5), received_at)])
    assert vault.hot().total() == 5
    vault.expected += vault.hot()
    vault.run()
    assert set(before) < set(vault.keys())
    assert vault.hot() == {}
    after(vault)
    assert vault.overview().verify({}, always)["problems"] == []


def test_a_reader_holds_the_day_for_as_long_as_it_reads(vault: Vault) -> None:
    vault.fill()
    archive = vault.archiver().archive
    opened = archive.open(archive.due(NOW.date())[0])
    while wanted := archive.announce(opened):
        vault.archiver()._write(opened, wanted, app.Archiving())
    with vault.database("sluice_reader").transaction() as cursor:
        cursor.execute("SELECT count(*) FROM log_entries")
        with pytest.raises(Unavailable, match="55P03"):
            archive.drop(opened)
        # Who reads after the failed attempt does not wait behind it.
        assert vault.scratch.rows("SET statement_timeout = '2s'; SELECT count(*) > 0 FROM log_entries") == [(True,)]
    assert archive.drop(opened) == vault.expected.total()
    after(vault)


def test_a_run_waits_for_readers_with_patience(vault: Vault) -> None:
    vault.fill()
    reading, is_over = vault.database("sluice_reader"), threading.Event()
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        is_over.set()
        reader.join()

    def read() -> None:
        with reading.transaction() as cursor:
            cursor.execute("SELECT count(*) FROM log_entries")
            has_begun.set()
            is_over.wait(30)

    has_begun = threading.Event()
    reader = threading.Thread(target=read)
    reader.start()
    assert has_begun.wait(10)
    archiver = vault.archiver()
    app.Archiver(archiver.archive, archiver.objects, archiver.clock, lambda act: app.patiently(act, sleep)).run(always)
    assert len(sleeps) == 1
    assert vault.hot() == {}


def test_an_object_that_cannot_be_read_back_keeps_the_rows(vault: Vault) -> None:
    vault.fill()

    class Forgetful(type(vault.objects)):  # type: ignore[misc]
        def put(self, key: str, data: bytes) -> None:
            super().put(key, data[:-1] + b"x")

    honest, vault.objects = vault.objects, Forgetful(vault.folder)
    with pytest.raises(ContractError, match="unreadable_object"):
        vault.run()
    assert vault.hot() == vault.expected
    vault.objects = honest
    vault.run()
    assert vault.archived() == vault.expected


def test_objects_that_are_not_the_rows_keep_the_partition(vault: Vault) -> None:
    """The last line of defence: whatever went wrong before."""
    vault.fill()
    archive = vault.archiver().archive
    opened = archive.open(archive.due(NOW.date())[0])
    while wanted := archive.announce(opened):
        vault.archiver()._write(opened, wanted, app.Archiving())
    vault.scratch.rows("UPDATE archive_objects SET row_count = row_count + 1 WHERE status = 'stored' AND number = 0")
    with pytest.raises(ContractError, match="archive_incomplete"):
        archive.drop(opened)
    assert vault.hot() == vault.expected
    vault.scratch.rows("UPDATE archive_objects SET row_count = row_count - 1 WHERE status = 'stored' AND number = 0")
    vault.run()


def test_of_two_runs_one_does_nothing(vault: Vault) -> None:
    vault.fill()
    archive = vault.function()
    with alone(vault.database()) as is_ours:
        assert is_ours
        assert archive.run({}, always)["is_busy"]
    assert vault.hot() == vault.expected
    assert archive.run({}, always)["days_dropped"] == 1


def test_a_partition_that_lost_its_trigger_begins_anew(vault: Vault) -> None:
    """As after a migration that rewrites it."""
    vault.fill()
    archive = vault.archiver().archive
    opened = archive.open(archive.due(NOW.date())[0])
    while wanted := archive.announce(opened):
        vault.archiver()._write(opened, wanted, app.Archiving())
    vault.scratch.rows("DROP TRIGGER note_archive_change ON log_entries_1_20261001")
    vault.fill(batches=1)
    vault.run()
    assert vault.hot() == {}
    after(vault)


def test_a_class_that_is_not_archived_loses_its_days(vault: Vault) -> None:
    vault.fill()
    vault.scratch.rows("UPDATE retention_classes SET is_archived = false")
    try:
        done = vault.run()
    finally:
        vault.scratch.rows("UPDATE retention_classes SET is_archived = true")
    assert (done.rows_deleted, done.rows_archived) == (vault.expected.total(), 0)
    assert (vault.hot(), vault.keys()) == ({}, [])
    assert vault.overview().verify({}, always)["problems"] == []


def test_objects_go_when_their_class_says_so(vault: Vault) -> None:
    vault.fill()
    vault.run()
    vault.scratch.rows("UPDATE retention_classes SET archive_days = %s", (NOW.date() - DAY).days - 1)
    try:
        assert vault.run().objects_deleted > 0
    finally:
        vault.scratch.rows("UPDATE retention_classes SET archive_days = null")
    assert vault.keys() == []
    assert vault.overview().verify({}, always)["problems"] == []


@pytest.mark.parametrize("damage", ["missing", "another", "shorter", "edited"])
def test_verifying_finds_damage(vault: Vault, damage: str) -> None:
    vault.fill()
    vault.run()
    key = vault.keys()[0]
    data = vault.objects.get(key) or b""
    if damage == "missing":
        vault.objects.delete(key)
    else:
        edited = gzip.compress(gzip.decompress(data).replace(b"Wort", b"Ward"))
        damaged = {"shorter": data[:-9], "another": gzip.compress(b'{"id":"1"}\n'), "edited": edited}
        vault.objects.put(key, damaged[damage])
    found = vault.overview().verify({}, always)["problems"]
    vault.objects.put(key, data)
    assert [problem["what"] for problem in found] == [key]


def test_verifying_compares_with_the_ledger(vault: Vault) -> None:
    vault.fill()
    vault.run()
    application_id = vault.applications[0]
    vault.scratch.rows("UPDATE archive_totals SET row_count = row_count - 1 WHERE application_id = %s", application_id)
    found = vault.overview().verify({}, always)["problems"]
    vault.scratch.rows("UPDATE archive_totals SET row_count = row_count + 1 WHERE application_id = %s", application_id)
    assert len(found) == 2
    assert all(f"application {application_id}" in problem["what"] for problem in found)


def test_verifying_goes_on_where_it_stopped(vault: Vault) -> None:
    vault.fill(rows=10)
    vault.run()
    after_id, objects = 0, 0
    while after_id is not None:
        answer = vault.overview().verify({"after": after_id}, lambda: False)
        after_id, objects = answer["next"], objects + answer["objects"]
    assert objects >= len(vault.keys())


def test_listing(vault: Vault) -> None:
    vault.fill()
    vault.run()
    ((name,),) = vault.scratch.rows("SELECT name FROM applications WHERE application_id = %s", vault.applications[0])
    (day,) = vault.overview().days({"application": name}, always)["days"]
    assert (day["day"], day["status"], day["row_count"], day["archived_count"]) == ("2026-10-01", "dropped", 18, 18)
    assert json.dumps(day)
