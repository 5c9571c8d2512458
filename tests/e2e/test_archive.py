"""The archive on the whole stack: what leaves the log table is read in the emulator's S3 by DuckDB, and by the CLI."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import duckdb
import psycopg2
import pytest

from stack import Stack

SLUICE = str(Path(__file__).resolve().parents[2] / "build" / "venv" / "bin" / "sluice")
EXTENSION = next(Path(duckdb.__file__).parents[1].glob("duckdb_ext/extensions/*/*/httpfs.duckdb_extension"), None)
ROWS = 5_000
LEVELS = ("INFO", "WARNING", "ERROR")

# As if they had been sent so many days earlier: nobody can send a log for yesterday.
AGE = """
SELECT ensure_partition(1::smallint, (now() AT TIME ZONE 'UTC')::date - day)
FROM unnest(ARRAY [%(days)s, %(days)s + 1]) AS day;
UPDATE log_entries SET received_at = received_at - %(days)s * interval '1 day' WHERE application_id = %(id)s;
UPDATE ledger SET received_at = received_at - %(days)s * interval '1 day' WHERE application_id = %(id)s;
UPDATE template_counts SET received_minute = received_minute - %(days)s * interval '1 day'
WHERE application_id = %(id)s;
UPDATE event_time_bounds SET day = day - %(days)s WHERE application_id = %(id)s"""


class Operator:
    """`sluice` in a shell that knows the stack."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def __call__(self, *arguments: str, expected: int = 0, given: str = "") -> Any:
        done = subprocess.run(
            [SLUICE, *arguments], env=self.environment, input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == expected, f"{arguments}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout) if "--json" in arguments else done.stdout


def age(stack: Stack, application_id: int, days: int) -> None:
    """Makes an application's logs older."""
    connection = psycopg2.connect(stack.database_url("sluice_owner", direct=True))
    with connection, connection.cursor() as cursor:
        cursor.execute(AGE, {"days": days, "id": application_id})
    connection.close()


def bucket_of(stack: Stack) -> str:
    session = boto3.Session("test", "test", region_name="us-east-1")
    formation: Any = session.client("cloudformation", endpoint_url=stack.aws_endpoint_url)
    outputs = formation.describe_stacks(StackName="sluice-local")["Stacks"][0]["Outputs"]
    return str(next(output["OutputValue"] for output in outputs if output["OutputKey"] == "ArchiveBucketName"))


def duck(stack: Stack) -> duckdb.DuckDBPyConnection:
    """DuckDB with the emulator's S3."""
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{EXTENSION}'")
    host = stack.aws_endpoint_url.split("://", 1)[1]
    connection.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID 'test', SECRET 'test', REGION 'us-east-1', ENDPOINT '{host}',"
        " URL_STYLE 'path', USE_SSL false)"
    )
    return connection


@pytest.fixture(scope="module")
def sluice(operator_environment: dict[str, str], admin_key: str) -> Operator:
    return Operator(operator_environment | {"SLUICE_API_KEY": admin_key})


@pytest.fixture(scope="module")
def old(sluice: Operator, stack: Stack) -> dict[str, Any]:
    """An application whose logs are 40 days old."""
    name = f"archived-{datetime.now(UTC):%H%M%S%f}"
    application: dict[str, Any] = sluice("apps", "create", name, "--json")
    key = sluice("keys", "create", name).splitlines()[-1]
    logs = (
        {"level": LEVELS[number % 3], "message": f'order {number} "räumt" \\', "metadata": {"user_id": number % 7}}
        for number in range(ROWS)
    )
    Operator(sluice.environment | {"SLUICE_API_KEY": key})(
        "send", "-", given="".join(f"{json.dumps(log)}\n" for log in logs)
    )
    sluice("drain", "--until-empty")
    age(stack, application["application_id"], 40)
    return application


@pytest.mark.timeout(300)
def test_duckdb_counts_in_the_archive_what_the_ledger_says(sluice: Operator, stack: Stack, old: dict[str, Any]) -> None:
    done = sluice("archive", "run", "--json")
    assert (done["rows_archived"], done["days_left"]) == (ROWS, 0)

    (ledger,) = (item for item in sluice("ledger", "--json")["applications"] if item["application"] == old["name"])
    source = (
        f"read_json('s3://{bucket_of(stack)}/logs/**/*.gz', hive_partitioning = true, format = 'newline_delimited')"
    )
    counts = (
        duck(stack)
        .execute(
            "SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE level = 'ERROR'), count(*) FILTER (WHERE"
            " metadata.user_id = 3), min(day) = min(received_at)::date"
            f" FROM {source} WHERE application = {old['application_id']}"
        )
        .fetchall()
    )
    errors, threes = len(range(2, ROWS, 3)), len(range(3, ROWS, 7))
    assert counts == [(ledger["stored"], ROWS, errors, threes, True)]

    assert sluice("archive", "verify", "--json")["problems"] == []
    listed = sluice("archive", "list", "--app", old["name"], "--json")
    assert {day["status"] for day in listed} == {"dropped"}
    assert sum(day["archived_count"] for day in listed) == ROWS

    found = sluice("archive", "search", "--app", old["name"], "level:error metadata.user_id:3", "--limit", "10000")
    assert len(found.splitlines()) == sum(number % 3 == 2 and number % 7 == 3 for number in range(ROWS))

    span = ("--since", "2000-01-01T00:00:00Z", "--until", "2100-01-01T00:00:00Z")
    back = sluice("rehydrate", "--app", old["name"], *span, "--yes", "--json")
    assert (back["status"], back["loaded_rows"]) == ("ready", ROWS)
    logs = sluice("logs", f"app:{old['name']} metadata.user_id:3", *span, "--limit", "1000").splitlines()
    assert len({json.loads(log)["id"] for log in logs}) == len(logs) == threes

    receipt = sluice("erase", "logs", "--app", old["name"], "--metadata", "user_id=3", "--yes", "--json")
    assert (receipt["step"], receipt["deleted"]["archived_rows"]) == ("done", threes)
    left = duck(stack).execute(
        f"SELECT count(*), count(*) FILTER (WHERE metadata.user_id = 3) FROM {source}"
        f" WHERE application = {old['application_id']}"
    )
    assert left.fetchall() == [(ROWS - threes, 0)]
    assert sluice("archive", "verify", "--json")["problems"] == []
