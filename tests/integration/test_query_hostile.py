"""What hostile requests and hostile logs cannot do to who reads."""

import csv
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from desk import Desk
from scratch import Scratch
from sluice.runtime.postgres import Database
from sluice.search.export import csv_text
from sluice.search.model import Text, Visible
from sluice.search.postgres_conditions import condition_sql

INJECTIONS = (
    "'; DROP TABLE log_entries; --",
    "' OR '1'='1",
    "%s",
    "%(x)s",
    "{conditions}",
    "$1",
    "\\",
    "\\' OR true --",
    "a%_b",
    "[[:alpha:]]+",
    "(?=x)",
    "***=literal",
    "***:(?i)x",
    "(a+)+$",
    "\u2028",
    "É",
)
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("text", INJECTIONS)
def test_text_is_text_wherever_it_stands(desk: Desk, text: str) -> None:
    """It finds the log that holds it, not the one beside it, and breaks nothing."""
    application_id, name = desk.new_application()
    key = desk.new_key(name, "read")
    fields = {
        "trace_id": text,
        "session_id": text,
        "service": text,
        "metadata": json.dumps({"k": text, "user id": text}),
    }
    desk.store(application_id, f"it says {text} here", **fields)
    desk.store(application_id, "nothing of note")
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    asked = [{name: text} for name in ("text", "trace_id", "session_id", "metadata.k")]
    terms = (quoted, f"service:{quoted}", f"metadata.k:{quoted}", f'metadata."user id":{quoted}', f"{quoted}*")
    for parameters in (*asked, *({"q": term} for term in terms)):
        status, page = desk.get("/api/logs", key, **parameters)
        assert (status, len(page["logs"])) == (200, 1), parameters
        status, histogram = desk.get("/api/histogram", key, since="2020-01-01T00:00:00Z", **parameters)
        assert (status, histogram["total"]) == (200, 1)
    status, facet = desk.get("/api/facets", key, field=f"metadata.{text}")
    assert (status, facet["missing_count"]) == (200, 2)


def read_paths() -> list[tuple[str, list[str]]]:
    """Every path of the OpenAPI document that reads logs, with the names of its parameters."""
    document = json.loads((REPOSITORY / "functions/query/openapi.json").read_text())
    return [
        (path, [item["name"] for item in operations["get"].get("parameters", []) if item["in"] == "query"])
        for path, operations in document["paths"].items()
        if "logs" in operations.get("get", {}).get("tags", []) and operations["get"]["security"]
    ]


@pytest.mark.parametrize(("path", "names"), read_paths(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_parameter_takes_an_injection_for_a_value(desk: Desk, path: str, names: list[str]) -> None:
    application_id, application = desk.new_application()
    desk.store(application_id, "a log")
    key = desk.new_key(application, "read")
    for text in (*INJECTIONS, "a\x00b", "a\ud800b"):
        filled = path.replace("{id}", f"{quote(text, safe='', errors='replace')}-0")
        more = {"field": "level"} if path == "/api/facets" else {}
        more |= {"wait": "0"} if path == "/api/tail" else {}
        for name in (*names, f"metadata.{text}", f"metadata.k{text}"):
            status, answer = desk.get(filled, key, **{**more, name: text})
            assert status in (200, 400, 404), (name, text, answer)
    ((count,),) = desk.scratch.rows("SELECT count(*) FROM log_entries WHERE application_id = %s", application_id)
    assert count == 1


@pytest.mark.parametrize(
    ("q", "code"),
    [
        ("a" * 65_536, "invalid_query"),
        ("(" * 65_536, "invalid_query"),
        ("(" * 3_000, "invalid_query"),
        ("-" * 3_000, "invalid_query"),
        ("a OR " * 800 + "a", "invalid_query"),
        ("\\" * 4_000, None),
        ('"' + "(a+)+" * 800 + '"', None),
        ("a" * 4_096, None),
        ("a*" * 2_000, "invalid_query"),
        ("a " * 10_000, "invalid_query"),
        ("a\x00b", "invalid_query"),
        ("a\ud800b", "invalid_query"),
        ('"' + "\udfff" + '"', "invalid_query"),
        ("9" * 4_000, None),
        (f"metadata.n:{'9' * 4_000}", None),
        (f"level:{'9' * 4_000}", "invalid_query"),
        ("metadata.n:1e999999 metadata.n:-0 metadata.n:NaN", None),
        (" OR ".join(f'"{"x" * 40} {number}"' for number in range(64)), None),
        (" ".join(f"-{number}*" for number in range(64)), None),
        (" ".join(f"metadata.{'a.' * 20}b:{number}" for number in range(60)), None),
    ],
    ids=lambda value: str(value)[:12],
)
def test_an_evil_query_is_refused_or_answered(desk: Desk, q: str, code: str | None) -> None:
    application_id, name = desk.new_application()
    desk.store(application_id, "a" * 60_000, "x " * 30_000, "(a+)+" * 10_000)
    key = desk.new_key(name, "read")
    status, answer = desk.get("/api/logs", key, q=q)
    assert (status, answer.get("code")) == ((400, code) if code else (200, None))
    if code:
        assert isinstance(answer["position"], int)
        assert answer["expected"]


@pytest.mark.parametrize(
    "evil", ["(a+)+$", "(a|aa)*b", "a" * 200, ".*.*.*=.*", "a*" * 30 + "b"], ids=lambda text: str(text)[:9]
)
def test_what_a_pattern_costs_grows_with_the_message(scratch: Scratch, evil: str) -> None:
    """Sixteen times the text, about sixteen times the time: at the square of it, it would be 256."""
    sql, values = condition_sql(Text(evil), Visible({}))
    with Database(scratch.url("sluice_owner", direct=True)).transaction() as cursor:

        def seconds(length: int) -> float:
            condition = sql.replace("message", "message.text")
            cursor.execute(
                f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) SELECT FROM (SELECT repeat('a', %s) || n AS text"
                f" FROM generate_series(1, 40) AS n OFFSET 0) AS message WHERE {condition}",
                [length, *values],
            )
            ((plan,),) = cursor.fetchall()
            return float(plan[0]["Execution Time"])

        short, long = (min(seconds(length) for _ in range(7)) for length in (4_000, 64_000))
    assert long < 100 * short


FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", '=HYPERLINK("http://evil")')


def test_a_cell_is_no_formula(desk: Desk) -> None:
    application_id, name = desk.new_application()
    desk.store(application_id, *FORMULAS, service="=cmd|' /C calc'!A0", metadata='{"=k":"=v"}')
    key = desk.new_key(name, "read")
    answer = desk.answer("/api/logs", key, format="csv", order="asc", fields="message,service,metadata,metadata.=k")
    rows = list(csv.DictReader(io.StringIO(answer["body"], newline="")))
    assert [row["message"] for row in rows] == [f"'{text}" for text in FORMULAS]
    assert {row["service"] for row in rows} == {"'=cmd|' /C calc'!A0"}
    assert {row["metadata.=k"] for row in rows} == {"'=v"}
    assert {row["metadata"] for row in rows} == {'{"=k":"=v"}'}
    assert answer["headers"]["Content-Type"] == "text/csv; charset=utf-8"
    assert csv_text([{"a": "x;=1"}], ["a"]) == '"a"\r\n"x;=1"\r\n'  # no cell of its own where ; separates


def parsed(form: str, body: str) -> list[dict[str, Any]]:
    if form == "csv":
        return list(csv.DictReader(io.StringIO(body, newline="")))
    if form == "json":
        logs: list[dict[str, Any]] = json.loads(body)["logs"]
        return logs
    return [json.loads(line) for line in body.splitlines()]


MAX_PAGE_BYTES = 4_000_000


@pytest.mark.parametrize("fields", ["", "message,id"])
@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_pages_of_the_largest_messages_go_on_where_they_ended(desk: Desk, form: str, fields: str) -> None:
    application_id, name = desk.new_application()
    messages = [f"{number:05}" + character * 65_531 for number, character in enumerate('x"\\é\t😀' * 12)]
    desk.store(application_id, *messages)
    key = desk.new_key(name, "read")
    seen: list[str] = []
    parameters: dict[str, Any] = {"format": form, "order": "asc", "limit": "1000", "fields": fields}
    pages = 0
    while True:
        answer = desk.answer("/api/logs", key, **parameters)
        assert len(answer["body"].encode()) <= MAX_PAGE_BYTES
        assert len(json.dumps(answer, ensure_ascii=False).encode()) < 6_000_000  # as Lambda counts
        seen += [line["message"] for line in parsed(form, answer["body"])]
        pages += 1
        cursor = next_cursor(form, answer)
        if cursor is None:
            break
        parameters["cursor"] = cursor
    assert seen == messages
    assert pages > 1


def next_cursor(form: str, answer: dict[str, Any]) -> str | None:
    headers = answer["headers"]
    cursor: str | None
    if form == "json":
        cursor = json.loads(answer["body"])["next_cursor"]
    else:
        cursor = headers.get("Sluice-Next-Cursor")
        assert ("Link" in headers) == (cursor is not None)
        assert headers.get("Link", "<?format=").startswith("<?format=")
    return cursor


def test_chosen_fields_come_alone(desk: Desk) -> None:
    application_id, name = desk.new_application()
    desk.store(application_id, "a", metadata='{"user":{"id":7},"k":"v"}')
    key = desk.new_key(name, "read")
    (log,) = desk.get("/api/logs", key, fields="message, metadata.k,host")[1]["logs"]
    assert log == {"message": "a", "metadata.k": "v"}
    assert desk.get("/api/logs", key, fields="secret")[1]["code"] == "invalid_fields"
