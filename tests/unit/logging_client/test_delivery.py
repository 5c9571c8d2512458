"""Every record arrives exactly once, or is counted."""

import logging
import socket
import threading
import time
from email.utils import formatdate
from itertools import pairwise

import pytest
from sluice_logging import SluiceHandler, flush_after
from sluice_logging.batches import Batch
from sluice_logging.delivery import Delivery
from sluice_logging.report import Counters, Reporter
from sluice_logging.retry import Answer as HttpAnswer
from sluice_logging.retry import NoAnswer, backoff_seconds, judge, retry_after_seconds

from unit.cli.playback import Answer, Playback, problem
from unit.logging_client.conftest import MakeHandler
from unit.logging_client.receiver import LOST_ANSWER, Receiver

WAIT = 20.0
NOW = 1_764_000_000.0
ACCEPTED = HttpAnswer(202, {}, b'{"accepted": 1, "batch_id": "b", "rejected": []}')


def attach(logger: logging.Logger, handler: SluiceHandler) -> SluiceHandler:
    logger.addHandler(handler)
    return handler


def balance(handler: SluiceHandler) -> int:
    """Records without a fate; 0 unless the counters are wrong."""
    stats = handler.stats()
    fates = ("queued", "delivered", "dropped", "rejected", "refused")
    return stats["received"] - sum(stats[name] for name in fates)


def test_records_of_many_threads_arrive_exactly_once_in_batches(
    receiver: Receiver, server: Playback, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    handler = attach(logger, make_handler(batch_records=100))

    def work(number: int) -> None:
        for position in range(100):
            logger.info("%d-%d", number, position)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert handler.flush(WAIT)
    assert receiver.counts() == {f"{number}-{position}": 1 for number in range(16) for position in range(100)}
    assert len(server.requests) < 400
    assert handler.stats()["delivered"] == 1600
    assert balance(handler) == 0


@pytest.mark.parametrize(
    "trouble",
    [
        [LOST_ANSWER],
        [LOST_ANSWER, problem(503, "unavailable", ""), LOST_ANSWER],
        [problem(429, "throttled", ""), problem(502, "", ""), problem(504, "", ""), problem(408, "", "")],
        [problem(500, "internal_error", "")],
        [Answer(200, b"<html>welcome to this wireless network")],
    ],
    ids=["answer-lost", "lost-twice", "later", "broken", "portal"],
)
def test_a_batch_in_trouble_is_stored_once(
    trouble: list[Answer], receiver: Receiver, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    receiver.script = list(trouble)
    handler = attach(logger, make_handler())
    logger.info("one")
    while not handler.flush(0.05):  # each flush makes haste of a backoff
        pass
    assert receiver.messages == ["one"]
    assert receiver.tries == len(trouble) + 1
    assert balance(handler) == 0


def test_a_server_that_hangs_costs_a_timeout_and_nothing_else(
    receiver: Receiver, server: Playback, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    is_over = threading.Event()

    def hang_once(request: object) -> Answer:
        server.play = receiver
        is_over.wait(WAIT)
        return LOST_ANSWER

    server.play = hang_once
    handler = attach(logger, make_handler(timeout_seconds=0.1))
    logger.info("one")
    assert handler.flush(WAIT)
    is_over.set()
    assert receiver.messages == ["one"]


def test_a_kept_connection_that_died_is_replaced_without_a_wait(
    receiver: Receiver, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    handler = attach(logger, make_handler())
    logger.info("one")
    assert handler.flush(WAIT)
    receiver.script = [LOST_ANSWER]
    logger.info("two")
    assert handler.flush(WAIT)
    assert receiver.messages == ["one", "two"]
    assert handler.stats()["retries"] == 0


def test_a_connection_serves_many_batches(
    receiver: Receiver, server: Playback, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    handler = attach(logger, make_handler())
    ports: set[int] = set()
    for number in range(3):
        logger.info("%d", number)
        assert handler.flush(WAIT)
        connection = handler._shipper._transport._connection  # type: ignore[union-attr]
        assert connection is not None
        ports.add(connection.sock.getsockname()[1])
    assert len(ports) == 1


def test_a_batch_that_is_too_large_is_halved(
    receiver: Receiver, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    receiver.max_records = 3
    handler = attach(logger, make_handler(interval_seconds=WAIT))
    for number in range(10):
        logger.info("%d", number)
    assert handler.flush(WAIT)
    assert receiver.messages == [str(number) for number in range(10)]
    assert balance(handler) == 0


def test_one_record_that_is_too_large_is_refused_and_counted(
    receiver: Receiver, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    receiver.max_records = 0
    handler = attach(logger, make_handler(interval_seconds=WAIT))
    logger.info("one")
    logger.info("two")
    assert handler.flush(WAIT)
    assert handler.stats()["refused"] == 2
    assert balance(handler) == 0


def test_a_wrong_key_is_reported_once(
    receiver: Receiver, make_handler: MakeHandler, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = attach(logger, make_handler(api_key="slc_other"))
    for _ in range(3):
        logger.info("one")
        assert handler.flush(WAIT)
    assert handler.stats()["refused"] == 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "401 invalid_key (is SLUICE_API_KEY right" in lines[0]
    assert "slc_other" not in lines[0]


def test_a_redirect_is_not_followed(
    server: Playback, make_handler: MakeHandler, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers(Answer(302, {}, {"Location": f"{server.url}/elsewhere"}))
    handler = attach(logger, make_handler())
    logger.info("one")
    assert handler.flush(WAIT)
    assert [request.path for request in server.requests] == ["/v1/api/ingest"]
    assert handler.stats()["refused"] == 1


def test_rejected_records_are_counted_one_by_one(
    receiver: Receiver, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    handler = attach(logger, make_handler(interval_seconds=WAIT))
    for message in ("good", "bad", "good"):
        logger.info(message)
    assert handler.flush(WAIT)
    stats = handler.stats()
    assert (stats["delivered"], stats["rejected"]) == (2, 1)
    assert balance(handler) == 0


@pytest.mark.parametrize(("drop", "kept"), [("newest", range(5)), ("oldest", range(15, 20))])
def test_a_full_queue_drops_counts_and_says_so_later(
    drop: str, kept: range, receiver: Receiver, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    handler = attach(logger, make_handler(queue_records=5, drop=drop, interval_seconds=WAIT))
    for number in range(20):
        logger.info("%d", number)
    assert handler.stats()["dropped"] == 15
    assert handler.flush(WAIT)
    logger.info("afterwards")
    assert handler.flush(WAIT)
    told = [log for log in receiver.logs if log["logger"] == "sluice_logging"]
    assert [message for message in receiver.messages if message.isdigit()] == [str(number) for number in kept]
    assert [log["message"] for log in told] == ["15 logs were lost"]
    assert told[0]["level"] == "WARNING"
    assert told[0]["metadata"]["lost"] == {"dropped": 15, "refused": 0}
    assert balance(handler) == 0


def test_memory_is_bounded_by_bytes_while_nobody_answers(make_handler: MakeHandler, logger: logging.Logger) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        handler = attach(logger, make_handler(url=url, queue_bytes=200_000, close_seconds=0))
        for _ in range(1_000):
            logger.info("x" * 10_000)
        stats = handler.stats()
        assert 0 < stats["queued_bytes"] <= 200_000
        assert stats["dropped"] + stats["queued"] == 1_000
        handler.close()


def test_an_entry_larger_than_the_queue_is_dropped_alone(
    receiver: Receiver, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    handler = attach(logger, make_handler(queue_bytes=5_000, drop="oldest", interval_seconds=WAIT))
    logger.info("one")
    logger.info("x" * 10_000)
    assert handler.flush(WAIT)
    assert "one" in receiver.messages
    assert handler.stats()["dropped"] == 1


def test_close_gives_up_at_its_deadline_and_counts_the_rest(
    make_handler: MakeHandler, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        handler = attach(logger, make_handler(url=f"http://127.0.0.1:{silent.getsockname()[1]}"))
        logger.info("one")
        started = time.monotonic()
        handler.close()
        assert time.monotonic() - started < WAIT
    assert handler.stats()["undelivered"] == 1
    assert "1 logs were not delivered before" in capsys.readouterr().err


def test_a_flush_and_the_close_after_it_share_one_deadline(make_handler: MakeHandler, logger: logging.Logger) -> None:
    """logging.shutdown calls both."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        handler = attach(logger, make_handler(url=f"http://127.0.0.1:{silent.getsockname()[1]}", close_seconds=30))
        logger.info("one")
        assert not handler.flush(0.05)
        failed_at = time.monotonic()
        handler.close()
        deadline = handler._shipper.buffer.deadline  # type: ignore[union-attr]
        assert deadline is not None
        assert deadline - failed_at < 30


def test_after_close_records_are_dropped_and_counted(
    receiver: Receiver, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    handler = attach(logger, make_handler(close_seconds=WAIT))
    logger.info("before")
    handler.close()
    logger.info("after")
    assert receiver.messages == ["before"]
    assert handler.stats()["dropped"] == 1


def test_what_the_sender_itself_logs_does_not_come_back(
    receiver: Receiver, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    handler = attach(logger, make_handler())
    transport = handler._shipper._transport  # type: ignore[union-attr]
    post = transport.post

    def chatty(body: bytes, key: str, timeout_seconds: float) -> HttpAnswer:
        logger.info("posting")
        return post(body, key, timeout_seconds)

    transport.post = chatty  # type: ignore[method-assign]  # what an instrumentation does
    logger.info("one")
    assert handler.flush(WAIT)
    assert handler.flush(WAIT)
    assert receiver.messages == ["one"]


def test_a_lambda_handler_flushes_before_it_returns(
    receiver: Receiver, make_handler: MakeHandler, logger: logging.Logger
) -> None:
    attach(logger, make_handler(interval_seconds=WAIT))

    @flush_after
    def handle(event: object, context: object) -> str:
        logger.info("working on %s", event)
        return "done"

    assert handle(1, None) == "done"
    assert receiver.messages == ["working on 1"]


def test_without_url_or_key_it_says_so_and_drops(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    attach(logger, SluiceHandler())
    monkeypatch.setenv("SLUICE_URL", "http://127.0.0.1")
    attach(logger, SluiceHandler())
    logger.info("one")
    assert capsys.readouterr().err.splitlines() == [
        "sluice_logging: SLUICE_URL is not set: logs are not sent",
        "sluice_logging: SLUICE_API_KEY is not set: logs are not sent",
    ]


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host", "https://", "https://user:pw@host", "https://h/?a=b"])
def test_a_url_that_cannot_be_right_is_an_error(url: str) -> None:
    with pytest.raises(ValueError, match="SLUICE_URL"):
        SluiceHandler(url, "slc_key")


class Pauses:
    """Takes the place of waiting."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, float]] = []

    def __call__(self, backoff: float, server: float) -> bool:
        self.asked.append((backoff, server))
        return True


def deliver(*answers: HttpAnswer | NoAnswer) -> tuple[Pauses, Counters]:
    upcoming = list(answers)

    def post(batch: Batch) -> HttpAnswer:
        answer = upcoming.pop(0)
        if isinstance(answer, NoAnswer):
            raise answer
        return answer

    pauses, counters = Pauses(), Counters()
    assert Delivery(post, pauses, lambda count: None, counters, Reporter()).deliver(Batch.of([b"{}"]))
    return pauses, counters


def test_retry_after_is_what_is_waited() -> None:
    pauses, counters = deliver(HttpAnswer(429, {"retry-after": "7"}), HttpAnswer(503, {"retry-after": "90"}), ACCEPTED)
    assert [server for _, server in pauses.asked] == [7.0, 90.0]
    assert (counters.delivered, counters.retries) == (1, 2)


def test_a_broken_server_is_given_up_and_an_unreachable_one_never() -> None:
    _, counters = deliver(*[HttpAnswer(500)] * 8)
    assert (counters.refused, counters.retries) == (1, 7)
    _, counters = deliver(*[NoAnswer("refused")] * 100, ACCEPTED)
    assert (counters.delivered, counters.retries) == (1, 100)


def test_retry_after_as_a_date_is_measured_by_the_servers_clock() -> None:
    date = formatdate(NOW + 30, usegmt=True)
    assert retry_after_seconds({"retry-after": date}, NOW) == 30
    assert retry_after_seconds({"retry-after": date, "date": formatdate(NOW + 20, usegmt=True)}, NOW + 29) == 10
    assert retry_after_seconds({"retry-after": formatdate(NOW - 5)}, NOW) == 0


@pytest.mark.parametrize("text", ["soon", "-3", "1e9", "", "٣", "Mon, 99 Foo 2026"])
def test_a_retry_after_that_says_nothing_is_none(text: str) -> None:
    assert 0 <= retry_after_seconds({"retry-after": text}, NOW) <= 3


def test_backoff_doubles_to_half_a_minute_and_varies() -> None:
    longest = [max(backoff_seconds(failures) for _ in range(200)) for failures in range(1, 12)]
    assert all(first < second for first, second in pairwise(longest[:6]))
    assert max(longest) <= 30
    assert len({backoff_seconds(3) for _ in range(10)}) > 1
    assert backoff_seconds(100_000) <= 30


@pytest.mark.parametrize("body", [b"", b"[", b"[" * 100_000, b"[1]", b"\xff", b'{"errors": 3}', b'{"code": []}'])
@pytest.mark.parametrize("status", [202, 302, 400, 401, 413, 422, 429, 500])
def test_no_answer_confuses_the_judge(status: int, body: bytes) -> None:
    assert judge(HttpAnswer(status, {}, body), 1, NOW).action in ("failed", "refused", "retry")


def test_rejections_that_are_not_listed_are_counted() -> None:
    body = b'{"accepted": 5, "rejected": [{"index": 0, "code": "x"}], "rejected_count": 3}'
    assert judge(HttpAnswer(202, {}, body), 8, NOW).rejected == 3


def test_all_records_rejected_counts_each() -> None:
    body = b'{"code": "all_records_rejected", "errors": [{"index": 0, "code": "x"}, {"index": 1, "code": "y"}]}'
    verdict = judge(HttpAnswer(400, {}, body), 2, NOW)
    assert (verdict.action, verdict.rejected) == ("refused", 2)


def test_a_pause_is_never_shorter_than_the_server_asked(make_handler: MakeHandler) -> None:
    """Not for a flush, and not for a close: there it ends the delivery."""
    buffer = make_handler()._shipper.buffer  # type: ignore[union-attr]
    ended: list[bool] = []
    waiting = threading.Thread(target=lambda: ended.append(buffer.pause(0.0, WAIT)))
    waiting.start()
    buffer.flush(0.0)
    waiting.join(0.05)
    assert waiting.is_alive()
    buffer.close(time.monotonic() + 0.1)
    waiting.join(WAIT)
    assert ended == [False]
