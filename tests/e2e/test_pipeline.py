"""HTTP in, HTTP out. Imports nothing of Sluice, so the same file runs against any deployment (see conftest.py)."""

import base64
import gzip
import json
import os
import time
import uuid
import zlib
from datetime import datetime
from typing import Any

import boto3
import pytest
import requests
from backports import zstd
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

# Enough for a deployment whose drain ticks: the schedule starts it each minute, the first time maybe a minute from now.
VISIBLE_SECONDS = 80
POLL_SECONDS = 0.3
REFUSED_SECONDS = 15  # until a key's end holds everywhere
# LocalStack has no gateway response templates: its own refusals are plain JSON there, and only there.
PLAIN_REFUSALS = os.environ.get("SLUICE_E2E_PLAIN_REFUSALS") == "1"


class Client:
    """One application's client."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["X-API-Key"] = key

    def post(self, body: Any, path: str = "/api/ingest", **headers: str) -> requests.Response:
        wire = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.post(self.url + path, data=wire, headers=sent, timeout=30)

    def get(self, path: str, **parameters: str) -> requests.Response:
        return self.session.get(self.url + path, params=parameters, timeout=30)

    def wait_for(self, batch_id: str, count: int) -> list[dict[str, Any]]:
        """The stored logs of a batch, once there are ``count`` of them."""
        deadline = time.monotonic() + VISIBLE_SECONDS
        while True:
            logs: list[dict[str, Any]] = self.get("/api/logs", batch_id=batch_id, limit="1000").json()["logs"]
            if len(logs) >= count:
                return logs
            assert time.monotonic() < deadline, f"{len(logs)} of {count} logs visible after {VISIBLE_SECONDS} s"
            time.sleep(POLL_SECONDS)


@pytest.fixture
def client(url: str, key: str) -> Client:
    return Client(url, key)


@pytest.fixture
def other(url: str, other_key: str) -> Client:
    return Client(url, other_key)


def log(message: str, **fields: Any) -> dict[str, Any]:
    return {"timestamp": "2026-03-01T12:00:00Z", "level": "INFO", "message": message, "metadata": {}} | fields


def test_health(client: Client) -> None:
    answer = requests.get(client.url + "/healthz", timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.timeout(200)
def test_a_log_becomes_visible_without_anyone_draining_by_hand(client: Client) -> None:
    answer = client.post(log("by itself", level="warn", metadata={"user": {"id": 42}}, trace_id="t-1"))
    assert answer.status_code == 202
    assert answer.headers["Content-Type"] == "application/json"
    (found,) = client.wait_for(answer.json()["batch_id"], 1)
    assert found["id"] == f"{answer.json()['batch_id']}-0"
    assert found["message"] == "by itself"
    assert found["level"] == "WARNING"
    assert found["metadata"] == {"user": {"id": 42}}
    assert found["trace_id"] == "t-1"
    assert datetime.fromisoformat(found["timestamp"]) == datetime.fromisoformat("2026-03-01T12:00:00+00:00")


@pytest.mark.timeout(200)
def test_every_form_of_body(client: Client) -> None:
    batches = [
        (client.post([log("array 0"), log("array 1")]), 2),
        (client.post({"logs": [log("object")]}), 1),
        (client.post(gzip.compress(json.dumps([log("zipped")] * 3).encode()), Content_Encoding="gzip"), 3),
        (client.post(gzip.compress(json.dumps(log("zipped, and nobody says so")).encode())), 1),
        (client.post(log("trailing slash"), path="/api/ingest/"), 1),
        (client.post([log(f"large {number}") for number in range(2_500)]), 2_500),
        (client.post(log("ünï 🎉 \x00 \ud800 \t\n\\ end")), 1),
    ]
    for answer, count in batches:
        assert answer.status_code == 202, answer.text
        assert answer.json()["accepted"] == count
    assert len(client.wait_for(batches[2][0].json()["batch_id"], 3)) == 3
    (unicode_log,) = client.wait_for(batches[6][0].json()["batch_id"], 1)
    assert unicode_log["message"] == "ünï 🎉 \ufffd \ufffd \t\n\\ end"
    assert unicode_log["flags"] == ["clock_skewed", "text_replaced"]


@pytest.mark.timeout(200)
def test_lines_and_encodings(client: Client) -> None:
    lines = b'{"level":30,"time":1772366400000,"pid":1,"hostname":"web-1","msg":"pino"}\n{broken\n{"message":"last"}\n'
    answer = client.post(lines, Content_Type="application/x-ndjson")
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected_count"]) == (202, 2, 1)
    assert [(item["index"], item["code"]) for item in answer.json()["rejected"]] == [(1, "invalid_json")]
    text = client.post("first line\n\nsecond line ü\n".encode(), Content_Type="text/plain")
    zipped = [
        client.post(zstd.compress(b'{"message":"zipped"}'), Content_Encoding="zstd"),
        client.post(zlib.compress(b'{"message":"zipped"}'), Content_Encoding="deflate"),
        client.post(zlib.compress(b'{"message":"zipped"}', wbits=-15), Content_Encoding="deflate"),
    ]
    found = {item["message"]: item for item in client.wait_for(answer.json()["batch_id"], 2)}
    assert found.keys() == {"pino", "last"}
    assert (found["pino"]["level"], found["pino"]["host"]) == ("INFO", "web-1")
    messages = {item["message"] for item in client.wait_for(text.json()["batch_id"], 2)}
    assert messages == {"first line", "second line ü"}
    for one in zipped:
        assert client.wait_for(one.json()["batch_id"], 1)[0]["message"] == "zipped"


@pytest.mark.timeout(200)
@pytest.mark.parametrize("media_type", ["application/json", "application/x-protobuf"])
def test_opentelemetry(client: Client, media_type: str) -> None:
    marker, now = uuid.uuid4().hex, time.time_ns()
    document = {
        "resourceLogs": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
                "scopeLogs": [
                    {"logRecords": [{"timeUnixNano": str(now), "severityNumber": 17, "body": {"stringValue": marker}}]}
                ],
            }
        ]
    }
    body = json.dumps(document).encode()
    if media_type == "application/x-protobuf":
        body = json_format.ParseDict(document, ExportLogsServiceRequest()).SerializeToString()
    for path in ("/v1/logs", "/otlp/v1/logs"):  # the second is a retry
        answer = client.post(gzip.compress(body), path=path, Content_Type=media_type, Content_Encoding="gzip")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type)
        assert answer.content == (b"{}" if media_type == "application/json" else b"")
    deadline = time.monotonic() + VISIBLE_SECONDS
    while not (logs := client.get("/api/logs", text=marker).json()["logs"]):
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)
    (found,) = logs
    assert (found["service"], found["level"]) == ("shop", "ERROR")
    refused = client.post(b"\xff", path="/v1/logs", Content_Type=media_type)
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, media_type)


@pytest.mark.timeout(200)
def test_pages_hold_every_accepted_id_once(client: Client) -> None:
    batch_id = client.post([log(f"page {number}") for number in range(2_345)]).json()["batch_id"]
    client.wait_for(batch_id, 1_000)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/api/logs", batch_id=batch_id, limit="1000", **cursor).json()
        seen += [item["id"] for item in page["logs"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(seen) == 2_345
    assert set(seen) == {f"{batch_id}-{number}" for number in range(2_345)}


@pytest.mark.timeout(200)
def test_a_bad_record_is_reported_and_the_good_ones_are_stored(client: Client) -> None:
    answer = client.post([log("good 0"), log("bad", level=["error"]), log("good 2", level="purple")])
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 2
    (rejected,) = answer.json()["rejected"]
    assert (rejected["index"], rejected["pointer"], rejected["code"]) == (1, "#/level", "invalid_level")
    stored = client.wait_for(answer.json()["batch_id"], 2)
    by_message = {item["message"]: item for item in stored}
    assert by_message.keys() == {"good 0", "good 2"}
    assert by_message["good 2"]["level"] == "INFO"
    assert "level_unknown" in by_message["good 2"]["flags"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{nope", {}, 400, "invalid_json"),
        (b"", {}, 400, "invalid_json"),
        (b"\xff\xfe", {}, 400, "invalid_utf8"),
        (b"\x1f\x8bnope", {}, 400, "invalid_gzip"),
        (b'{"message": "m", "level": true}', {}, 400, "invalid_level"),
        (b'{"level": "info"}', {}, 400, "missing_message"),
        (b'{"message": "m", "metadata": 5}', {}, 400, "invalid_metadata"),
        (b"[" * 100_000, {}, 400, "invalid_json"),
        (b'{"message": "' + b"x" * 10_000_000 + b'"}', {}, 413, "body_too_large"),
        (gzip.compress(b'{"message": "' + b"x" * 100_000_000 + b'"}'), {}, 413, "body_too_large"),
        (b'{"message": "m"}', {"X_API_Key": "wrong"}, 401, "invalid_key"),
        (b'{"message": "m"}', {"X_API_Key": "x" * 8_192}, 401, "invalid_key"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals_are_problems(client: Client, body: bytes, headers: dict[str, str], status: int, code: str) -> None:
    answer = client.post(body, **headers)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["status"]) == (code, status)


def test_a_refused_field_is_named(client: Client) -> None:
    problem = client.post([log("m", level={})]).json()
    assert [(item["index"], item["pointer"], item["code"]) for item in problem["errors"]] == [
        (0, "#/level", "invalid_level")
    ]


@pytest.mark.parametrize("path", ["/api/logs", "/api/ledger", "/api/dead-letters", "/api/ingest"])
def test_a_missing_key(client: Client, path: str) -> None:
    call = requests.post if path == "/api/ingest" else requests.get
    answer = call(client.url + path, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (401, "missing_key")
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("DELETE", "/api/logs"), ("GET", "/api/ingest")])
def test_the_gateways_own_refusals_are_problems_too(client: Client, method: str, path: str) -> None:
    answer = client.session.request(method, client.url + path, timeout=30)
    assert answer.status_code in (403, 404, 405)
    if PLAIN_REFUSALS:
        assert answer.json()["message"]
        return
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"]
    assert answer.json()["status"] == answer.status_code


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"limit": "0"}, "invalid_limit"),
        ({"cursor": "x"}, "invalid_cursor"),
        ({"application": "nobody"}, "unknown_application"),
    ],
)
def test_a_bad_query_is_a_problem(client: Client, parameters: dict[str, str], code: str) -> None:
    answer = client.get("/api/logs", **parameters)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.timeout(200)
def test_an_idempotent_request_is_stored_once(client: Client) -> None:
    token = str(uuid.uuid4())
    first = client.post([log("once"), log("only")], Idempotency_Key=token)
    again = client.post([log("once"), log("only")], Idempotency_Key=token)
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert client.post([log("other")], Idempotency_Key=token).status_code == 422
    assert len(client.wait_for(first.json()["batch_id"], 2)) == 2


@pytest.mark.timeout(200)
def test_an_application_sees_its_own_logs_only(client: Client, other: Client) -> None:
    batch_id = client.post(log("private")).json()["batch_id"]
    client.wait_for(batch_id, 1)
    assert other.get("/api/logs", batch_id=batch_id).json()["logs"] == []
    names = [{item["application"] for item in one.get("/api/ledger").json()["applications"]} for one in (client, other)]
    assert [len(visible) for visible in names] == [1, 1]
    assert names[0] != names[1]
    assert other.get("/api/logs", application=names[0].pop()).status_code == 400


def test_dead_letters_are_for_administrators(client: Client, url: str, admin_key: str) -> None:
    assert client.get("/api/dead-letters").json()["code"] == "missing_scope"
    admin = Client(url, admin_key)
    assert admin.get("/api/dead-letters", reason="none_such").json() == {"dead_letters": [], "next_before": None}
    assert admin.get("/api/dead-letters/9007199254740993").json()["code"] == "unknown_dead_letter"
    assert admin.get("/api/dead-letters/x").json()["code"] == "invalid_id"
    assert admin.post({}, path="/api/dead-letters/redrive").json()["code"] == "empty_selection"
    redriven = admin.post({"reason": "none_such"}, path="/api/dead-letters/redrive")
    assert (redriven.status_code, redriven.json()) == (200, {"redriven": 0, "failed": 0})
    assert admin.post({"reason": "none_such"}, path="/api/dead-letters/drop").json() == {"dropped": 0}


@pytest.mark.parametrize("scheme", ["Bearer {0}", "Splunk {0}", "ApiKey {1}", "Basic {1}"])
def test_a_key_in_the_authorization_header(client: Client, key: str, scheme: str) -> None:
    header = scheme.format(key, base64.b64encode(f"anybody:{key}".encode()).decode())
    answer = requests.get(client.url + "/api/ledger", headers={"Authorization": header}, timeout=30)
    assert (answer.status_code, answer.reason) == (200, "OK")
    garbled = header[:-6] + "AAAAAA"
    assert requests.get(client.url + "/api/ledger", headers={"Authorization": garbled}, timeout=30).status_code == 401


def test_applications_and_keys_are_administered_over_http(url: str, admin_key: str) -> None:
    admin, name = Client(url, admin_key), f"e2e-{uuid.uuid4().hex[:8]}"

    def call(method: str, path: str, body: Any = None) -> Any:
        answer = admin.session.request(method, url + path, json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    assert call("POST", "/api/applications", {"name": name})["application"]["name"] == name
    assert admin.post({"name": name}, path="/api/applications").status_code == 409
    path, limits = f"/api/applications/{name}-eu", {"requests_per_second": 5}
    assert call("PATCH", f"/api/applications/{name}", {"name": f"{name}-eu", "limits": limits})
    assert call("GET", path)["application"]["limits"]["requests_per_second"] == 5
    assert admin.get(f"/api/applications/{name}").json()["code"] == "unknown_application"
    old = call("POST", f"{path}/keys", {"scopes": ["read"], "description": "e2e"})
    new = call("POST", f"/api/keys/{old['key_id']}/rotate", {"overlap_seconds": 0})
    user = Client(url, new["key"])
    assert user.get("/api/logs").json()["logs"] == []
    assert user.get("/api/applications").json()["code"] == "missing_scope"
    listed = {item["key_id"]: item for item in call("GET", f"{path}/keys")["keys"]}
    assert listed[old["key_id"]]["rotated_to"] == new["key_id"]
    assert listed[new["key_id"]]["last_used_at"]
    assert call("DELETE", f"/api/keys/{new['key_id']}")["status"] == "revoked"
    call("PATCH", path, {"status": "disabled"})
    for ended in (old["key"], new["key"]):
        deadline = time.monotonic() + REFUSED_SECONDS
        while Client(url, ended).get("/api/logs").status_code != 401:
            assert time.monotonic() < deadline, f"a key still works {REFUSED_SECONDS} s after its end"
            time.sleep(POLL_SECONDS)


def test_an_admin_key_sees_the_whole_ledger(client: Client, url: str, admin_key: str) -> None:
    everything, own = Client(url, admin_key).get("/api/ledger").json(), client.get("/api/ledger").json()
    assert len(everything["applications"]) > len(own["applications"])
    assert everything["total"]["unaccounted"] == 0


@pytest.mark.timeout(200)
def test_the_ledger_balances_in_flight_and_at_rest(client: Client) -> None:
    batch_ids = [client.post([log(f"ledger {number}") for number in range(500)]).json()["batch_id"] for _ in range(4)]
    checked = 0
    for batch_id in batch_ids:
        for total in (client.get("/api/ledger").json()["total"] for _ in range(3)):
            assert total["unaccounted"] == 0
            settled = total["stored"] + total["duplicate"] + total["dead_lettered"] + total["in_flight"]
            assert settled == total["accepted"]
            checked += 1
        client.wait_for(batch_id, 500)
    assert checked == 12


@pytest.mark.timeout(200)
def test_a_failed_background_run_ends_in_the_queue(operator_environment: dict[str, str]) -> None:
    stage, token = operator_environment.get("SLUICE_STAGE", "local"), uuid.uuid4().hex
    names = {"region_name": "AWS_DEFAULT_REGION", "endpoint_url": "AWS_ENDPOINT_URL"}
    names |= {name.lower(): name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    where: dict[str, Any] = {option: operator_environment.get(variable) for option, variable in names.items()}
    event = json.dumps({"ticks": 0, "token": token})
    boto3.client("lambda", **where).invoke(FunctionName=f"sluice-{stage}-drain", InvocationType="Event", Payload=event)
    queue = boto3.client("sqs", **where)
    url = queue.get_queue_url(QueueName=f"sluice-{stage}-failed-invocations")["QueueUrl"]
    deadline = time.monotonic() + VISIBLE_SECONDS
    while not (found := [one for one in _receive(queue, url) if token in one["Body"]]):
        assert time.monotonic() < deadline, f"no message after {VISIBLE_SECONDS} s"
    queue.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
    assert json.loads(found[0]["Body"])["requestPayload"] == json.loads(event)


def _receive(queue: Any, url: str) -> list[dict[str, Any]]:
    answer = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=1)
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


@pytest.mark.timeout(200)
def test_a_batch_of_many_chunks_is_complete(client: Client) -> None:
    # A chunk holds at most 5,000 records: these need several runs of process_chunk.
    batch_ids = [
        client.post([log(f"fan out {number}") for number in range(6_000)]).json()["batch_id"] for _ in range(3)
    ]
    for batch_id in batch_ids:
        client.wait_for(batch_id, 1_000)
    mine = client.get("/api/ledger").json()["total"]
    assert (mine["unaccounted"], mine["dead_lettered"]) == (0, 0)
