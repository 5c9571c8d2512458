"""functions/watch and functions/alerts on real servers."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
import redis

from apps import load_app
from aws import LambdaContext, rest_event
from desk import Desk
from fakes import NOON
from samples import PEPPER
from scratch import Scratch
from sluice.alerts.postgres_incidents import PostgresIncidents
from sluice.alerts.postgres_lock import only_run
from sluice.alerts.postgres_rules import PostgresRules
from sluice.alerts.postgres_source import PostgresLogSource
from sluice.alerts.postgres_states import PostgresRuleStates
from sluice.applications.lookup import KeyLookup
from sluice.applications.postgres import PostgresKeyStore, limits_by_name
from sluice.entries.model import Level
from sluice.errors import Unavailable
from sluice.runtime.postgres import Database

watch_app = load_app("watch")
alerts_app = load_app("alerts")
MINUTE = timedelta(minutes=1)
SETTLING = timedelta(seconds=2)
ERRORS = {"name": "Errors", "query": "level:>=error", "window_seconds": 60, "above": 5}


class Office(Desk):
    """The functions as they are deployed, with a clock of the test's; one application."""

    def __init__(self, scratch: Scratch, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(scratch, client)
        self.now = NOON
        self.application_id, self.name = self.new_application()
        self.key = self.new_key(self.name, "alerts", "read")
        database = Database(scratch.url("sluice_alerts"))
        lookup = KeyLookup(PostgresKeyStore(database), None, PEPPER, lambda: datetime.now(UTC))
        sight = alerts_app.Sight(partial(limits_by_name, database))
        rules = alerts_app.Rules(sight, partial(PostgresRules, database), lambda: self.now)
        open_source = partial(PostgresLogSource, database)
        backtest = alerts_app.Backtest(
            sight, partial(PostgresRules, database), open_source, lambda: self.now + SETTLING
        )
        incidents = alerts_app.Incidents(sight, partial(PostgresIncidents, database), lambda: datetime.now(UTC))
        monkeypatch.setattr(
            alerts_app, "_dependencies", lambda: alerts_app.Alerts(lookup, rules, backtest, incidents, *[None] * 4)
        )

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **query: str
    ) -> tuple[int, Any]:
        """Status and JSON of an answer of functions/alerts."""
        sent = None if body is None else json.dumps(body).encode()
        event = rest_event(method, path, sent, headers={"X-API-Key": key or self.key}, query=query)
        parts = path.split("/")
        if len(parts) > 3 and parts[3] != "test":
            event["pathParameters"] = {"id": parts[3]}
            parts[3] = "{id}"
        event["resource"] = event["requestContext"]["resourcePath"] = "/".join(parts)
        answer = alerts_app.handler(event, LambdaContext())
        return answer["statusCode"], json.loads(answer["body"])

    def make(self, **members: Any) -> int:
        """The id of a new rule."""
        status, answer = self.call("POST", "/api/rules", {**ERRORS, **members})
        assert status == 201, answer
        rule_id: int = answer["rule"]["id"]
        return rule_id

    def rules(self, states: PostgresRuleStates | None = None) -> Any:
        """The step, on connections of its own."""
        database = Database(self.scratch.url("sluice_watcher"))
        return watch_app.Rules(
            states or PostgresRuleStates(database, watch_app.EVALUATED),
            partial(PostgresLogSource, database),
            self.queue,
            lambda: self.now,
            watch_app.logger,
            watch_app.metrics,
        )

    def watch(self, at: datetime | None = None, rules: Any = None) -> dict[str, Any]:
        """Judges what was received until ``at``; by default a minute after the last time."""
        self.now = (self.now + MINUTE if at is None else at) + SETTLING
        try:
            answer: dict[str, Any] = (rules or self.rules()).evaluate(lambda: True)
        finally:
            self.now -= SETTLING
        return answer

    def errors(self, count: int, minute: float) -> None:
        """Stores errors of this time, in minutes from noon."""
        at = NOON + minute * MINUTE
        self.store(self.application_id, *["out of memory"] * count, level=Level.ERROR, event_at=at)

    def incidents(self, **query: str) -> list[dict[str, Any]]:
        status, answer = self.call("GET", "/api/incidents", **query)
        assert status == 200, answer
        found: list[dict[str, Any]] = answer["incidents"]
        return found

    def events(self) -> list[tuple[str, str]]:
        """Kind, and status of the incident then, of what was told of the application, in order."""
        sql = "SELECT kind, payload->>'status' FROM alert_events WHERE application_id = %s ORDER BY event_id"
        return [(kind, status) for kind, status in self.scratch.rows(sql, self.application_id)]


@pytest.fixture
def office(empty_migrated: Callable[[], Scratch], redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(empty_migrated(), redis_client, monkeypatch)


@pytest.fixture(scope="module")
def empty_migrated(request: pytest.FixtureRequest) -> Callable[[], Scratch]:
    """A database of this file's own, without rules: a run judges all there are."""
    scratch: Scratch = request.getfixturevalue("migrated_database")()

    def empty() -> Scratch:
        scratch.rows("TRUNCATE alert_rules, incidents, alert_states, alert_events, late_minutes CASCADE")
        scratch.rows("UPDATE applications SET status = 'disabled'")
        scratch.rows("UPDATE watch_progress SET watermark = NULL")
        return scratch

    return empty


def test_a_burst_fires_once_and_resolves_once(office: Office) -> None:
    office.make()
    office.watch(NOON)
    office.errors(6, 0.5)
    answer = office.watch()
    assert (answer["firing"], answer["is_complete"]) == (1, True)
    (incident,) = office.incidents(status="firing")
    assert (incident["observed"], incident["threshold"]) == (6, 5)
    assert incident["opened_at"] == (NOON + MINUTE).isoformat()
    assert office.call("GET", "/api/rules", application=office.name)[1]["rules"][-1]["state"] in ("ok", "firing")
    for _ in range(3):
        office.watch()
    assert office.events() == [("firing", "firing"), ("resolved", "resolved")]
    (incident,) = office.incidents()
    assert (incident["status"], incident["resolved_at"]) == ("resolved", (NOON + 2 * MINUTE).isoformat())
    _, shown = office.call("GET", f"/api/incidents/{incident['id']}")
    assert [event["kind"] for event in shown["events"]] == ["firing", "resolved"]
    samples = shown["events"][0]["payload"]["samples"]
    assert [sample["message"] for sample in samples] == ["out of memory"] * 3


def test_late_logs_change_a_verdict(office: Office) -> None:
    office.make()
    office.watch(NOON)
    office.watch(NOON + 60 * MINUTE)
    office.errors(20, 10.2)
    answer = office.watch()
    assert (answer["corrected"], answer["late_minutes"]) == (1, 1)
    assert office.events() == [("corrected", "resolved")]
    (incident,) = office.incidents()
    assert (incident["observed"], incident["opened_at"]) == (20, (NOON + 11 * MINUTE).isoformat())
    office.watch()
    assert len(office.events()) == 1
    assert office.scratch.rows("SELECT count(*) FROM late_minutes") == [(0,)]


def test_a_window_waits_for_what_is_still_queued(office: Office) -> None:
    """Nothing is silent, and nothing too little, while logs wait in the queue."""
    office.make(kind="absence", window_seconds=60, above=None, query="")
    office.watch(NOON)
    office.errors(1, 0)
    shards: Any = office.queue

    class Behind:
        def shards(self) -> list[int]:
            return [0]

        def inspect(self, shard: int, **bounds: int) -> Any:
            class State:
                oldest_seconds = 600.0

            return State()

    rules = office.rules()
    behind = watch_app.Rules(rules.states, rules.open_source, Behind(), rules.now, rules.logger, rules.metrics)
    answer = office.watch(NOON + 5 * MINUTE, behind)
    assert (answer["windows"], answer["lag_seconds"], office.events()) == (0, 602.0, [])
    assert office.watch(NOON + 6 * MINUTE)["firing"] == 1
    assert shards is office.queue


def test_two_runs_at_once_tell_once(office: Office) -> None:
    """Even without the lock: who comes second finds the rule judged."""
    office.make()
    office.watch(NOON)
    office.errors(6, 0.5)

    class Waiting(PostgresRuleStates):
        def settle(self, settled: Any, at: datetime) -> set[int]:
            barrier.wait(10)
            return super().settle(settled, at)

    barrier = threading.Barrier(2)
    office.now += MINUTE + SETTLING
    steps = [
        office.rules(Waiting(Database(office.scratch.url("sluice_watcher")), watch_app.EVALUATED)) for _ in range(2)
    ]
    answers: list[dict[str, Any]] = []
    once = [iter([True] * 22) for _ in steps]
    threads = [
        threading.Thread(
            target=lambda step=step, times=times: answers.append(step.evaluate(lambda: next(times, False)))
        )
        for step, times in zip(steps, once, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(answers) == 2
    assert office.events() == [("firing", "firing")]


def test_only_one_run_at_a_time(office: Office) -> None:
    def lock() -> Any:
        return only_run(Database(office.scratch.url("sluice_watcher")), 10)

    with lock() as is_first, lock() as is_second:
        assert (is_first, is_second) == (True, False)
    with lock() as is_third:
        assert is_third


def test_a_lock_is_given_back_by_a_run_that_died(office: Office) -> None:
    database = Database(office.scratch.url("sluice_watcher"))
    context = only_run(database, 10)
    assert context.__enter__()
    database.close()
    with only_run(Database(office.scratch.url("sluice_watcher")), 10) as is_ours:
        assert is_ours
    with pytest.raises(Unavailable):
        context.__exit__(None, None, None)


def test_every_application_has_its_default_rules_once(office: Office) -> None:
    office.watch(NOON)
    office.watch()
    _, answer = office.call("GET", "/api/rules")
    rules = answer["rules"]
    assert [rule["origin"] for rule in rules] == ["default"] * 4
    assert {rule["kind"] for rule in rules} == {"threshold", "absence", "new_template", "anomaly"}
    (errors,) = (rule["id"] for rule in rules if rule["kind"] == "threshold")
    status, problem = office.call("DELETE", f"/api/rules/{errors}")
    assert (status, problem["code"]) == (409, "default_rule")
    status, answer = office.call("PATCH", f"/api/rules/{errors}", {"enabled": False, "above": 100})
    assert (status, answer["rule"]["enabled"], answer["rule"]["above"]) == (200, False, 100)
    office.errors(60, 1.5)
    office.watch()
    office.watch()
    assert office.events() == []
    assert len(office.call("GET", "/api/rules")[1]["rules"]) == 4


def test_more_than_50_errors_in_a_minute_need_no_configuration(office: Office) -> None:
    office.watch(NOON)
    office.errors(51, 0.5)
    office.watch()
    (incident,) = office.incidents()
    assert (incident["title"], incident["severity"]) == ("More than 50 errors in a minute", "critical")


def test_changing_a_rule_ends_what_fires(office: Office) -> None:
    rule_id = office.make()
    office.watch(NOON)
    office.errors(6, 0.5)
    office.watch()
    assert office.call("PATCH", f"/api/rules/{rule_id}", {"labels": {"team": "pay"}})[0] == 200
    assert office.events() == [("firing", "firing")]
    status, answer = office.call("PATCH", f"/api/rules/{rule_id}", {"above": 50, "resolve_below": 20})
    assert (status, answer["rule"]["state"], answer["rule"]["version"]) == (200, "ok", 3)
    assert office.events() == [("firing", "firing"), ("resolved", "resolved")]
    assert office.call("PATCH", f"/api/rules/{rule_id}", {"resolve_below": None})[1]["rule"]["resolve_below"] is None
    assert office.call("DELETE", f"/api/rules/{rule_id}")[0] == 200
    (incident,) = office.incidents()
    assert incident["rule"] == {"id": None, "name": "Errors", "kind": "threshold"}


def test_somebody_is_on_it(office: Office) -> None:
    office.make()
    office.watch(NOON)
    office.errors(6, 0.5)
    office.watch()
    (incident,) = office.incidents()
    path = f"/api/incidents/{incident['id']}/acknowledge"
    reader = office.new_key(office.name, "read")
    assert office.call("POST", path, {}, key=reader)[1]["code"] == "missing_scope"
    assert office.call("POST", path, {"note": "mine"})[1]["incident"]["acknowledge_note"] == "mine"
    assert office.call("POST", path, {"note": "no, mine"})[1]["incident"]["acknowledge_note"] == "mine"
    assert office.events()[1:] == [("acknowledged", "firing")]
    assert office.call("POST", path, {"note": "\x00"})[1]["code"] == "invalid_note"
    assert office.call("POST", f"/api/incidents/{uuid4()}/acknowledge", {})[1]["code"] == "unknown_incident"


def test_nobody_sees_or_changes_what_belongs_to_others(office: Office) -> None:
    rule_id = office.make()
    office.watch(NOON)
    office.errors(6, 0.5)
    office.watch()
    (incident,) = office.incidents()
    _, other = office.new_application()
    key = office.new_key(other, "alerts")
    for method, path, body in (
        ("GET", f"/api/rules/{rule_id}", None),
        ("PATCH", f"/api/rules/{rule_id}", {"enabled": False}),
        ("DELETE", f"/api/rules/{rule_id}", None),
        ("GET", f"/api/incidents/{incident['id']}", None),
        ("POST", f"/api/incidents/{incident['id']}/acknowledge", {}),
    ):
        assert office.call(method, path, body, key=key)[0] == 404, (method, path)
    assert office.call("GET", "/api/incidents", key=key)[1]["incidents"] == []
    assert {rule["application"] for rule in office.call("GET", "/api/rules", key=key)[1]["rules"]} == {other}
    for parameters in ({"application": office.name},):
        assert office.call("GET", "/api/rules", key=key, **parameters)[1]["code"] == "unknown_application"
    status, problem = office.call("POST", "/api/rules", {**ERRORS, "application": office.name}, key=key)
    assert (status, problem["code"]) == (400, "unknown_application")
    admin = office.new_key(other, "admin")
    assert office.call("PATCH", f"/api/rules/{rule_id}", {"enabled": False}, key=admin)[0] == 200


def test_pages_of_rules_and_incidents(office: Office) -> None:
    for number in range(5):
        office.make(name=f"rule {number}")
    status, problem = office.call("POST", "/api/rules", {**ERRORS, "name": "rule 3"})
    assert (status, problem["code"]) == (409, "rule_exists")
    office.watch(NOON)
    office.errors(6, 0.5)
    office.watch()
    for path, member, count in (("/api/rules", "rules", 9), ("/api/incidents", "incidents", 5)):
        seen: list[Any] = []
        cursor: dict[str, str] = {}
        while True:
            _, page = office.call("GET", path, limit="2", **cursor)
            seen += [item["id"] for item in page[member]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert len(seen) == len(set(seen)) == count
        assert office.call("GET", path, cursor="nonsense")[1]["code"] == "invalid_cursor"
    assert len(office.incidents(severity="warning", status="firing", since="2026-03-01T12:00:00Z")) == 5
    assert office.incidents(until="2026-03-01T12:00:00Z") == []
    assert office.incidents(severity="critical") == []


def test_when_a_rule_would_have_fired(office: Office) -> None:
    office.errors(6, 10.5)
    office.errors(60, 500.5)
    office.now = NOON + 600 * MINUTE
    asked = {"rule": {"query": "level:>=error", "above": 5}, "since": NOON.isoformat()}
    status, answer = office.call("POST", "/api/rules/test", asked)
    assert status == 200, answer
    assert [(one["from"], one["until"], one["observed"]) for one in answer["would_fire"]] == [
        ((NOON + 11 * MINUTE).isoformat(), (NOON + 12 * MINUTE).isoformat(), 6),
        ((NOON + 501 * MINUTE).isoformat(), (NOON + 502 * MINUTE).isoformat(), 60),
    ]
    assert (answer["evaluations"], answer["truncated"], answer["next_cursor"]) == (600, False, None)
    rule_id = office.make(above=50)
    stored = office.call("POST", "/api/rules/test", {"rule": rule_id, "since": "-10h"})[1]
    assert [one["observed"] for one in stored["would_fire"]] == [60]
    reader = office.new_key(office.name, "read")
    assert office.call("POST", "/api/rules/test", asked, key=reader)[0] == 200
    _, other = office.new_application()
    stranger = office.new_key(other, "alerts")
    assert office.call("POST", "/api/rules/test", {"rule": rule_id}, key=stranger)[1]["code"] == "unknown_rule"
    assert office.call("POST", "/api/rules/test", asked, key=stranger)[1]["would_fire"] == []
    for wrong, code in (
        ({"rule": "x"}, "invalid_rule"),
        ({"rule": {"above": 1}, "since": "-99d"}, "invalid_since"),
        ({"rule": {"above": 1}, "since": "0001-01-01T00:00:00Z"}, "invalid_since"),
        ({"rule": {"above": 1}, "until": "0001-01-01T00:00:00Z"}, "invalid_until"),
        ({"rule": {"above": 1}, "until": 5}, "invalid_until"),
        ({"rule": {"kind": "anomaly"}}, "invalid_kind"),
        ({"rule": {"above": 1}, "cursor": "x"}, "invalid_cursor"),
    ):
        assert office.call("POST", "/api/rules/test", wrong)[1]["code"] == code


def test_a_rule_that_cannot_be_judged_says_so_and_stops_no_other(office: Office) -> None:
    bad, good = office.make(name="slow", query="out"), office.make()
    office.watch(NOON)
    office.errors(6, 0.5)

    class Failing(PostgresLogSource):
        def series(self, query: str, *rest: Any) -> Any:
            if query == "out":
                raise Unavailable("query_timed_out", "too slow")
            return super().series(query, *rest)

    rules = office.rules()
    database = Database(office.scratch.url("sluice_watcher"))
    failing = watch_app.Rules(
        rules.states, partial(Failing, database), rules.queue, rules.now, rules.logger, rules.metrics
    )
    answer = office.watch(None, failing)
    assert (answer["failed"], answer["firing"]) == (1, 1)
    _, shown = office.call("GET", f"/api/rules/{bad}")
    assert shown["rule"]["failure"]["code"] == "query_timed_out"
    assert office.call("GET", f"/api/rules/{good}")[1]["rule"]["failure"] is None
    office.watch()
    assert office.call("GET", f"/api/rules/{bad}")[1]["rule"]["failure"] is None
    assert len(office.incidents()) == 2


def test_a_new_rule_can_judge_the_last_day(office: Office) -> None:
    office.now = NOON
    office.make(since="-2h")
    office.watch(NOON)
    assert office.events() == []
    office.errors(20, -60.5)
    office.errors(20, -180.5)
    office.watch()
    assert office.events() == [("corrected", "resolved")]
    for wrong in ("-2d", "2027-01-01T00:00:00Z", 5):
        status, problem = office.call("POST", "/api/rules", {**ERRORS, "name": "x", "since": wrong})
        assert (status, problem["code"]) == (400, "invalid_since")


def test_who_waited_comes_first_when_time_is_short(office: Office) -> None:
    ids = [office.make(name=f"rule {number}") for number in range(3)]
    office.watch(NOON)
    office.now += SETTLING
    judged: list[int] = []
    for _ in range(6):
        office.now += MINUTE
        times = iter([True, True, False])
        office.rules().evaluate(lambda times=times: next(times, False))  # time for one rule
        sql = "SELECT rule_id FROM alert_rules WHERE attempted_at = %s AND kind <> 'anomaly'"
        judged += [rule_id for (rule_id,) in office.scratch.rows(sql, office.now)]
    assert set(ids) <= set(judged)
    assert len(judged) == len(set(judged)) == 6
