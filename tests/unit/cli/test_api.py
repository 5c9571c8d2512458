import pytest

from sluice_cli.api import INGEST_POLICY, PAGE_LOGS, READ_POLICY, Api, Receipt, RequestRefusedError
from sluice_cli.errors import CliError, DeniedError, SettingsError, UnavailableError
from unit.cli.playback import Answer, Playback, Request, problem

ACCEPTED = Answer(202, {"accepted": 1, "batch_id": "b" * 32, "rejected": []})
KEY = "slc_key"


class Waits:
    """A clock that notes the waits instead of waiting."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.notices: list[str] = []

    def api(self, server: Playback, key: str | None = KEY) -> Api:
        return Api(server.url, key, wait=self.seconds.append, notice=self.notices.append)


@pytest.mark.parametrize(
    "failure",
    [
        problem(429, "application_backlog_full", "Too much is waiting."),
        problem(503, "queue_unavailable", "Later."),
        Answer(502, b"<html>bad gateway</html>"),
        Answer(hang_up=True),
    ],
)
def test_a_retry_is_the_same_request_with_the_same_idempotency_key(server: Playback, failure: Answer) -> None:
    server.answers(failure, failure, ACCEPTED)
    waits = Waits()
    assert waits.api(server).ingest([{"message": "m"}], "token") == Receipt("b" * 32, 1, ())
    assert [request.headers["Idempotency-Key"] for request in server.requests] == ["token"] * 3
    assert len({request.body for request in server.requests}) == 1
    assert waits.seconds == [0.25, 0.5]
    assert len(waits.notices) == 2


def test_the_request_is_gzip_with_the_key(server: Playback) -> None:
    server.answers(ACCEPTED)
    Waits().api(server).ingest([{"message": "grüß 🫖 \ud800"}], "token")
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/api/ingest/")
    assert request.headers["X-API-Key"] == KEY
    assert request.headers["Content-Type"] == "application/gzip"
    assert request.json() == [{"message": "grüß 🫖 \ud800"}]


def test_retry_after_is_followed_up_to_the_longest_wait(server: Playback) -> None:
    def busy(seconds: str) -> Answer:
        return Answer(429, {}, {"Retry-After": seconds})

    server.answers(busy("3"), busy("900"), busy("Wed, 21 Oct 2026 07:28:00 GMT"), busy("0"), ACCEPTED)
    waits = Waits()
    waits.api(server).ingest([{"message": "m"}], "token")
    assert waits.seconds == [3, INGEST_POLICY.longest_seconds, 1, 0]


def test_tries_end_with_the_last_answer_in_the_error(server: Playback) -> None:
    server.answers(problem(503, "queue_full", "The queue holds 128 MiB."))
    waits = Waits()
    with pytest.raises(UnavailableError, match="503 queue_full: The queue holds 128 MiB"):
        waits.api(server).ingest([{"message": "m"}], "token")
    assert len(server.requests) == INGEST_POLICY.attempts
    assert sum(waits.seconds) < 60


def test_nobody_there(server: Playback) -> None:
    waits = Waits()
    nowhere = Api("http://127.0.0.1:9", KEY, wait=waits.seconds.append)
    with pytest.raises(UnavailableError, match="Nothing answers") as caught:
        nowhere.ledger()
    assert "make up" in caught.value.line()
    assert len(waits.seconds) == READ_POLICY.attempts - 1
    assert sum(waits.seconds) < 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(401, "unknown_key", "No such key."), DeniedError),
        (problem(403, "missing_scope", "The key lacks scope read."), DeniedError),
        (problem(400, "invalid_json", "Line 1."), RequestRefusedError),
        (problem(413, "body_too_large", "5 MB."), RequestRefusedError),
        (problem(422, "idempotency_key_reused", "Other body."), RequestRefusedError),
        (problem(500, "internal_error", "Sorry."), UnavailableError),
        (Answer(200, b"<html>hello</html>"), CliError),
        (Answer(302, b"", {"Location": "http://127.0.0.1:9/"}), CliError),
    ],
)
def test_refusals_are_not_retried_and_name_the_code(server: Playback, answer: Answer, kind: type[CliError]) -> None:
    server.answers(answer)
    with pytest.raises(kind) as caught:
        Waits().api(server).ingest([{"message": "m"}], "token")
    assert len(server.requests) == 1
    if isinstance(answer.content, dict):
        assert f"{answer.content['code']}: {answer.content['detail']}" in caught.value.message
    assert "\n" not in caught.value.line()


def test_a_refused_batch_has_the_records_at_fault(server: Playback) -> None:
    errors = [{"index": 0, "pointer": "#/level", "code": "invalid_level", "detail": "expected text"}]
    server.answers(problem(400, "invalid_level", "Record 0.", errors=errors))
    with pytest.raises(RequestRefusedError) as caught:
        Waits().api(server).ingest([{"message": "m"}], "token")
    assert [(entry.index, entry.code) for entry in caught.value.rejected] == [(0, "invalid_level")]


@pytest.mark.parametrize("key", [None, "", "with space", "grüß", "line\nbreak"])
def test_a_key_that_cannot_be_one_is_not_sent(server: Playback, key: str | None) -> None:
    with pytest.raises(SettingsError, match="key"):
        Waits().api(server, key).ledger()
    assert server.requests == []


def test_health_is_asked_once_and_without_key(server: Playback) -> None:
    server.answers(problem(503, "database_unavailable", "Down."))
    with pytest.raises(UnavailableError):
        Waits().api(server).health()
    (request,) = server.requests
    assert "X-API-Key" not in request.headers


def pages(total: int) -> list[Answer]:
    starts = range(0, max(total, 1), PAGE_LOGS)
    return [
        Answer(
            200,
            {
                "logs": [{"id": str(position)} for position in range(start, min(start + PAGE_LOGS, total))],
                "next_cursor": str(start + PAGE_LOGS) if start + PAGE_LOGS < total else None,
            },
        )
        for start in starts
    ]


@pytest.mark.parametrize("total", [0, 1, PAGE_LOGS, PAGE_LOGS * 2 + 5])
def test_logs_are_fetched_page_by_page_to_the_end(server: Playback, total: int) -> None:
    server.answers(*pages(total))
    logs = list(Waits().api(server).logs({"level": "ERROR"}, None))
    assert [log["id"] for log in logs] == [str(position) for position in range(total)]
    assert all(request.query["level"] == "ERROR" for request in server.requests)
    assert "cursor" not in server.requests[0].query


def test_a_limit_asks_for_no_more_than_it_needs(server: Playback) -> None:
    def play(request: Request) -> Answer:
        size = int(request.query["limit"])
        return Answer(200, {"logs": [{"id": "x"}] * size, "next_cursor": "more"})

    server.play = play
    assert len(list(Waits().api(server).logs({}, 1500))) == 1500
    assert [request.query["limit"] for request in server.requests] == ["1000", "500"]
