"""F10: nobody reads another application's logs, by whatever path, and the reader's role can do nothing but read."""

from typing import Any

import pytest

from desk import Desk
from scratch import Scratch
from sluice.errors import ContractError
from sluice.runtime.postgres import Database, show_applications

FILLED = ("applications", "ledger", "log_entries", "log_rows", "event_time_bounds")
TEMPLATES = (
    *("template_sets", "templates", "template_changes", "template_counts"),
    *("template_keys", "unmined_lines", "template_history", "template_rollups", "template_census"),
    *("releases", "release_counts"),
)
WATCHING = (
    *("alert_rules", "alert_events", "incidents", "late_minutes"),
    *("anomalies", "anomaly_states", "anomaly_watches", "session_watches"),
)
OTHERS = ("ledger_duplicates", "ledger_totals", "dead_letters", "late_records", "word_filters")
SECURED = (*FILLED, *TEMPLATES, *WATCHING, *OTHERS)
OF_NOBODY = {"word_filter_progress", "watch_progress", "ledger_totals_until", "alert_states"}  # its rules' are secured
TIMES = {"since": "2000-01-01T00:00:00Z", "until": "2040-01-01T00:00:00Z"}


class Tenants:
    """A has one log; B has the key."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        (self.a_id, self.a), (self.b_id, b) = desk.new_application(), desk.new_application()
        fields = {"trace_id": "a" * 32, "session_id": "of-a", "service": "a-service", "metadata": '{"owner":"a"}'}
        self.batch = desk.store(self.a_id, "a secret of a", **fields)
        self.key = desk.new_key(b, "read", "ingest")

    def get(self, path: str, **parameters: str) -> tuple[int, Any]:
        named = {name.replace("metadata_", "metadata."): value for name, value in parameters.items()}
        return self.desk.get(path, self.key, **named)


@pytest.fixture
def tenants(desk: Desk) -> Tenants:
    return Tenants(desk)


SEARCHES: list[dict[str, str]] = [
    {},
    TIMES,
    {"q": "secret"},
    {"q": '"a secret of a"'},
    {"q": "-nothing OR secret"},
    {"q": "service:a-service"},
    {"q": "metadata.owner:a"},
    {"q": "has:trace"},
    {"trace_id": "a" * 32},
    {"session_id": "of-a"},
    {"metadata_owner": "a"},
    {"text": "secret"},
]


@pytest.mark.parametrize("parameters", SEARCHES, ids=str)
def test_no_path_leads_to_anothers_logs(tenants: Tenants, parameters: dict[str, str]) -> None:
    for more in ({}, {"batch_id": tenants.batch}, {"q": f"app:{tenants.a}"}, {"q": f"app:{tenants.a} OR -x"}):
        asked = parameters | more
        assert tenants.get("/api/logs", **asked)[1]["logs"] == []
        assert tenants.desk.answer("/api/logs", tenants.key, format="ndjson", batch_id=tenants.batch)["body"] == ""
        assert tenants.get("/api/histogram", **TIMES | asked)[1]["total"] == 0
        assert tenants.get("/api/stats", **asked)[1]["total"] == 0
    for field in ("application", "service", "trace_id", "metadata", "metadata.owner"):
        found = tenants.get("/api/facets", field=field, **parameters)[1]
        assert (found["values"], found["total"]) == ([], 0)


def test_ids_and_names_of_another_are_unknown(tenants: Tenants) -> None:
    answer = tenants.get(f"/api/logs/{tenants.batch}-0")
    nothing = tenants.get(f"/api/logs/{'0' * 32}-0")
    assert (answer[0], answer[1]["code"]) == (nothing[0], nothing[1]["code"]) == (404, "unknown_log")
    for path in ("/api/logs", "/api/histogram", "/api/stats"):
        code = tenants.get(path, application=tenants.a)[1]["code"]
        assert code == tenants.get(path, application="no-such-application")[1]["code"] == "unknown_application"


def test_the_context_of_a_log_is_of_its_application(tenants: Tenants) -> None:
    """Also for who may see both."""
    of_b = tenants.desk.store(tenants.b_id, "of b")
    tenants.desk.store(tenants.a_id, "of a again")
    _, name = tenants.desk.new_application()
    admin = tenants.desk.new_key(name, "read", "admin")
    found = tenants.desk.get(f"/api/logs/{of_b}-0", admin)[1]
    assert (found["log"]["message"], found["before"], found["after"]) == ("of b", [], [])


def test_the_tail_shows_only_what_is_ones_own(tenants: Tenants) -> None:
    cursor = tenants.get("/api/tail")[1]["cursor"]
    tenants.desk.store(tenants.a_id, "a new secret of a")
    tenants.desk.store(tenants.b_id, "of b")
    for parameters in SEARCHES[:1] + SEARCHES[5:]:
        page = tenants.get("/api/tail", cursor=cursor, wait="0", **parameters)[1]
        assert {log["message"] for log in page["logs"]} <= {"of b"}


@pytest.mark.parametrize("table", SECURED)
def test_the_raw_reader_sees_no_row_unless_its_transaction_says_whose(tenants: Tenants, table: str) -> None:
    with Database(tenants.desk.scratch.url("sluice_reader")).transaction() as cursor:
        for visible in (None, "", "0", str(tenants.b_id), f"{tenants.b_id},0"):
            if visible is not None:
                cursor.execute("SELECT set_config('sluice.applications', %s, true)", (visible,))
            cursor.execute(f"SELECT count(*) FROM {table} WHERE application_id = %s", (tenants.a_id,))
            assert cursor.fetchone() == (0,)
        if table in FILLED:
            show_applications(cursor, {tenants.a_id})
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (1,)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM api_keys",
        "SELECT * FROM log_entries_1",
        "INSERT INTO log_rows SELECT * FROM log_rows",
        "UPDATE applications SET name = 'x'",
        "DELETE FROM ledger",
        "TRUNCATE log_rows",
        "CREATE TABLE mine (a int)",
        "SET ROLE sluice_owner",
        "SET ROLE sluice_writer",
        "ALTER TABLE log_rows DISABLE ROW LEVEL SECURITY",
        "SET LOCAL row_security = off; SELECT * FROM log_entries",
        "SET LOCAL row_security = off; SELECT * FROM log_rows",
        "SELECT ensure_partition(1::smallint, '2026-01-01')",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY log_rows TO PROGRAM 'true'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1",
    ],
)
def test_the_reader_role_can_do_nothing_else(scratch: Scratch, statement: str) -> None:
    def attempt() -> None:
        with Database(scratch.url("sluice_reader")).transaction() as cursor:
            cursor.execute(statement)

    with pytest.raises(ContractError) as caught:
        attempt()
    assert caught.value.detail.startswith("42501")  # insufficient_privilege


def test_the_reader_role_holds_no_more_rights_than_these(scratch: Scratch) -> None:
    rights = scratch.rows(
        "SELECT table_name, privilege_type FROM information_schema.table_privileges"
        " WHERE grantee IN ('sluice_reader', 'PUBLIC') AND table_schema = 'public'"
    )
    assert {privilege for _, privilege in rights} == {"SELECT"}
    assert {table for table, _ in rights} - {*SECURED} == OF_NOBODY
    attributes = "rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication"
    ((*held,),) = scratch.rows(f"SELECT {attributes} FROM pg_roles WHERE rolname = 'sluice_reader'")
    assert not any(held)
