"""The load tester: its pure core, and what only a server can show."""

import json
import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from sluice_cli.loading.balance import compare
from sluice_cli.loading.client import Connection, read_reply
from sluice_cli.loading.generator import Generator
from sluice_cli.loading.histogram import Histogram
from sluice_cli.loading.payloads import Shape, make_bodies
from sluice_cli.loading.schedule import Schedule
from sluice_cli.loading.tally import Reply, Tally
from sluice_cli.main import app
from sluice_cli.retry import RetryPolicy
from unit.cli.platform import KEY, Platform
from unit.cli.playback import Answer, Playback, Request, problem

ACCEPTED = Answer(202, {"accepted": 2, "batch_id": "b" * 32, "rejected": []})


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["load", *arguments], catch_exceptions=False)


@given(st.lists(st.floats(0, 10**5), min_size=1), st.sampled_from([0.1, 50, 90, 99, 99.9, 100]))
def test_a_percentile_is_never_below_and_hardly_above_the_true_one(durations: list[float], percent: float) -> None:
    histogram = Histogram()
    for seconds in durations:
        histogram.record(seconds)
    rank = max(-(-len(durations) * percent // 100), 1)
    true = sorted(durations)[int(rank) - 1]
    assert true <= histogram.percentile(percent) + 1e-9
    assert histogram.percentile(percent) <= true * 1.01 + 2e-6
    assert histogram.max_seconds == max(durations)


def test_durations_beyond_any_sense_are_counted() -> None:
    histogram = Histogram()
    for seconds in (-1.0, 0.0, 1e12):
        histogram.record(seconds)
    assert histogram.count == 3
    assert Histogram().percentile(99) == 0


def test_the_schedule_is_even_and_knows_its_end() -> None:
    schedule = Schedule(rate=4, duration_seconds=2.5)
    assert schedule.request_count == 10
    assert [schedule.due_seconds(number) for number in (0, 1, 9)] == [0, 0.25, 2.25]
    assert [schedule.due_count(seconds) for seconds in (0, 0.3, 99)] == [1, 2, 10]
    assert Schedule(rate=0.1, duration_seconds=1).request_count == 1


@pytest.mark.parametrize(
    ("shape", "lowest", "highest"),
    [
        ("small", 60, 200),
        ("medium", 300, 800),
        ("large", 5_000, 12_000),
        ("mixed", 100, 2_500),
        ("json-metadata", 700, 2_500),
    ],
)
def test_shapes_have_their_size_and_are_the_same_for_the_same_seed(shape: str, lowest: int, highest: int) -> None:
    bodies = make_bodies(Shape(shape), 5, 1, gzipped=False)
    assert bodies == make_bodies(Shape(shape), 5, 1, gzipped=False)
    assert bodies != make_bodies(Shape(shape), 5, 2, gzipped=False)
    assert lowest < sum(map(len, bodies)) / len(bodies) / 5 < highest
    assert len(json.loads(Random(1).choice(bodies))) == 5
    zipped = make_bodies(Shape(shape), 5, 1, gzipped=True)
    assert sum(map(len, zipped)) < sum(map(len, bodies))


class Stalling:
    """A server that answers at once, but not between 0.2 and 1.2 s after its first request."""

    def __init__(self) -> None:
        self.first: float | None = None

    def post(self, body: bytes) -> Reply:
        now = time.monotonic()
        self.first = self.first or now
        since = now - self.first
        if 0.2 <= since < 1.2:
            time.sleep(1.2 - since)
        return Reply("", 1)

    def close(self) -> None:
        """Nothing is open."""


def test_a_stall_is_in_the_latency_of_every_request_that_was_due_meanwhile() -> None:
    """With one connection a closed loop would see one slow request; half of those due here wait 0.5 s or more."""
    server = Stalling()
    generator = Generator(Schedule(rate=100, duration_seconds=1.4), [b"x"], 1, lambda: server)
    generator.start()
    assert generator.wait(20)
    generator.finish()
    tally = generator.tally
    assert tally.answered == tally.accepted_requests == 140
    late = sum(1 for percent in range(1, 101) if tally.latency.percentile(percent) >= 0.45)
    assert late >= 35, "those due in the first half second of the stall: 50 of 140"
    assert tally.latency.percentile(99) >= 0.9
    assert tally.service.percentile(90) < 0.45, "a closed loop's view: nearly all is well"
    assert tally.waited >= 90
    assert any("waited for a free connection" in warning for warning in tally.warnings(0.1))


class Hanging:
    def post(self, body: bytes) -> Reply:
        time.sleep(0.5)
        return Reply("", 1)

    def close(self) -> None:
        """Nothing is open."""


def test_what_was_due_and_never_sent_counts_its_wait_as_latency() -> None:
    generator = Generator(Schedule(rate=100, duration_seconds=60), [b"x"], 1, Hanging)
    generator.start()
    generator.wait(0.8)
    generator.finish(is_interrupted=True)
    tally = generator.tally
    assert tally.not_sent > 50
    assert tally.started <= 4
    assert tally.latency.count == tally.answered + tally.not_sent
    assert tally.latency.percentile(50) > 0.2


def test_a_generator_that_falls_behind_says_so() -> None:
    tally = Tally()
    for _ in range(100):
        tally.start(lag_seconds=0.2, has_waited=False)
    assert "may have been the limit" in tally.warnings(0.2)[0]
    assert "may have been the limit" in Tally(started=1).warnings(0.99)[0]
    assert Tally(started=1).warnings(0.2) == []


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (202, b'{"accepted": 2, "rejected": []}', Reply("", 2)),
        (202, b'{"accepted": 1, "rejected": [{"code": "x"}]}', Reply("", 1, {"x": 1})),
        (
            202,
            b'{"accepted": 1, "rejected": [{"code": "x"}], "rejected_count": 3}',
            Reply("", 1, {"x": 1, "not listed": 2}),
        ),
        (202, b"<html>", Reply("202 without JSON", is_known=False)),
        (503, b'{"code": "backlog_full"}', Reply("503 backlog_full")),
        (504, b'{"message": "Endpoint request timed out"}', Reply("504 Endpoint request timed out", is_known=False)),
        (500, b"[]", Reply("500 without JSON")),
    ],
)
def test_replies(status: int, content: bytes, expected: Reply) -> None:
    assert read_reply(status, content) == expected


def test_a_good_client_repeats_under_one_key_and_others_do_not(server: Playback) -> None:
    later = Answer(503, problem(503, "backlog_full", "Later.").content, {"Retry-After": "7"})
    server.answers(later, Answer(hang_up=True), ACCEPTED)
    waits: list[float] = []
    good = Connection(server.url, KEY, gzipped=False, policy=RetryPolicy(attempts=8), wait=waits.append)
    assert good.post(b"[]") == Reply("", 2, {}, True, 2)
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1
    assert waits == [7.0, 0.5]
    server.answers(later)
    plain = Connection(server.url, KEY, gzipped=False, policy=None)
    assert plain.post(b"[]").code == "503 backlog_full"
    assert "Idempotency-Key" not in server.requests[-1].headers


def test_a_connection_that_breaks_is_an_unknown_outcome_and_opened_again(server: Playback) -> None:
    server.answers(Answer(hang_up=True), ACCEPTED)
    connection = Connection(server.url, KEY, gzipped=False, policy=None)
    assert connection.post(b"[]") == Reply("no answer: RemoteDisconnected", is_known=False)
    assert connection.post(b"[]") == Reply("", 2)
    assert Connection("http://127.0.0.1:9", KEY, gzipped=False, policy=None).post(b"[]").is_known


def ledger(**accepted: int) -> dict[str, Any]:
    counts = {"duplicate": 0, "dead_lettered": 0, "in_flight": 0, "unaccounted": 0}
    entries = [{"application": name, "accepted": n, "stored": n, **counts} for name, n in accepted.items()]
    total = sum(accepted.values())
    return {"applications": entries, "total": {"accepted": total, "stored": total, **counts}}


def test_the_ledgers_growth_is_that_of_the_application_which_grew() -> None:
    grown = compare(ledger(a=5, b=7), ledger(a=5, b=17), None)
    assert (grown.application, grown.accepted, grown.is_settled()) == ("b", 10, True)
    assert grown.is_balanced(10, 0)
    assert not grown.is_balanced(9, 0), "more than was answered"
    assert not grown.is_balanced(11, 0), "less than was answered"
    assert grown.is_balanced(8, 2), "requests without an answer may have been taken"
    assert compare(ledger(a=5, b=7), ledger(a=6, b=17), None).application == "all"
    assert compare(ledger(a=5, b=7), ledger(a=6, b=17), "a").accepted == 1
    assert compare(ledger(), ledger(new=3), None).accepted == 3


def stored_at_once(platform: Platform) -> Callable[[Request], Answer]:
    def play(request: Request) -> Answer:
        answer = platform(request)
        platform.drain()
        return answer

    return play


def test_a_run_that_balances(server: Playback, platform: Platform) -> None:
    server.play = stored_at_once(platform)
    result = sluice("--rate", "100", "--duration", "0.2", "--batch", "5", "--gzip", "--json")
    summary = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert summary["requests"] == {
        "sent": 20, "accepted": 20, "refused": {}, "retries": 0, "not_sent": 0, "unanswered": 0,
    }  # fmt: skip
    assert (summary["logs"]["accepted"], platform.accepted) == (100, 100)
    assert summary["ledger"]["is_balanced"]
    assert summary["ledger"]["stored"] == 100
    assert list(summary["latency_ms"]) == ["p50", "p90", "p95", "p99", "p99.9", "max"]


def test_refusals_are_counted_by_code_and_end_in_exit_code_1(server: Playback, platform: Platform) -> None:
    def play(request: Request) -> Answer:
        return platform(request) if request.method == "GET" else problem(429, "backlog_share_exceeded", "Slow down.")

    server.play = play
    result = sluice("--rate", "50", "--duration", "0.1", "--url", f"{server.url}/v1")
    assert result.exit_code == 1
    assert "429 backlog_share_exceeded" in result.stdout
    assert "5 sent, 0 accepted" in result.stdout


def test_a_loss_ends_in_exit_code_1(server: Playback, platform: Platform) -> None:
    server.play = stored_at_once(platform)
    platform.lose = lambda log: log["id"].endswith("-1")
    result = sluice("--rate", "50", "--duration", "0.1", "--batch", "3", "--wait-seconds", "0")
    assert result.exit_code == 1
    assert "DOES NOT BALANCE" in result.stdout
    assert "5 unaccounted" in result.stdout


def test_a_key_that_may_not_read_leaves_the_ledger_alone(server: Playback, platform: Platform) -> None:
    def play(request: Request) -> Answer:
        return problem(403, "missing_scope", "read") if request.method == "GET" else platform(request)

    server.play = play
    result = sluice("--rate", "50", "--duration", "0.1", "--url", f"{server.url}/v1")
    assert result.exit_code == 0
    assert "not checked" in result.stderr


def test_other_machines_are_loaded_on_purpose_only() -> None:
    result = sluice("--url", "https://logs.example", "--key", KEY)
    assert result.exit_code == 2
    assert "not on this machine" in result.stderr
    assert "--yes" in result.stderr


def test_a_wrong_key_ends_it_before_the_first_request(server: Playback, platform: Platform) -> None:
    assert sluice("--key", "slc_wrong").exit_code == 3
    assert not [request for request in server.requests if request.method == "POST" and "ingest" in request.path]
