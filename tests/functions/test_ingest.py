"""functions/ingest with fakes: what a client sees."""

import base64
import contextlib
import gzip
import json
import zlib
from dataclasses import replace
from logging.handlers import BufferingHandler
from typing import TYPE_CHECKING, Any

import pytest
from backports import zstd
from botocore.stub import Stubber

from aws import InvokeRecorder, LambdaContext, rest_event
from front import RATES, Answer, Front, app
from samples import PEPPER, submission
from sluice.admission.model import Rates
from sluice.entries.packing import unpack_records
from sluice.errors import Unavailable
from sluice.runtime.observability import Recurrences
from sluice.runtime.settings import IngestSettings
from sluice.streams.aws import LambdaWaker

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

LOG = {"timestamp": "2026-03-01T12:00:00Z", "level": "INFO", "message": "hello", "metadata": {"a": 1}}


@pytest.mark.parametrize("path", ["/api/ingest", "/api/ingest/"])
def test_accepts_one_log(front: Front, path: str) -> None:
    answer = front.post(LOG, path=path)
    assert answer.status == 202
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.body["accepted"] == 1
    assert answer.body["rejected"] == []
    (entry,) = front.queued()
    assert entry.batch_id.hex == answer.body["batch_id"]
    assert entry.application_id == 7
    (record,) = unpack_records(entry.lines)
    assert record.message == "hello"


def test_accepts_gzip_whatever_the_headers_say(front: Front) -> None:
    assert front.post(gzip.compress(json.dumps([LOG, LOG]).encode()), Content_Type="text/plain").body["accepted"] == 2


def test_works_without_an_accept_header(front: Front) -> None:
    event = rest_event("POST", "/api/ingest", json.dumps(LOG).encode(), headers={"X-API-Key": front.key})
    del event["headers"]["Accept"]
    del event["multiValueHeaders"]["Accept"]
    assert app.handler(event, LambdaContext())["statusCode"] == 202


def test_takes_base64_as_lenient_decoders_do(front: Front) -> None:
    event = rest_event("POST", "/api/ingest", json.dumps([LOG] * 20).encode(), headers={"X-API-Key": front.key})
    event["body"] = base64.encodebytes(base64.b64decode(event["body"])).decode()
    assert "\n" in event["body"][:-1]
    assert json.loads(app.handler(event, LambdaContext())["body"])["accepted"] == 20


def test_reports_the_bad_record_and_keeps_the_good_ones(front: Front) -> None:
    answer = front.post({"logs": [LOG, {"level": "info"}, LOG]})
    assert answer.status == 202
    assert answer.body["accepted"] == 2
    (rejected,) = answer.body["rejected"]
    assert (rejected["index"], rejected["pointer"], rejected["code"]) == (1, "#/message", "missing_message")
    assert [record.position for entry in front.queued() for record in unpack_records(entry.lines)] == [0, 2]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{nope", {}, 400, "invalid_json"),
        ({"message": "m", "level": []}, {}, 400, "invalid_level"),
        (b"x" * 10_001, {}, 413, "body_too_large"),
        (b"\x1f\x8bnope", {}, 400, "invalid_gzip"),
        (gzip.compress(b"x" * 50_001), {}, 413, "body_too_large"),
        ([LOG] * 200, {}, 413, "body_too_large"),
        ([{"message": "m"}] * 101, {}, 413, "batch_too_large"),
        (LOG, {"X_API_Key": ""}, 401, "missing_key"),
        (LOG, {"X_API_Key": "slc_wrong"}, 401, "invalid_key"),
        (LOG, {"Idempotency_Key": '""'}, 400, "invalid_idempotency_key"),
        (LOG, {"Idempotency_Key": "k" * 256}, 400, "invalid_idempotency_key"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals_are_problems_with_a_stable_code(
    front: Front, body: Any, headers: dict[str, str], status: int, code: str
) -> None:
    answer = front.post(body, **headers)
    assert (answer.status, answer.body["code"], answer.body["status"]) == (status, code, status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body["detail"]
    assert front.queued() == []


def test_a_problem_names_record_and_field(front: Front) -> None:
    answer = front.post([{"message": "m", "level": True}])
    assert answer.body["errors"] == [
        {
            "index": 0,
            "pointer": "#/level",
            "code": "invalid_level",
            "detail": "expected text or a number, got true or false",
        }
    ]


def test_an_idempotent_request_is_queued_once(front: Front) -> None:
    first = front.post(LOG, Idempotency_Key='"order-1"')
    again = front.post(LOG, Idempotency_Key="order-1")
    assert (first.status, first.body) == (again.status, again.body)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert len(front.queued()) == 1


def test_an_idempotency_key_belongs_to_one_body(front: Front) -> None:
    front.post(LOG, Idempotency_Key="order-1")
    answer = front.post([LOG, LOG], Idempotency_Key="order-1")
    assert (answer.status, answer.body["code"]) == (422, "idempotency_key_reused")


def test_a_queue_that_is_down_asks_to_come_back(front: Front) -> None:
    front.queue.is_down = True
    answer = front.post(LOG)
    assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (503, "queue_unavailable", "2")


def test_a_full_backlog_asks_to_come_back_and_a_greedy_application_to_slow_down(front: Front) -> None:
    front.queue.backlog_limit_bytes = 600
    assert front.post(LOG).status == 202
    answer = front.post(LOG)
    assert (answer.status, answer.body["code"]) == (429, "backlog_share_exceeded")
    for application_id in range(100, 150):
        with contextlib.suppress(Unavailable):
            front.queue.submit(submission(application_id=application_id))
    full = front.post(LOG)
    assert (full.status, full.body["code"], full.body["violated-policies"]) == (503, "backlog_full", ["backlog"])
    assert full.body["type"].endswith("#temporary-reduced-capacity")
    assert int(answer.headers["Retry-After"]) > 0


LIMITED = Rates(requests_per_second=2, bytes_per_second=20_000, bytes_per_day=45_000, burst_seconds=1)


def test_every_answer_after_admission_says_where_the_application_stands(front: Front) -> None:
    front.admission.rates = Rates(3, 20_000, 45_000, 1)
    policies = (
        '"requests";q=3;w=1, "bytes";q=20000;qu="content-bytes";w=1, "daily-bytes";q=45000;qu="content-bytes";w=86400'
    )
    taken = front.post(LOG)
    spent = len(json.dumps(LOG))
    assert taken.headers["RateLimit-Policy"] == policies
    assert (
        taken.headers["RateLimit"]
        == f'"requests";r=2;t=1, "bytes";r={20_000 - spent};t=1, "daily-bytes";r={45_000 - spent};t=43200'
    )
    malformed = front.post(b"{nope")
    assert (malformed.status, malformed.headers["RateLimit-Policy"]) == (400, policies)
    assert malformed.headers["RateLimit"].startswith('"requests";r=1;t=1, ')
    unauthorised = front.post(LOG, X_API_Key="slc_wrong")
    assert "RateLimit-Policy" not in unauthorised.headers


def test_what_is_throttled_names_its_policies_and_is_not_queued(front: Front) -> None:
    front.admission.rates = LIMITED
    assert [front.post(LOG).status for _ in range(3)] == [202, 202, 429]
    answer = front.post(LOG)
    assert answer.body["code"] == "request_rate_exceeded"
    assert answer.body["violated-policies"] == ["requests"]
    assert answer.body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "1"
    assert '"requests";r=0;t=1' in answer.headers["RateLimit"]
    assert "daily-bytes" not in answer.headers["RateLimit"], "nothing that resets later than Retry-After"
    assert len(front.queued()) == 2


@pytest.mark.parametrize("padding", [0, 600_000], ids=["small", "large"])
def test_small_and_large_bodies_get_the_same_verdicts(front: Front, padding: int) -> None:
    """One is read before it is admitted, the other is not."""
    front.use_case = replace(
        front.use_case, settings=replace(front.settings, max_body_bytes=10**6, max_inflated_bytes=10**6)
    )
    front.admission.rates = Rates(4, 10**7, 10**7, 1)
    log = LOG | {"message": "m" * padding}
    assert front.post(log).status == 202
    malformed = front.post(b"{nope" + b" " * padding)
    assert (malformed.status, malformed.headers["RateLimit"].split(";")[1]) == (400, "r=2")
    front.queue.is_down = True
    assert front.post(log).body["code"] == "queue_unavailable"
    front.queue.is_down, front.queue.backlog_limit_bytes = False, 1
    refused = front.post(log)
    assert (refused.body["code"], refused.headers["RateLimit"].split(";")[1]) == ("batch_too_large", "r=0")
    for body in (json.dumps(log).encode(), b"{nope" + b" " * padding):
        front.admission._refused.clear()
        assert front.post(body).body["code"] == "request_rate_exceeded"
    assert len(front.queued()) == 1


WHOLE_WAY = {"Content_Encoding": "identity"}  # a header that asks for nothing, and more than a single log has


@pytest.mark.parametrize(
    "body",
    [
        LOG,
        {"message": "m"},
        {"message": "m", "timestamp": "2026-03-01T12:00:00Z", "level": "error", "metadata": {"a": 1, "b": "c"}},
        {"message": "m", "timestamp": "soon"},
        {"message": "m", "metadata": {"a": {"b": 1}}},
        {"message": "m" * 5_000},
        {"message": 1},
        {"other": "m"},
        [LOG],
        {"logs": [LOG]},
        b"",
        b"{nope",
        b'{"message":"a"}\n{"message":"b"}',
        b'{"message":"\xff"}',
    ],
    ids=str,
)
def test_a_log_on_its_own_is_answered_and_queued_as_any_body_is(front: Front, body: Any) -> None:
    front.admission.rates = Rates(100, 10**6, 10**6, 1)
    short, whole = front.post(body), front.post(body, **WHOLE_WAY)
    left = [answer.headers.pop("RateLimit").partition(";t")[0] for answer in (short, whole)]
    assert left == ['"requests";r=99', '"requests";r=98']
    for answer in (short, whole):
        answer.body.pop("batch_id", None)
    assert short == whole
    records = [repr(record) for record in front.records()]
    assert records[::2] == records[1::2] if len(records) < 4 else len(records) == 4


def test_a_log_on_its_own_is_refused_as_any_body_is(front: Front) -> None:
    def both(**headers: str) -> tuple[Answer, Answer]:
        return front.post(LOG, **headers), front.post(LOG, **WHOLE_WAY, **headers)

    short, whole = both(X_API_Key="slc_wrong")
    assert (short.status, short) == (401, whole)
    front.queue.is_down = True
    short, whole = both()
    assert (short.status, short.body, short.headers.keys()) == (503, whole.body, whole.headers.keys())
    front.queue.is_down, front.queue.backlog_limit_bytes = False, 1
    short, whole = both()
    assert (short.status, short.body, short.headers.keys()) == (413, whole.body, whole.headers.keys())
    front.admission.rates = LIMITED
    for _ in range(9):
        front.post(LOG)
    short, whole = both()
    assert (short.status, short) == (429, whole)
    assert front.queued() == []


def test_the_smallest_limit_of_a_body_holds_for_a_log_on_its_own(front: Front) -> None:
    front.use_case = replace(front.use_case, settings=replace(front.settings, max_body_bytes=20))
    short, whole = front.post(LOG), front.post(LOG, **WHOLE_WAY)
    assert (short.status, short.body) == (413, whole.body)


def test_what_is_unexpected_is_a_problem_on_the_short_way_too(front: Front) -> None:
    front.use_case = replace(front.use_case, clock=lambda: None)
    assert [front.post(LOG).status, front.post(LOG, **WHOLE_WAY).status] == [500, 500]


def test_what_is_refused_anyhow_is_not_inflated(front: Front) -> None:
    front.admission.rates = LIMITED
    for _ in range(3):
        front.post(LOG)
    assert front.post(b"\x1f\x8b no gzip").status == 429
    front.admission.clock.advance(1)
    assert front.post(b"\x1f\x8b no gzip").status == 400


def test_many_refusals_are_one_line_with_a_count(front: Front) -> None:
    handler = BufferingHandler(100)
    app.logger.addHandler(handler)
    now = [0.0]
    app.api._throttled = Recurrences(10, lambda: now[0])
    front.admission.rates = LIMITED
    for _ in range(2 + 5):
        front.post(LOG)
    now[0] = 10
    front.post(LOG)
    app.logger.removeHandler(handler)
    told = [(line.getMessage(), line.__dict__["times"]) for line in handler.buffer]
    assert told == [("throttled", 1), ("throttled", 5)]
    assert "'shop'" in handler.buffer[0].__dict__["detail"]


def test_the_inflated_body_counts(front: Front) -> None:
    front.admission.rates = LIMITED
    body = gzip.compress(json.dumps([{"message": "m" * 30_000}]).encode())
    assert len(body) < 1_000
    assert front.post(body).status == 202, "a body larger than the bucket puts it into debt"
    answer = front.post(LOG)
    assert (answer.status, answer.body["violated-policies"]) == (429, ["bytes"])
    front.admission.clock.advance(int(answer.headers["Retry-After"]))
    assert front.post(LOG).status == 202
    over = front.post(body)
    assert (over.body["code"], over.body["violated-policies"]) == ("daily_quota_exceeded", ["daily-bytes"])
    assert over.headers["Retry-After"] == str(12 * 3600 - 1)


def test_a_body_over_the_days_quota_is_never_to_be_sent_again(front: Front) -> None:
    front.admission.rates = Rates(2, 20_000, 100, 1)
    answer = front.post({"message": "m" * 100})
    assert (answer.status, answer.body["violated-policies"]) == (413, ["daily-bytes"])
    assert "Retry-After" not in answer.headers


def test_what_a_full_queue_refuses_costs_nothing_of_the_day(front: Front) -> None:
    front.admission.rates = Rates(1_000, 10**6, 1_000, 1)
    front.queue.backlog_limit_bytes = 600
    assert front.post(LOG).status == 202
    for _ in range(30):
        answer = front.post(LOG)
        assert answer.body["code"] == "backlog_share_exceeded"
        assert answer.body["violated-policies"] == ["backlog-share"]
        assert answer.headers["Retry-After"] == "10"
        assert "daily-bytes" in answer.headers["RateLimit-Policy"]
        assert "daily-bytes" not in answer.headers["RateLimit"]


@pytest.mark.parametrize(
    ("body", "policy", "number"),
    [
        (b"x" * 10_001, "body-bytes", 10_000),
        (gzip.compress(b"x" * 50_001), "inflated-body-bytes", 50_000),
        ([{"message": "m"}] * 101, "batch-records", 100),
    ],
    ids=["wire", "inflated", "records"],
)
def test_too_large_names_the_limit_and_its_number(front: Front, body: Any, policy: str, number: int) -> None:
    answer = front.post(body)
    assert (answer.status, answer.body["violated-policies"]) == (413, [policy])
    assert str(number) in answer.body["detail"]
    assert "Retry-After" not in answer.headers


def test_admission_that_cannot_be_asked_is_unavailable(front: Front) -> None:
    front.admission.is_down = True
    answer = front.post(LOG)
    assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (503, "queue_unavailable", "2")
    assert front.queued() == []


def test_an_unknown_failure_is_a_problem_too(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_dependencies", lambda: None)
    answer = front.post(LOG)
    assert (answer.status, answer.body["code"]) == (500, "internal_error")
    assert "NoneType" not in json.dumps(answer.body)


def test_a_large_batch_is_queued_in_parts_under_one_id(front: Front) -> None:
    front.use_case = replace(
        front.use_case,
        settings=IngestSettings("redis://r", "postgresql://d", PEPPER, 1, 10**6, 10**6, 5_000, 10**8, *RATES),
    )
    answer = front.post([{"message": "m"}] * 2_500)
    entries = front.queued()
    assert answer.body["accepted"] == 2_500
    assert {entry.batch_id.hex for entry in entries} == {answer.body["batch_id"]}
    assert [(entry.part, entry.record_count, entry.first_sequence) for entry in entries] == [
        (0, 1_000, 1),
        (1, 1_000, 1_001),
        (2, 500, 2_001),
    ]


def test_the_list_of_rejections_is_bounded_and_says_how_many_there_are(front: Front) -> None:
    front.use_case = replace(
        front.use_case,
        settings=IngestSettings("redis://r", "postgresql://d", PEPPER, 1, 10**6, 10**6, 5_000, 10**8, *RATES),
    )
    answer = front.post([LOG] + [{}] * 1_500)
    assert (answer.body["accepted"], answer.body["rejected_count"]) == (1, 1_500)
    assert [item["index"] for item in answer.body["rejected"]] == list(range(1, 1_001))


@pytest.mark.parametrize(
    ("body", "headers", "messages"),
    [
        (b'{"message":"a"}\n{nope\n{"message":"c"}', {"Content_Type": "application/x-ndjson"}, ["a", "c"]),
        (b"one line\nanother", {"Content_Type": "text/plain; charset=utf-8"}, ["one line", "another"]),
        (zstd.compress(b'{"message":"a"}'), {"Content_Encoding": "zstd"}, ["a"]),
        (zlib.compress(b'{"message":"a"}', wbits=-15), {"Content_Encoding": "deflate"}, ["a"]),
    ],
)
def test_takes_every_form_of_body(front: Front, body: bytes, headers: dict[str, str], messages: list[str]) -> None:
    assert front.post(body, **headers).status == 202
    assert [record.message for record in front.records()] == messages


def test_a_text_nobody_declared_is_no_log(front: Front) -> None:
    assert front.post(b"one line").body["code"] == "invalid_json"
    assert front.post(b"x", Content_Encoding="br").body["code"] == "unsupported_encoding"


class ScriptedWaker:
    """Waker; ``error`` is what waking raises."""

    def __init__(self, error: Unavailable | None = None) -> None:
        self.error, self.calls = error, 0

    def wake(self) -> None:
        self.calls += 1
        if self.error:
            raise self.error


def test_wakes_the_drain_once_in_ten_seconds(front: Front) -> None:
    waker = ScriptedWaker()
    front.queue.wake_seconds = 10
    front.use_case = replace(front.use_case, waker=waker)
    for _ in range(3):
        assert front.post(LOG).status == 202
    assert waker.calls == 1
    front.queue.clock.advance(10)
    front.post(LOG)
    assert waker.calls == 2


def test_a_failed_wake_fails_no_request(front: Front, capsys: pytest.CaptureFixture[str]) -> None:
    front.queue.wake_seconds = 10
    front.use_case = replace(front.use_case, waker=ScriptedWaker(Unavailable("wake_failed", "no route")))
    assert front.post(LOG).status == 202
    logged = capsys.readouterr().out
    assert '"wakes_failed":[1.0]' in logged.replace(" ", "")


def test_waking_is_an_asynchronous_invocation(lambda_client: "LambdaClient", invoke_recorder: InvokeRecorder) -> None:
    invoke_recorder.functions["drain"] = lambda event: None
    LambdaWaker("drain", tick_seconds=10).wake()
    assert invoke_recorder.payloads("drain") == [{"lingers": True, "tick_seconds": 10}]


def test_a_wake_that_is_refused_is_unavailable(aws: None) -> None:
    waker = LambdaWaker("drain", tick_seconds=10)
    stubber = Stubber(waker._client)
    stubber.add_client_error("invoke", "TooManyRequestsException")
    with stubber, pytest.raises(Unavailable, match="TooManyRequests"):
        waker.wake()
