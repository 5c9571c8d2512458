"""Migrations, partitions, and what each role may do."""

import threading
from collections.abc import Callable
from datetime import date

import psycopg2
import psycopg2.errors
import pytest

from scratch import Scratch
from sluice.errors import ContractError
from sluice.runtime.postgres import Database
from sluice.schema.postgres import SchemaOwner

MakeDatabase = Callable[[], Scratch]


def owner_of(scratch: Scratch) -> SchemaOwner:
    return SchemaOwner(Database(scratch.url("sluice_owner", direct=True)))


def test_migrating_twice_applies_once(empty_database: MakeDatabase) -> None:
    owner = owner_of(empty_database())
    applied = owner.migrate()
    assert applied == sorted(applied)
    assert applied
    assert owner.migrate() == []
    assert owner.version() == applied[-1]


def test_parallel_migrations_wait_for_each_other(empty_database: MakeDatabase) -> None:
    database = empty_database()
    applied: list[list[str]] = []
    threads = [threading.Thread(target=lambda: applied.append(owner_of(database).migrate())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, applied))[:3] == [0, 0, 0]
    assert len(max(applied, key=len)) >= 1


def test_phases(empty_database: MakeDatabase) -> None:
    owner = owner_of(empty_database())
    assert all(".pre." in name for name in owner.migrate(("pre",)))
    assert all(".post." in name for name in owner.migrate(("post",)))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE schema_migrations SET checksum = 'x'", "migration_changed"),
        ("INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, 'future', 'x')", "schema_ahead"),
    ],
)
def test_a_history_that_does_not_fit_stops(empty_database: MakeDatabase, change: str, code: str) -> None:
    database = empty_database()
    owner_of(database).migrate()
    database.rows(change)
    with pytest.raises(ContractError) as caught:
        owner_of(database).migrate()
    assert caught.value.code == code


def test_partitions_are_created_ahead_once(empty_database: MakeDatabase) -> None:
    database = empty_database()
    owner = owner_of(database)
    owner.migrate()
    created = owner.create_partitions(date(2026, 12, 30))
    assert created[0] == "log_entries_1_20261230"
    assert created[-1] == "log_entries_1_20270106"
    assert owner.create_partitions(date(2026, 12, 31)) == ["log_entries_1_20270107"]


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("sluice_reader", "SELECT * FROM api_keys"),
        ("sluice_reader", "SELECT * FROM log_entries_1"),
        ("sluice_reader", "INSERT INTO applications (name) VALUES ('x')"),
        ("sluice_reader", "DELETE FROM log_entries"),
        ("sluice_reader", "SELECT ensure_partition(1::smallint, '2026-01-01')"),
        ("sluice_reader", "CREATE TABLE mine (a int)"),
        ("sluice_ingest", "SELECT * FROM api_keys"),
        ("sluice_ingest", "SELECT * FROM log_entries"),
        ("sluice_ingest", "SELECT * FROM applications"),
        ("sluice_writer", "SELECT * FROM log_entries"),
        ("sluice_writer", "DELETE FROM ledger"),
        ("sluice_writer", "SELECT * FROM look_up_key('x')"),
        ("sluice_writer", "SELECT * FROM api_keys"),
        ("sluice_writer", "CREATE TABLE mine (a int)"),
        ("sluice_writer", "SELECT * FROM word_filters"),
        ("sluice_reader", "INSERT INTO word_filters DEFAULT VALUES"),
        ("sluice_reader", "UPDATE word_filter_progress SET part = 1"),
        ("sluice_indexer", "SELECT * FROM dead_letters"),
        ("sluice_indexer", "SELECT * FROM api_keys"),
        ("sluice_indexer", "UPDATE ledger SET part = 1"),
        ("sluice_indexer", "INSERT INTO log_entries DEFAULT VALUES"),
        ("sluice_indexer", "DELETE FROM word_filters"),
    ],
)
def test_what_a_role_may_not_do(scratch: Scratch, role: str, statement: str) -> None:
    connection = psycopg2.connect(scratch.url(role))
    with connection, connection.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(statement)
    connection.close()


SECURED = {
    "applications": "SELECT 1",
    "ledger": "INSERT INTO ledger VALUES (gen_random_uuid(), 0, {id}, 0, 1, 1, 1, 1, 0, now(), now(), '1-0', 'h')",
    "ledger_duplicates": "INSERT INTO ledger_duplicates VALUES (0, '1-0', gen_random_uuid(), 0, {id}, 1, 1, 1, 0)",
    "dead_letters": (
        "INSERT INTO dead_letters (application_id, shard, stream_id, position, reason, detail, queued)"
        " VALUES ({id}, 0, gen_random_uuid()::text, 0, 'r', 'd', 'q')"
    ),
    "log_entries": (
        "INSERT INTO log_entries (application_id, position, batch_id, received_at, event_at, retention_class, level,"
        " flags, message, metadata) VALUES ({id}, 0, gen_random_uuid(), now(), now(), 1, 20, 0, 'm', '{{}}')"
    ),
    "word_filters": (
        "SELECT ensure_filter_partition(1::smallint, (now() AT TIME ZONE 'UTC')::date);"
        " INSERT INTO word_filters VALUES (now(), now(), now(), now(), {id}, 0, 0, 1, 8, 1, DEFAULT, 'x')"
    ),
    "event_time_bounds": "INSERT INTO event_time_bounds VALUES (1, now(), {id}, now(), now())",
}


@pytest.mark.parametrize("table", SECURED)
def test_a_reader_sees_only_what_its_transaction_says(scratch: Scratch, table: str) -> None:
    application_id, other = scratch.create_application(), scratch.create_application()
    for owner in (application_id, other):
        scratch.rows(SECURED[table].format(id=owner))
    assert seen(scratch, table, None, application_id, other) == []
    assert seen(scratch, table, "", application_id, other) == []
    assert seen(scratch, table, f"{application_id}", application_id, other) == [application_id]
    assert seen(scratch, table, f"{application_id},{other}", application_id, other) == [application_id, other]
    assert seen(scratch, table, "*", application_id, other) == [application_id, other]
    assert seen(scratch, table, "nonsense'", application_id, other) == []


def seen(scratch: Scratch, table: str, setting: str | None, *application_ids: int) -> list[int]:
    """Which of the applications' rows the raw reader role sees under the setting."""
    with Database(scratch.url("sluice_reader")).transaction() as cursor:
        if setting is not None:
            cursor.execute("SELECT set_config('sluice.applications', %s, true)", (setting,))
        sql = f"SELECT DISTINCT application_id FROM {table} WHERE application_id = ANY (%s) ORDER BY 1"
        cursor.execute(sql, (list(application_ids),))
        return [found for (found,) in cursor.fetchall()]
