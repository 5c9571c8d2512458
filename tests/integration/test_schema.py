"""Migrations, partitions, and what each role may do."""

import threading
from collections.abc import Callable
from datetime import date

import psycopg2
import psycopg2.errors
import pytest

from samples import record, stream_entry
from scratch import Scratch
from sluice.chunks.postgres import PostgresChunkStore
from sluice.entries.packing import pack_record
from sluice.errors import ContractError, Poison
from sluice.runtime.postgres import Database
from sluice.schema.model import pending_migrations, read_migrations
from sluice.schema.postgres import SchemaOwner, shipped_migrations

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


def test_a_number_may_be_filled_later() -> None:
    texts = {"0003_c.pre.sql": "c", "0001_a.pre.sql": "a"}
    applied = {migration.version: migration.checksum for migration in read_migrations(texts)}
    assert list(applied) == [1, 3]
    later = read_migrations(texts | {"0002_b.post.sql": "b"})
    assert [migration.name for migration in pending_migrations(later, applied)] == ["0002_b.post.sql"]


@pytest.mark.parametrize("name", ["0001_other.pre.sql", "2_b.pre.sql", "0002_b.sql", "0002_b.pre.sql.orig"])
def test_names_that_are_no_migrations(name: str) -> None:
    with pytest.raises(ContractError, match="migration_name"):
        read_migrations({"0001_a.pre.sql": "a", name: "b"})


def test_partitions_are_created_ahead_once(empty_database: MakeDatabase) -> None:
    database = empty_database()
    owner = owner_of(database)
    owner.migrate()
    created = owner.create_partitions(date(2026, 12, 30))
    assert created[0] == "log_entries_1_20261230"
    assert created[-1] == "log_entries_1_20270106"
    assert owner.create_partitions(date(2026, 12, 31)) == ["log_entries_1_20270107"]


def test_rows_survive_their_rewriting(empty_database: MakeDatabase) -> None:
    database = empty_database()
    for migration in shipped_migrations():
        if migration.version == 8:
            days = ("2026-11-23", "2026-11-24")
            database.rows(
                "SELECT ensure_partition(1::smallint, day::date) FROM unnest(ARRAY [%s, %s]) AS of (day)", *days
            )
            database.rows(OLD_ROWS, *days)
            before = database.rows(CONTENT)
        with Database(database.url("sluice_owner", direct=True)).transaction() as cursor:
            cursor.execute(migration.sql)
    assert database.rows(CONTENT) == before
    assert len(before) == 4
    assert database.rows("SELECT count(*) FROM log_entries_1_20261123") == [(2,)]
    assert database.rows("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'before')") == []
    writer = PostgresChunkStore(Database(database.url("sluice_writer")))
    assert writer.store([stream_entry([pack_record(record(0))])]).result.stored == 1
    assert seen(database, "log_entries", "2", 1, 2) == [2]


def test_fixed_columns_need_no_padding(scratch: Scratch) -> None:
    """Each is as long as a multiple of the one behind it, up to the first of variable length."""
    columns = scratch.rows(
        "SELECT attname, attlen, attalign FROM pg_attribute WHERE attrelid = 'log_rows'::regclass AND attnum > 0"
        " AND attnotnull ORDER BY attnum"
    )
    offset, alignments = 0, {"c": 1, "s": 2, "i": 4, "d": 8}
    for name, length, alignment in columns:
        if length < 0:
            assert offset % 2 == 0
            break
        assert offset % alignments[alignment] == 0, name
        offset += length


@pytest.mark.parametrize("metadata", [r'{"a": "\ud800"}', r'{"a": "\u0000"}', '{"a": 1'])
def test_metadata_that_could_not_be_read_are_refused(scratch: Scratch, metadata: str) -> None:
    application_id = scratch.create_application()
    with pytest.raises(Poison):
        scratch.rows(SECURED["log_rows"].format(id=application_id).replace("'{}'", f"'{metadata}'"))


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("sluice_reader", "SELECT * FROM api_keys"),
        ("sluice_reader", "SELECT * FROM log_entries_1"),
        ("sluice_reader", "INSERT INTO applications (name) VALUES ('x')"),
        ("sluice_reader", "DELETE FROM log_entries"),
        ("sluice_reader", "DELETE FROM log_rows"),
        ("sluice_reader", "SELECT ensure_partition(1::smallint, '2026-01-01')"),
        ("sluice_reader", "CREATE TABLE mine (a int)"),
        ("sluice_ingest", "SELECT * FROM api_keys"),
        ("sluice_ingest", "SELECT * FROM log_entries"),
        ("sluice_ingest", "SELECT * FROM log_rows"),
        ("sluice_ingest", "SELECT * FROM applications"),
        ("sluice_writer", "SELECT * FROM log_entries"),
        ("sluice_writer", "SELECT * FROM log_rows"),
        ("sluice_writer", "DELETE FROM ledger"),
        ("sluice_writer", "SELECT * FROM look_up_key('x')"),
        ("sluice_writer", "SELECT * FROM api_keys"),
        ("sluice_writer", "CREATE TABLE mine (a int)"),
        ("sluice_writer", "SELECT * FROM word_filters"),
        ("sluice_reader", "INSERT INTO word_filters DEFAULT VALUES"),
        ("sluice_reader", "UPDATE word_filter_progress SET part = 1"),
        ("sluice_indexer", "SELECT * FROM dead_letters"),
        ("sluice_indexer", "DELETE FROM ledger_totals"),
        ("sluice_writer", "SELECT * FROM ledger_totals"),
        ("sluice_reader", "SELECT roll_up_ledger(1)"),
        ("sluice_reader", "UPDATE ledger_totals_until SET stored_xid = '0'"),
        ("sluice_indexer", "SELECT * FROM api_keys"),
        ("sluice_indexer", "UPDATE ledger SET part = 1"),
        ("sluice_indexer", "INSERT INTO log_rows DEFAULT VALUES"),
        ("sluice_indexer", "UPDATE word_filters SET filter = NULL"),
        ("sluice_reader", "UPDATE templates SET name = 'x'"),
        ("sluice_reader", "INSERT INTO template_counts DEFAULT VALUES"),
        ("sluice_writer", "UPDATE templates SET name = 'x'"),
        ("sluice_writer", "DELETE FROM templates"),
        ("sluice_writer", "SELECT * FROM unmined_lines"),
        ("sluice_writer", "DELETE FROM template_counts"),
        ("sluice_writer", "SELECT * FROM template_changes"),
        ("sluice_indexer", "UPDATE templates SET merged_into = 1"),
        ("sluice_indexer", "INSERT INTO template_counts DEFAULT VALUES"),
        ("sluice_writer", "SELECT * FROM template_history"),
        ("sluice_reader", "SELECT forget_templates(1)"),
        ("sluice_ingest", "SELECT * FROM templates"),
        ("sluice_reader", "UPDATE alert_rules SET is_enabled = false"),
        ("sluice_reader", "INSERT INTO alert_events DEFAULT VALUES"),
        ("sluice_writer", "SELECT * FROM alert_rules"),
        ("sluice_watcher", "SELECT * FROM api_keys"),
        ("sluice_watcher", "DELETE FROM incidents"),
        ("sluice_watcher", "DELETE FROM alert_rules"),
        ("sluice_watcher", "UPDATE alert_events SET kind = 'firing'"),
        ("sluice_watcher", "INSERT INTO log_rows DEFAULT VALUES"),
        ("sluice_alerts", "UPDATE alert_events SET kind = 'firing'"),
        ("sluice_alerts", "DELETE FROM incidents"),
        ("sluice_alerts", "UPDATE watch_progress SET watermark = now()"),
        ("sluice_alerts", "SELECT * FROM api_keys"),
        ("sluice_alerts", "INSERT INTO applications (name) VALUES ('x')"),
    ],
)
def test_what_a_role_may_not_do(scratch: Scratch, role: str, statement: str) -> None:
    connection = psycopg2.connect(scratch.url(role))
    with connection, connection.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(statement)
    connection.close()


# Rows of two applications on two days, as they were before migration 8.
OLD_ROWS = """
INSERT INTO log_entries (application_id, position, batch_id, received_at, event_at, retention_class, level, flags,
                         trace_id, message, metadata)
SELECT application, 0, gen_random_uuid(), day, day, 1, 20, 0, 'abc', 'it''s', '{"b": [1.50, null], "a": "\\u001f\\\\"}'
FROM unnest(ARRAY [%s, %s]::timestamptz[]) AS of (day), generate_series(1, 2) AS series (application)"""
CONTENT = """
SELECT application_id, position, batch_id::text, received_at, event_at, retention_class, level, severity_number, flags,
       original_length, severity_text, trace_id, span_id, host, message, metadata FROM log_entries ORDER BY batch_id"""

_ROW = (
    "INSERT INTO log_rows (application_id, position, batch_id, received_at, event_at, retention_class, level, flags,"
    " message, metadata) VALUES ({id}, 0, gen_random_uuid(), now(), now(), 1, 20, 0, 'm', '{{}}')"
)
_TEMPLATE = (
    "INSERT INTO templates (application_id, number, version, text) VALUES ({id}, (random() * 1000000000)::int, 1, 't')"
)
_RULE = (
    "INSERT INTO alert_rules (application_id, name, kind, spec, severity)"
    " VALUES ({id}, gen_random_uuid()::text, 'threshold', '{{}}', 'info')"
)
_INCIDENT = (
    "INSERT INTO incidents (application_id, fingerprint, status, severity, rule_name, kind, title, sentence, query,"
    " window_from, window_until, opened_at) VALUES ({id}, gen_random_uuid()::text, 'firing', 'info', 'r', 'threshold',"
    " 't', 's', '', now(), now(), now())"
)
SECURED = {
    "applications": "SELECT 1",
    "ledger": "INSERT INTO ledger VALUES (gen_random_uuid(), 0, {id}, 0, 1, 1, 1, 1, 0, now(), now(), '1-0', 'h')",
    "ledger_duplicates": "INSERT INTO ledger_duplicates VALUES (0, '1-0', gen_random_uuid(), 0, {id}, 1, 1, 1, 0)",
    "dead_letters": (
        "INSERT INTO dead_letters (application_id, shard, stream_id, position, reason, detail, queued)"
        " VALUES ({id}, 0, gen_random_uuid()::text, 0, 'r', 'd', 'q')"
    ),
    "log_entries": _ROW,
    "log_rows": _ROW,
    "word_filters": (
        "SELECT ensure_filter_partition(1::smallint, (now() AT TIME ZONE 'UTC')::date);"
        " INSERT INTO word_filters VALUES (now(), now(), now(), now(), {id}, 0, 0, 1, 8, 1, DEFAULT, 'x')"
    ),
    "template_sets": "INSERT INTO template_sets VALUES ({id}, 1)",
    "templates": _TEMPLATE,
    "template_changes": (
        f"WITH made AS ({_TEMPLATE} RETURNING template_id) INSERT INTO template_changes"
        " (application_id, template_id, key_id, was, became) SELECT {id}, template_id, 'k', '{{}}', '{{}}' FROM made"
    ),
    "unmined_lines": "INSERT INTO unmined_lines VALUES ({id}, 1, 'm')",
    "template_keys": (
        f"WITH made AS ({_TEMPLATE} RETURNING template_id)"
        " INSERT INTO template_keys SELECT {id}, 2, template_id FROM made"
    ),
    "template_counts": "INSERT INTO template_counts VALUES (now(), now(), 0, {id}, 1, 1, 20)",
    "template_history": "INSERT INTO template_history VALUES (now(), 1, 0, {id}, 1, now(), 20, 1)",
    "template_rollups": "INSERT INTO template_rollups VALUES ({id}, now(), true)",
    "releases": "INSERT INTO releases (application_id, service, version) VALUES ({id}, 'cart', '1')",
    "release_counts": "INSERT INTO release_counts VALUES (now(), 0, 1, {id}, 1, 1)",
    "ledger_totals": "INSERT INTO ledger_totals VALUES ({id}, 0, 1, 0, '{{[1,2)}}')",
    "alert_rules": _RULE,
    "incidents": _INCIDENT,
    "alert_events": (
        f"WITH made AS ({_INCIDENT} RETURNING incident_id) INSERT INTO alert_events"
        " (incident_id, application_id, kind, payload) SELECT incident_id, {id}, 'firing', '{{}}' FROM made"
    ),
    "late_minutes": "INSERT INTO late_minutes (application_id, event_minute) VALUES ({id}, now())",
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
