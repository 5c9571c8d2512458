"""A new release beside the one before, under load, with the schema's change in between: no error, nothing lost."""

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from aws import rest_event
from faults.harness.load import Background, log_body
from faults.harness.platform import TICK_SECONDS, Platform, running_platform
from faults.harness.releases import PREVIOUS, MixedLambdas, check_out
from faults.harness.sizes import SIZE
from scratch import Scratch
from sluice.chunks.split import CONDEMNED_FROM
from sluice.entries.columns import TABLE_RECORDS

LOGS_PER_REQUEST = 100
CLIENTS, BEAT_SECONDS = 4, 0.2  # 2,000 logs a second
PHASE_SECONDS = {"smoke": 2.0, "ci": 10.0, "nightly": 60.0}[SIZE.name]


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = check_out(PREVIOUS, tmp_path_factory.mktemp("previous"))
    if found is None:
        pytest.skip(f"this clone does not have the commit {PREVIOUS}: git fetch --unshallow")
    return found


@pytest.fixture
def mixed(empty_database: Callable[[], Scratch], fault_redis_url: str) -> Iterator[Platform]:
    """A platform on an empty database."""
    with running_platform(empty_database(), fault_redis_url, kind=MixedLambdas) as platform:
        platform.oracle.counts_by_release = False
        yield platform


def lambdas_of(platform: Platform) -> MixedLambdas:
    assert isinstance(platform.lambdas, MixedLambdas)
    return platform.lambdas


def versions(platform: Platform) -> int:
    return len(platform.database.rows("SELECT 1 FROM schema_migrations"))


def test_a_release_replaces_another_without_an_error(mixed: Platform, previous: Path) -> None:
    """In the order of the template: ingest comes after process_chunk, which reads what either release queues."""
    lambdas = lambdas_of(mixed)
    errors: Counter[str] = Counter()
    turns = itertools.count()

    lambdas.choose = lambda verb: previous
    lambdas.invoke("admin", {"action": "migrate"})
    before = versions(mixed)
    application = mixed.create_application()

    def send() -> None:
        answer = mixed.post(application.key, log_body(LOGS_PER_REQUEST))
        if answer.status != 202 or answer.body["rejected_count"]:
            errors[f"ingest {answer.status} {answer.body}"] += 1

    def read() -> None:
        event = rest_event("GET", "/api/logs", None, headers={"X-API-Key": application.key})
        answer: dict[str, Any] = lambdas.invoke("query", event)
        if answer["statusCode"] != 200 or json.loads(answer["body"]).get("partial"):
            errors[f"query {answer['statusCode']} {answer['body'][:200]}"] += 1

    def drain() -> None:
        report = mixed.drain()
        if report["chunks_failed"]:
            errors[f"drain {report}"] += 1

    def phase(choose: Callable[[str], Path | None]) -> None:
        lambdas.choose = choose
        time.sleep(PHASE_SECONDS)

    with ExitStack() as running:
        running.enter_context(Background(drain, TICK_SECONDS))
        running.enter_context(Background(read, TICK_SECONDS))
        for _ in range(CLIENTS):
            running.enter_context(Background(send, BEAT_SECONDS))
        phase(lambda verb: previous)
        lambdas.choose = lambda verb: None if verb == "admin" else previous
        applied = lambdas.invoke("admin", {"action": "migrate", "phases": ["pre"]})["applied"]
        phase(lambda verb: None if verb == "admin" else previous)
        phase(lambda verb: previous if verb == "ingest" or next(turns) % 2 else None)
        phase(lambda verb: None if verb == "process_chunk" or next(turns) % 2 else previous)
        phase(lambda verb: None)
        lambdas.invoke("admin", {"action": "migrate", "phases": ["post"]})
        phase(lambda verb: None)
    mixed.drain_until_empty()

    assert not errors
    assert applied
    assert versions(mixed) > before
    verdict = mixed.oracle.judge()
    assert verdict.is_clean
    mixed.oracle.assert_settled(verdict)
    sent = mixed.statuses[202] * LOGS_PER_REQUEST
    assert mixed.database.rows("SELECT count(*) FROM log_entries") == [(sent,)]


def test_what_the_release_before_queued_is_stored_by_this_one(mixed: Platform, previous: Path) -> None:
    lambdas = lambdas_of(mixed)
    lambdas.invoke("admin", {"action": "migrate"})
    application = mixed.create_application()
    lambdas.choose = lambda verb: previous
    batches = [mixed.post(application.key, log_body(count)).body["batch_id"] for count in (3, LOGS_PER_REQUEST)]
    lambdas.choose = lambda verb: None
    mixed.drain()
    mixed.wait_until_stored(batches)
    verdict = mixed.oracle.judge()
    assert verdict.is_clean
    mixed.oracle.assert_settled(verdict)


def test_a_release_that_was_taken_back_loses_nothing(mixed: Platform, previous: Path) -> None:
    """What only it can read waits for it, however often the one before comes across it, and so does what that one takes
    into a chunk with it."""
    lambdas = lambdas_of(mixed)
    lambdas.invoke("admin", {"action": "migrate"})
    application = mixed.create_application()
    table, lines = (mixed.post(application.key, log_body(count)).body["batch_id"] for count in (TABLE_RECORDS, 3))

    lambdas.choose = lambda verb: previous
    failures = [mixed.drain()["chunks_failed"] for _ in range(2 * CONDEMNED_FROM)]
    assert all(failures)
    assert mixed.oracle.missing() == {table, lines}

    lambdas.choose = lambda verb: None
    mixed.drain_until_empty()
    verdict = mixed.oracle.judge()
    assert verdict.is_clean
    mixed.oracle.assert_settled(verdict)
    assert mixed.database.rows("SELECT count(*) FROM dead_letters") == [(0,)]
