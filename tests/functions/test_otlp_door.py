"""POST /v1/logs with fakes: what an OTLP exporter sees."""

import gzip
import zlib
from dataclasses import replace
from typing import Any

import pytest
from backports import zstd
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from aws import LambdaContext, rest_event
from fakes import MemoryIntake
from front import Answer, Front, app
from otlp import JSON, PROTOBUF, json_request, log, protobuf_request
from sluice.errors import Unavailable
from sluice.protocols.otlp_answers import export_answer

PATHS = ("/v1/logs", "/otlp/v1/logs", "/v1/logs/")
MIXED = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a"}},5,6]}]}]}'


def export(front: Front, body: bytes, media_type: str = PROTOBUF, path: str = "/v1/logs", **headers: str) -> Answer:
    return front.post(body, path=path, Content_Type=media_type, **headers)


def bytes_answer(rejected_count: int, message: str) -> bytes:
    answer = export_answer(PROTOBUF, rejected_count, message)
    assert isinstance(answer, bytes)
    return answer


def status_of(answer: Answer) -> tuple[int, str]:
    """Code and message of a Status, in either encoding."""
    if answer.headers["Content-Type"] == PROTOBUF:
        status = Status.FromString(answer.body)
        return status.code, status.message
    assert answer.headers["Content-Type"] == JSON
    return answer.body["code"], answer.body["message"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("media_type", "body", "answered"),
    [
        (PROTOBUF, protobuf_request([log("hello")]), b""),
        (JSON, json_request([log("hello")]), {}),
        (JSON + "; charset=utf-8", json_request([log("hello")]), {}),
    ],
)
def test_accepts_both_encodings(front: Front, path: str, media_type: str, body: bytes, answered: Any) -> None:
    answer = export(front, body, media_type, path)
    assert (answer.status, answer.body) == (200, answered)
    assert answer.headers["Content-Type"] == media_type.partition(";")[0]
    assert [record.message for record in front.records()] == ["hello"]


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, zstd.compress])
def test_accepts_compressed_bodies(front: Front, compress: Any) -> None:
    assert export(front, compress(protobuf_request([log()] * 3))).status == 200
    assert len(front.records()) == 3


@pytest.mark.parametrize(("media_type", "body"), [(PROTOBUF, b""), (JSON, b"{}")])
def test_an_empty_request_is_answered_and_queues_nothing(front: Front, media_type: str, body: bytes) -> None:
    front.queue.is_down = True
    assert export(front, body, media_type).status == 200


def test_a_binary_answer_needs_no_accept_header(front: Front) -> None:
    headers = {"X-API-Key": "wrong", "Content-Type": PROTOBUF}
    event = rest_event("POST", "/v1/logs", protobuf_request([log()]), headers=headers)
    del event["headers"]["Accept"]
    del event["multiValueHeaders"]["Accept"]
    answer = app.handler(event, LambdaContext())
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (401, True)


def test_a_json_answer_is_text(front: Front) -> None:
    """A gateway may hand a binary answer to a client without Accept header as base64."""
    headers = {"X-API-Key": "wrong", "Content-Type": JSON}
    answer = app.handler(rest_event("POST", "/v1/logs", b"{}", headers=headers), LambdaContext())
    assert not answer.get("isBase64Encoded")
    assert answer["body"].startswith('{"code":16')


def test_rejected_records_are_a_partial_success(front: Front) -> None:
    answer = export(front, MIXED, JSON)
    assert answer.status == 200
    partial = answer.body["partialSuccess"]
    assert partial["rejectedLogRecords"] == "2"
    assert "record 1: invalid_json" in partial["errorMessage"]
    assert len(front.records()) == 1


def test_a_partial_success_in_protobuf() -> None:
    response = ExportLogsServiceResponse.FromString(bytes_answer(300, "é" * 200))
    assert response.partial_success.rejected_log_records == 300
    assert response.partial_success.error_message == "é" * 200
    assert bytes_answer(0, "") == b""


@pytest.mark.parametrize("media_type", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "word"),
    [
        (b"\xff", {}, 400, 3, "invalid_"),
        (b"x" * 10_001, {}, 413, 3, "body_too_large"),
        (gzip.compress(b"x" * 50_001), {}, 413, 3, "body_too_large"),
        (b"\x1f\x8bnope", {}, 400, 3, "invalid_gzip"),
        (b"", {"Content_Encoding": "snappy"}, 415, 3, "unsupported_encoding"),
        (b"", {"X_API_Key": ""}, 401, 16, "missing_key"),
        (b"", {"Idempotency_Key": ""}, 400, 3, "invalid_idempotency_key"),
    ],
)
def test_errors_are_statuses_in_the_requests_encoding(
    front: Front, media_type: str, body: bytes, headers: dict[str, str], status: int, code: int, word: str
) -> None:
    answer = export(front, body, media_type, **headers)
    assert answer.status == status
    assert answer.headers["Content-Type"] == media_type
    assert status_of(answer)[0] == code
    assert word in status_of(answer)[1]


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-ndjson", ""])
def test_other_types_are_refused(front: Front, media_type: str) -> None:
    answer = export(front, b"{}", media_type)
    assert (answer.status, status_of(answer)[0]) == (415, 3)


@pytest.mark.parametrize("media_type", [PROTOBUF, JSON])
def test_an_outage_is_retryable_never_a_500(front: Front, media_type: str) -> None:
    front.queue.is_down = True
    body = {PROTOBUF: protobuf_request, JSON: json_request}[media_type]([log()])
    answer = export(front, body, media_type)
    assert (answer.status, answer.headers["Retry-After"], status_of(answer)[0]) == (503, "2", 14)


def test_a_greedy_application_slows_down(front: Front) -> None:
    front.queue.backlog_limit_bytes = 1_000
    statuses = {export(front, protobuf_request([log(str(number))])).status for number in range(5)}
    assert statuses == {200, 429}


@pytest.mark.parametrize("media_type", [PROTOBUF, JSON])
def test_an_unknown_failure_is_a_status_too(front: Front, monkeypatch: pytest.MonkeyPatch, media_type: str) -> None:
    monkeypatch.setattr(app, "_dependencies", lambda: None)
    answer = export(front, b"", media_type)
    assert (answer.status, status_of(answer)[0]) == (500, 13)


def test_a_repeated_body_is_a_retry(front: Front) -> None:
    body = protobuf_request([log("once")])
    assert [export(front, body).status, export(front, gzip.compress(body)).status] == [200, 200]
    assert len(front.records()) == 1
    export(front, protobuf_request([log("twice")]))
    assert len(front.records()) == 1


def test_a_retry_after_an_outage_has_the_same_batch_id(front: Front) -> None:
    body = protobuf_request([log("once")])
    seen = []
    submit = front.queue.submit

    class Forgetful:
        def submit(self, submission: Any) -> Any:
            seen.append(submission.batch_id)
            if len(seen) == 1:
                raise Unavailable("queue_unavailable", "reply lost")
            return submit(submission)

    front.use_case = replace(front.use_case, queue=Forgetful(), intake=MemoryIntake(front.admission, Forgetful()))
    assert [export(front, body).status, export(front, body).status] == [503, 200]
    assert seen[0] == seen[1]


def test_an_idempotency_key_counts_more_than_the_body(front: Front) -> None:
    body = protobuf_request([log("twice")])
    for key in ("a", "b", "b"):
        export(front, body, Idempotency_Key=key)
    assert len(front.records()) == 2


def test_equal_bodies_without_times_are_different_logs(front: Front) -> None:
    body = protobuf_request([log("tick", time=0)])
    for _ in range(2):
        assert export(front, body).status == 200
    assert len(front.records()) == 2
