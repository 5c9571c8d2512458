"""From events to a webhook receiver, on real servers: watch's dispatch, functions/alerts and deliver's sender."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
import redis

from apps import load_app
from aws import LambdaContext, rest_event
from desk import Desk
from receiver import Received, Receiver, receiving
from samples import PEPPER
from scratch import Scratch
from sluice.alerts.postgres_incidents import PostgresIncidents
from sluice.applications.lookup import KeyLookup
from sluice.applications.postgres import PostgresKeyStore, limits_by_name
from sluice.notifications.addresses import AddressPolicy, Origin
from sluice.notifications.http import HttpSender
from sluice.notifications.model import ChannelKind, Outcome, Result, Task
from sluice.notifications.postgres import PostgresDispatch
from sluice.notifications.postgres_backlog import PostgresBacklog
from sluice.notifications.postgres_channels import OVERLAP, PostgresChannels
from sluice.notifications.postgres_deliveries import PostgresDeliveries
from sluice.notifications.postgres_mutings import PostgresMutings
from sluice.notifications.retries import GIVE_UP
from sluice.notifications.routing import MAX_MESSAGES, RATE_WINDOW
from sluice.notifications.signing import signature_headers
from sluice.runtime.crash_points import CRASH_POINTS, CrashPoint, arm
from sluice.runtime.postgres import Database

alerts_app, watch_app, deliver_app = load_app("alerts"), load_app("watch"), load_app("deliver")
LEASE = timedelta(seconds=30)
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
HOSTILE = "https://169.254.169.254/latest"


@dataclass
class Broken:
    """Sender that says what it is told, and counts."""

    outcome: Outcome
    tasks: list[Task] = field(default_factory=list)

    def send(self, task: Task) -> Outcome:
        self.tasks.append(task)
        return self.outcome


class Bureau(Desk):
    """An application with the functions that tell of its incidents, and a clock of the test's."""

    def __init__(self, scratch: Scratch, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(scratch, client)
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.application_id, self.name = self.new_application()
        self.key = self.new_key(self.name, "alerts")
        self.policy = AddressPolicy(allowed=frozenset({Origin.parse("http://127.0.0.1:*")}))
        self.sender: Any = self.deliver()
        database = Database(scratch.url("sluice_alerts"))
        lookup = KeyLookup(PostgresKeyStore(database), None, PEPPER, lambda: datetime.now(UTC))
        sight = alerts_app.Sight(partial(limits_by_name, database))
        ours = {
            "lookup": lookup,
            "incidents": alerts_app.Incidents(sight, partial(PostgresIncidents, database), lambda: self.now),
            "channels": alerts_app.Channels(
                sight, partial(PostgresChannels, database), self.policy, self, PEPPER, lambda: self.now
            ),
            "mutings": alerts_app.Mutings(sight, partial(PostgresMutings, database), lambda: self.now),
            "deliveries": alerts_app.Deliveries(sight, partial(PostgresDeliveries, database)),
        }
        others = {member.name: None for member in fields(alerts_app.Alerts)}
        self.alerts = alerts_app.Alerts(**others | ours)
        monkeypatch.setattr(alerts_app, "_dependencies", lambda: self.alerts)

    def deliver(self) -> Any:
        """A new environment of functions/deliver."""
        web = HttpSender(self.policy, clock=lambda: self.now.timestamp(), seconds=2)
        return deliver_app.Deliver({ChannelKind.WEBHOOK: web, ChannelKind.SLACK: web})

    def send(self, task: Task) -> Outcome:
        """By Invoke: JSON both ways."""
        outcome = self.sender.send(Task.from_event(json.loads(json.dumps(task.to_event()))))
        return Outcome.from_answer(json.loads(json.dumps(outcome.to_answer())))

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **query: str
    ) -> tuple[int, Any]:
        """Status and JSON of an answer of functions/alerts."""
        sent = None if body is None else json.dumps(body).encode()
        event = rest_event(method, path, sent, headers={"X-API-Key": key or self.key}, query=query)
        parts = path.split("/")
        if len(parts) > 3:
            event["pathParameters"] = {"id": parts[3]}
            parts[3] = "{id}"
        event["resource"] = event["requestContext"]["resourcePath"] = "/".join(parts)
        answer = alerts_app.handler(event, LambdaContext())
        return answer["statusCode"], json.loads(answer["body"])

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """JSON of an answer that must be a success."""
        status, answer = self.call(method, path, body, **query)
        assert status in (200, 201), answer
        return answer

    def channel(self, target: str, **members: Any) -> dict[str, Any]:
        """A new channel, with its secret."""
        about = {"name": f"hook {uuid4()}", "kind": "webhook", "target": target, **members}
        found: dict[str, Any] = self.ask("POST", "/api/channels", about)["channel"]
        return found

    def incident(self, **columns: Any) -> str:
        """A new incident that fires, without an event."""
        incident_id = str(uuid4())
        given = {"severity": "critical", "labels": {"host": "web-1"}, **columns}
        self.scratch.rows(
            """
            INSERT INTO incidents (incident_id, application_id, fingerprint, status, severity, labels, rule_name, kind,
                                   title, sentence, query, window_from, window_until, opened_at)
            VALUES (%s, %s, %s, 'firing', %s, %s, 'errors', 'threshold', 'errors', '60 errors', 'level:error', now(),
                    now(), now())
            """,
            incident_id,
            self.application_id,
            incident_id,
            given["severity"],
            json.dumps({**given["labels"], "severity": given["severity"], "application": self.name}),
        )
        return incident_id

    def event(self, incident_id: str, kind: str) -> None:
        """What alerting writes when an incident changes."""
        if kind == "resolved":
            self.scratch.rows(
                "UPDATE incidents SET status = 'resolved', resolved_at = now() WHERE incident_id = %s", incident_id
            )
        payload = {"version": 1, "kind": kind, "incident_id": incident_id, "title": "errors", "sentence": "60 errors"}
        self.scratch.rows(
            "INSERT INTO alert_events (incident_id, application_id, kind, payload) VALUES (%s, %s, %s, %s)",
            incident_id,
            self.application_id,
            kind,
            json.dumps({**payload, "severity": "critical", "labels": {"host": "web-1"}, "samples": []}),
        )

    def fire(self, **columns: Any) -> str:
        """A new incident that fires."""
        incident_id = self.incident(**columns)
        self.event(incident_id, "firing")
        return incident_id

    def resolve(self, incident_id: str) -> None:
        self.event(incident_id, "resolved")

    def dispatcher(self, sender: Any = None) -> Any:
        """The step, on a connection of its own."""
        database = Database(self.scratch.url("sluice_watcher"))
        return watch_app.Dispatch(
            PostgresDispatch(database),
            PostgresBacklog(database),
            sender or self,
            PEPPER,
            lambda: self.now,
            watch_app.logger,
            watch_app.metrics,
            lambda: self.counts,
        )

    def dispatch(self, after: timedelta = timedelta(minutes=1), sender: Any = None) -> dict[str, Any]:
        """A run, a minute later by default."""
        self.now += after
        done: dict[str, Any] = self.dispatcher(sender).run(lambda: True)
        return done

    def deliveries(self, **query: str) -> list[dict[str, Any]]:
        """The newest last."""
        found: list[dict[str, Any]] = self.ask("GET", "/api/deliveries", **query)["deliveries"]
        return found[::-1]

    def statuses(self) -> list[tuple[str, str]]:
        return [(delivery["kind"], delivery["status"]) for delivery in self.deliveries()]


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> Scratch:
    """A database of this file's own: a run tells of all applications."""
    scratch: Scratch = request.getfixturevalue("migrated_database")()
    return scratch


@pytest.fixture
def bureau(database: Scratch, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Bureau:
    database.rows("UPDATE messages SET status = 'failed', finished_at = now() WHERE status = 'pending'")
    database.rows("UPDATE channels SET is_enabled = false")
    return Bureau(database, redis_client, monkeypatch)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def told(requests: list[Received]) -> list[tuple[str, list[str]]]:
    return [request.told for request in requests]


def test_one_message_when_it_fires_and_one_when_it_is_over(bureau: Bureau, receiver: Receiver) -> None:
    bureau.channel(receiver.url)
    incident = bureau.fire()
    for _ in range(3):
        bureau.dispatch()
    assert told(receiver.taken()) == [("alert.firing", [incident])]
    bureau.resolve(incident)
    for _ in range(3):
        bureau.dispatch()
    assert told(receiver.taken()) == [("alert.resolved", [incident])]
    assert bureau.statuses() == [("firing", "delivered"), ("resolved", "delivered")]


def test_runs_at_the_same_time_send_once(bureau: Bureau, receiver: Receiver) -> None:
    """Even if nothing kept them from running at once."""
    for _ in range(4):
        bureau.channel(receiver.url)
    incidents = [bureau.fire() for _ in range(5)]
    steps = [bureau.dispatcher() for _ in range(4)]
    for runs in range(2):
        threads = [threading.Thread(target=step.run, args=(lambda: True,)) for step in steps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        requests = receiver.taken()
        kind = ("alert.firing", "alert.resolved")[runs]
        assert told(requests) == [(kind, incidents)] * 4
        assert len({request.id for request in requests}) == 4
        for incident in incidents if not runs else ():
            bureau.resolve(incident)


def run_in_child(work: Callable[[], object], point: CrashPoint) -> int:
    """Runs ``work`` in a fork that dies at the point; returns the signal that ended it."""
    child = os.fork()
    if child == 0:
        arm(point)
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1] & 0x7F


POINTS = [point for point in CRASH_POINTS if point.startswith("dispatch.")]


@pytest.mark.parametrize("is_remembered", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_run_neither_loses_nor_doubles(
    bureau: Bureau, receiver: Receiver, point: CrashPoint, is_remembered: bool
) -> None:
    """Killed while it tells of the beginning, and again of the end. Only one that dies between the receiver's 2xx and
    its own note sends again: under the same id, and not if deliver's environment is still there."""
    bureau.channel(receiver.url)
    incident = bureau.fire()
    server = Served(bureau.deliver()) if is_remembered else None
    expected = 2 if point == "dispatch.after_send" and not is_remembered else 1
    for kind in ("firing", "resolved"):
        assert run_in_child(lambda: bureau.dispatch(sender=server), point) == 9
        bureau.now += timedelta(seconds=10)
        bureau.dispatch(timedelta(0), sender=server)
        assert len(receiver.requests) <= 1  # the lease holds
        bureau.dispatch(LEASE + timedelta(minutes=1), sender=server)
        bureau.dispatch(sender=server)
        requests = receiver.taken()
        assert told(requests) == [(f"alert.{kind}", [incident])] * expected
        assert len({request.id for request in requests}) == 1
        assert len({request.body for request in requests}) == 1
        if kind == "firing":
            bureau.resolve(incident)
    assert bureau.statuses() == [("firing", "delivered"), ("resolved", "delivered")]
    if server:
        server.close()


class Served:
    """deliver in another process, as on Lambda: it outlives whoever asked."""

    def __init__(self, deliver: Any) -> None:
        self._ours, theirs = __import__("socket").socketpair()
        self._child = os.fork()
        if self._child == 0:
            self._ours.close()
            wire = theirs.makefile("rw")
            for line in wire:
                outcome = deliver.send(Task.from_event(json.loads(line)))
                wire.write(json.dumps(outcome.to_answer()) + "\n")
                wire.flush()
            os._exit(0)
        theirs.close()
        self._wire = self._ours.makefile("rw")

    def send(self, task: Task) -> Outcome:
        self._wire.write(json.dumps(task.to_event()) + "\n")
        self._wire.flush()
        return Outcome.from_answer(json.loads(self._wire.readline()))

    def close(self) -> None:
        self._wire.close()
        self._ours.close()
        os.waitpid(self._child, 0)


def test_a_receiver_that_is_down_gets_it_later_once_and_in_order(bureau: Bureau, receiver: Receiver) -> None:
    bureau.channel(receiver.url)
    receiver.status = 503
    incident = bureau.fire()
    bureau.dispatch()
    bureau.resolve(incident)
    bureau.dispatch()
    assert bureau.statuses() == [("firing", "pending"), ("resolved", "pending")]
    assert [request.told[0] for request in receiver.requests] == ["alert.firing"] * 2
    (delivery,) = bureau.deliveries(status="pending", incident=incident)[:1]
    assert (delivery["attempts"], delivery["last_attempt"]["code"]) == (2, "receiver_failed")
    assert delivery["next_attempt_at"]
    first = {request.id for request in receiver.taken()}
    receiver.status = 200
    for _ in range(4):
        bureau.dispatch(timedelta(minutes=10))
    requests = receiver.taken()
    assert told(requests) == [("alert.firing", [incident]), ("alert.resolved", [incident])]
    assert {requests[0].id} == first
    assert bureau.dispatch()["pending"] == 0


def test_one_receiver_that_is_down_does_not_keep_others_waiting(bureau: Bureau, receiver: Receiver) -> None:
    with receiving(status=500) as other:
        bureau.channel(other.url)
        bureau.channel(receiver.url)
        incidents = [bureau.fire() for _ in range(3)]
        done = bureau.dispatch()
        assert told(receiver.taken()) == [("alert.firing", incidents)]
        assert (done["delivered"], done["failed"]) == (1, 1)


def test_what_a_receiver_wants_no_more_is_given_up_and_seen(bureau: Bureau, receiver: Receiver) -> None:
    channel = bureau.channel(receiver.url)
    receiver.status = 410
    bureau.fire()
    assert bureau.dispatch()["given_up"] == 1
    assert bureau.statuses() == [("firing", "failed")]
    shown = bureau.ask("GET", f"/api/channels/{channel['id']}")["channel"]
    assert shown["last_attempt"]["code"] == "gone"
    assert ("notifications_given_up", 1) in {(sample.name, sample.value) for sample in bureau.counts.read()[0]}


def test_after_a_day_it_is_given_up(bureau: Bureau, receiver: Receiver) -> None:
    """Whether each attempt failed, or nobody lived to say how it ended."""
    bureau.channel(receiver.url)
    receiver.status = 500
    bureau.fire()
    given_up = sum(bureau.dispatch(timedelta(hours=1))["given_up"] for _ in range(26))
    assert given_up == 1
    assert bureau.statuses() == [("firing", "failed")]
    bureau.fire()
    for _ in range(3):
        assert run_in_child(lambda: bureau.dispatch(), "dispatch.after_claim") == 9
        bureau.now += timedelta(hours=8, minutes=1)
    assert bureau.dispatch(GIVE_UP)["given_up"] == 1
    assert bureau.dispatch()["pending"] == 0


def test_a_late_word_that_it_arrived_counts(bureau: Bureau, receiver: Receiver) -> None:
    """A run that slept through its lease: another one sends meanwhile, and fails; nobody sends a third time."""
    bureau.channel(receiver.url)
    bureau.fire()
    slow = PostgresDispatch(Database(bureau.scratch.url("sluice_watcher")))
    slow.route(bureau.now)
    (claim,) = slow.claim(bureau.now, LEASE, 4)
    assert slow.claim(bureau.now + LEASE - timedelta(seconds=1), LEASE, 4) == []
    bureau.dispatch(sender=Broken(Outcome(Result.FAILED, "timeout")))
    slow.settle(claim, Outcome(Result.DELIVERED, "delivered"), bureau.now)
    assert bureau.dispatch(timedelta(hours=1))["delivered"] == 0
    assert bureau.statuses() == [("firing", "delivered")]


def test_a_late_failure_changes_nothing(bureau: Bureau, receiver: Receiver) -> None:
    bureau.channel(receiver.url)
    bureau.fire()
    slow = PostgresDispatch(Database(bureau.scratch.url("sluice_watcher")))
    slow.route(bureau.now)
    (claim,) = slow.claim(bureau.now, LEASE, 4)
    bureau.dispatch()
    assert slow.settle(claim, Outcome(Result.REFUSED, "gone"), bureau.now) is False
    assert bureau.statuses() == [("firing", "delivered")]
    assert len(receiver.taken()) == 1


def test_a_late_failure_is_none_of_the_next_attempts_business(bureau: Bureau, receiver: Receiver) -> None:
    bureau.channel(receiver.url)
    bureau.fire()
    slow, next_one = (PostgresDispatch(Database(bureau.scratch.url("sluice_watcher"))) for _ in range(2))
    slow.route(bureau.now)
    (claim,) = slow.claim(bureau.now, LEASE, 4)
    later = bureau.now + LEASE + timedelta(seconds=1)
    (second,) = next_one.claim(later, LEASE, 4)
    assert (second.message_id, second.attempt) == (claim.message_id, 2)
    assert slow.settle(claim, Outcome(Result.REFUSED, "gone"), later) is False
    assert slow.claim(later, LEASE, 4) == []
    assert bureau.statuses() == [("firing", "pending")]
    next_one.settle(second, Outcome(Result.DELIVERED, "delivered"), later)
    assert bureau.statuses() == [("firing", "delivered")]


def silence(bureau: Bureau, minutes: int = 30, **matchers: str) -> str:
    about = [{"label": label, "is": "=", "value": value} for label, value in (matchers or {"host": "web-1"}).items()]
    ends_at = (bureau.now + timedelta(minutes=minutes)).isoformat()
    made = bureau.ask("POST", "/api/silences", {"matchers": about, "ends_at": ends_at, "comment": "known"})
    silence_id: str = made["silence"]["id"]
    return silence_id


def test_a_silenced_incident_is_not_told_and_shown_as_such(bureau: Bureau, receiver: Receiver) -> None:
    bureau.channel(receiver.url)
    silence_id = silence(bureau)
    incident = bureau.fire()
    bureau.dispatch()
    assert bureau.statuses() == [("firing", "silenced")]
    assert bureau.deliveries()[0]["muted_by"] == silence_id
    assert bureau.ask("GET", f"/api/incidents/{incident}")["incident"]["silenced"] is True
    bureau.resolve(incident)
    bureau.dispatch()
    bureau.dispatch(timedelta(hours=1))
    assert bureau.statuses() == [("firing", "silenced"), ("resolved", "skipped")]
    assert receiver.taken() == []


def test_what_still_fires_when_a_silence_ends_is_told_then(bureau: Bureau, receiver: Receiver) -> None:
    bureau.channel(receiver.url)
    silence_id = silence(bureau, 600)
    incident = bureau.fire()
    bureau.dispatch()
    bureau.dispatch()
    assert receiver.taken() == []
    assert bureau.ask("DELETE", f"/api/silences/{silence_id}")["silence"]["status"] == "expired"
    bureau.dispatch()
    bureau.dispatch()
    assert told(receiver.taken()) == [("alert.firing", [incident])]
    assert bureau.ask("GET", f"/api/incidents/{incident}")["incident"]["silenced"] is False
    bureau.resolve(incident)
    bureau.dispatch()
    assert told(receiver.taken()) == [("alert.resolved", [incident])]


def test_an_end_in_a_silence_is_told_when_the_silence_is_over(bureau: Bureau, receiver: Receiver) -> None:
    bureau.channel(receiver.url)
    incident = bureau.fire()
    bureau.dispatch()
    silence(bureau, 30)
    bureau.resolve(incident)
    bureau.dispatch()
    assert [kind for kind, _ in told(receiver.taken())] == ["alert.firing"]
    bureau.dispatch(timedelta(minutes=31))
    assert told(receiver.taken()) == [("alert.resolved", [incident])]


def test_a_silence_is_for_what_it_names(bureau: Bureau, receiver: Receiver) -> None:
    bureau.channel(receiver.url)
    silence(bureau, host="web-2")
    bureau.fire()
    bureau.dispatch()
    assert len(receiver.taken()) == 1


def test_in_a_weekly_window_nothing_is_told(bureau: Bureau, receiver: Receiver) -> None:
    bureau.channel(receiver.url)
    bureau.now = datetime(2027, 7, 6, 21, 0, tzinfo=UTC)  # a Tuesday; in Berlin it is 23:00
    weekly = {"weekdays": ["tuesday"], "start": "22:30", "duration_minutes": 120, "time_zone": "Europe/Berlin"}
    made = bureau.ask("POST", "/api/maintenance-windows", {"weekly": weekly, "comment": "backups"})[
        "maintenance_window"
    ]
    assert (made["weekly"], made["matchers"]) == (weekly, [])
    incident = bureau.fire()
    bureau.dispatch()
    assert (bureau.statuses(), receiver.taken()) == ([("firing", "silenced")], [])
    assert bureau.deliveries()[0]["reason"] == "maintenance"
    bureau.dispatch(timedelta(minutes=91))
    assert told(receiver.taken()) == [("alert.firing", [incident])]
    bureau.ask("DELETE", f"/api/maintenance-windows/{made['id']}")
    assert bureau.ask("GET", "/api/maintenance-windows")["maintenance_windows"] == []


def test_a_flood_is_summarised(bureau: Bureau, receiver: Receiver) -> None:
    bureau.channel(receiver.url)
    for _ in range(MAX_MESSAGES + 5):
        bureau.fire()
        bureau.dispatch(timedelta(seconds=5))
    assert len(receiver.taken()) == MAX_MESSAGES
    assert bureau.statuses().count(("firing", "held")) == 5
    bureau.dispatch(RATE_WINDOW)
    (summary,) = receiver.taken()
    assert (summary.told[0], len(summary.told[1])) == ("alert.group", 5)
    assert {status for _, status in bureau.statuses()} == {"delivered"}


def test_corrections_and_acknowledgements_are_messages(bureau: Bureau, receiver: Receiver) -> None:
    bureau.channel(receiver.url)
    incident = bureau.fire()
    bureau.dispatch()
    bureau.event(incident, "corrected")
    bureau.ask("POST", f"/api/incidents/{incident}/acknowledge", {"note": "on it"})
    bureau.ask("POST", f"/api/incidents/{incident}/acknowledge", {"note": "me too"})
    bureau.dispatch()
    bureau.dispatch()
    kinds = ["alert.firing", "alert.corrected", "alert.acknowledged"]
    assert told(receiver.taken()) == [(kind, [incident]) for kind in kinds]


def test_channels_get_what_is_bad_enough_of_their_application(bureau: Bureau, receiver: Receiver) -> None:
    bureau.channel(receiver.url, min_severity="critical")
    channel = bureau.channel(receiver.url, min_severity="warning")
    bureau.fire(severity="warning")
    bureau.dispatch()
    (request,) = receiver.taken()
    bureau.ask("PATCH", f"/api/channels/{channel['id']}", {"enabled": False})
    bureau.fire(severity="warning")
    bureau.dispatch()
    assert receiver.taken() == []
    assert request.headers["webhook-signature"].startswith("v1,")


def test_signatures_are_by_the_secret_that_was_shown(bureau: Bureau, receiver: Receiver) -> None:
    channel = bureau.channel(receiver.url)
    secrets = [channel["signing_secret"]]
    assert "signing_secret" not in bureau.ask("GET", f"/api/channels/{channel['id']}")["channel"]
    bureau.fire()
    bureau.dispatch()
    check(receiver.taken(), secrets)
    rotated = bureau.ask("POST", f"/api/channels/{channel['id']}/rotate")["channel"]
    secrets.insert(0, rotated["signing_secret"])
    assert len(set(secrets)) == 2
    bureau.fire()
    bureau.dispatch()
    check(receiver.taken(), secrets)
    bureau.fire()
    bureau.dispatch(OVERLAP)
    check(receiver.taken(), secrets[:1])
    stored = json.dumps(bureau.scratch.rows("SELECT to_json(c)::text FROM channels c"))
    assert not [secret for secret in secrets if secret.removeprefix("whsec_") in stored]


def check(requests: list[Received], secrets: list[str]) -> None:
    """Each was signed by all of these, and no others."""
    assert requests
    for request in requests:
        sent_at = int(request.headers["webhook-timestamp"])
        expected = signature_headers(request.id, sent_at, request.body, secrets)
        assert expected["webhook-signature"] == request.headers["webhook-signature"]


def test_targets_are_shown_to_nobody(bureau: Bureau, receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    """In no answer, line of a log or delivery; whatever became of them."""
    receiver.status = 500
    answers: list[Any] = [bureau.channel(f"{receiver.url}/s3cret?token=s3cret")]
    answers += [bureau.channel("https://hooks.example.com/services/s3cret", kind="slack")]
    answers += [bureau.channel("s3cret@example.com", kind="email")]
    answers += [bureau.channel("arn:aws:sns:eu-west-1:123456789012:sluice-alerts-ops", kind="sns")]
    channel = answers[0]
    bureau.fire()
    sender = Broken(Outcome(Result.FAILED, "timeout"))
    bureau.dispatch(sender=sender)
    assert {task.target for task in sender.tasks} >= {f"{receiver.url}/s3cret?token=s3cret", "s3cret@example.com"}
    path = f"/api/channels/{channel['id']}"
    answers += [bureau.ask("GET", "/api/channels"), bureau.ask("PATCH", path, {"name": "other"})]
    answers += [bureau.ask("POST", f"{path}/test"), bureau.deliveries(), bureau.ask("DELETE", path)]
    answers += [bureau.call("PATCH", path, {"target": "https://x.example.com/s3cret"})]
    assert "s3cret" not in json.dumps(answers, default=str) + capsys.readouterr().out
    targets = [answer["target"] for answer in answers[:4]]
    assert targets == [
        f"http://127.0.0.1:{receiver.port}/…",
        "https://hooks.example.com/…",
        "s…@example.com",
        "arn:aws:sns:eu-west-1:…:sluice-alerts-ops",
    ]


def test_a_channel_can_be_tested(bureau: Bureau, receiver: Receiver) -> None:
    channel = bureau.channel(receiver.url)
    path = f"/api/channels/{channel['id']}/test"
    answer = bureau.ask("POST", path)
    assert (answer["delivered"], answer["status"]) == (True, 200)
    (request,) = receiver.taken()
    assert (request.told, request.id) == (("alert.test", []), answer["message"])
    receiver.status = 500
    assert bureau.ask("POST", path)["code"] == "receiver_failed"
    bureau.dispatch(timedelta(hours=1))
    assert len(receiver.taken()) == 1  # a test is tried once
    receiver.status = 200
    statuses = [bureau.call("POST", path)[0] for _ in range(MAX_MESSAGES + 1)]
    assert statuses == [200] * MAX_MESSAGES + [429]


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"target": HOSTILE}, "target_refused"),
        ({"target": "http://example.com/"}, "target_refused"),
        ({"target": "https://user@example.com/"}, "invalid_url"),
        ({"target": 5}, "invalid_target"),
        ({"kind": "slack", "target": "https://10.0.0.1/"}, "target_refused"),
        ({"kind": "email", "target": "a@b@example.com"}, "invalid_target"),
        ({"kind": "email", "target": "a@example.com\r\nBcc: b@example.com"}, "invalid_target"),
        ({"kind": "email", "target": "a@example.com,b@example.com"}, "invalid_target"),
        ({"kind": "sns", "target": "arn:aws:sns:eu-west-1:123456789012:other-topic"}, "invalid_target"),
        ({"kind": "pager"}, "invalid_kind"),
        ({"kind": []}, "invalid_kind"),
        ({"name": ""}, "invalid_name"),
        ({"name": "x" * 101}, "invalid_name"),
        ({"min_severity": "fatal"}, "invalid_min_severity"),
        ({"enabled": 1}, "invalid_enabled"),
        ({"other": 1}, "unknown_field"),
        ({"application": "nobody's"}, "unknown_application"),
    ],
)
def test_what_is_no_channel(bureau: Bureau, members: dict[str, Any], code: str) -> None:
    body = {"name": "ops", "kind": "webhook", "target": "https://hooks.example.com/x", **members}
    status, problem = bureau.call("POST", "/api/channels", body)
    assert (status, problem["code"]) == (400, code)
    assert bureau.ask("GET", "/api/channels")["channels"] == []


MATCHER = {"label": "host", "is": "=", "value": "web-1"}
WEEKLY = {"weekdays": ["monday"], "start": "22:00", "duration_minutes": 60, "time_zone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("noun", "members", "code"),
    [
        ("silences", {"ends_at": "2020-01-01T00:00:00Z"}, "invalid_ends_at"),
        ("silences", {"ends_at": "2999-01-01T00:00:00Z"}, "invalid_ends_at"),
        ("silences", {"ends_at": None}, "invalid_ends_at"),
        ("silences", {"ends_at": 5}, "invalid_ends_at"),
        ("silences", {"matchers": []}, "invalid_matchers"),
        ("silences", {"matchers": {}}, "invalid_matchers"),
        ("silences", {"matchers": [MATCHER] * 11}, "invalid_matchers"),
        ("silences", {"matchers": [{**MATCHER, "is": "=~", "value": "(a+)+"}]}, "invalid_matchers"),
        ("silences", {"matchers": [{**MATCHER, "is": "~"}]}, "invalid_matchers"),
        ("silences", {"matchers": [{**MATCHER, "is": []}]}, "invalid_matchers"),
        ("silences", {"matchers": [{**MATCHER, "label": 1}]}, "invalid_matchers"),
        ("silences", {"matchers": [{**MATCHER, "value": "a\x00"}]}, "invalid_matchers"),
        ("silences", {"matchers": ["host"]}, "invalid_matchers"),
        ("silences", {"comment": ["x"]}, "invalid_comment"),
        ("silences", {"x": 1}, "unknown_field"),
        ("maintenance-windows", {"weekly": {**WEEKLY, "weekdays": ["someday"]}}, "invalid_weekly"),
        ("maintenance-windows", {"weekly": {**WEEKLY, "weekdays": [[]]}}, "invalid_weekly"),
        ("maintenance-windows", {"weekly": {**WEEKLY, "start": "24:00"}}, "invalid_weekly"),
        ("maintenance-windows", {"weekly": {**WEEKLY, "duration_minutes": 0}}, "invalid_weekly"),
        ("maintenance-windows", {"weekly": {**WEEKLY, "duration_minutes": True}}, "invalid_weekly"),
        ("maintenance-windows", {"weekly": {**WEEKLY, "time_zone": "Mars/Olympus"}}, "invalid_weekly"),
        ("maintenance-windows", {"weekly": {**WEEKLY, "time_zone": "'; DROP TABLE channels"}}, "invalid_weekly"),
        ("maintenance-windows", {"weekly": "monday"}, "invalid_weekly"),
        ("maintenance-windows", {"weekly": WEEKLY, "ends_at": "2999-01-01T00:00:00Z"}, "invalid_weekly"),
        ("maintenance-windows", {"starts_at": "2020-01-01T00:00:00Z"}, "invalid_ends_at"),
        ("maintenance-windows", {}, "invalid_starts_at"),
    ],
)
def test_what_is_no_silence_or_window(bureau: Bureau, noun: str, members: dict[str, Any], code: str) -> None:
    until = (bureau.now + timedelta(hours=1)).isoformat()
    body = {"matchers": [MATCHER], "ends_at": until} if noun == "silences" else {}
    status, problem = bureau.call("POST", f"/api/{noun}", body | members)
    assert (status, problem["code"]) == (400, code)


def test_lists_have_pages(bureau: Bureau, receiver: Receiver) -> None:
    for number in range(3):
        bureau.channel(receiver.url, name=f"hook {number}")
        silence(bureau, 10 + number)
    bureau.fire()
    bureau.dispatch()
    for noun in ("channels", "silences", "deliveries"):
        seen: list[Any] = []
        page = bureau.ask("GET", f"/api/{noun}", limit="2")
        seen += page[noun]
        page = bureau.ask("GET", f"/api/{noun}", limit="2", cursor=page["next_cursor"])
        seen += page[noun]
        assert (len({json.dumps(item) for item in seen}), page["next_cursor"]) == (3, None)
        assert bureau.call("GET", f"/api/{noun}", cursor="WzFd")[1]["code"] == "invalid_cursor"


def test_nobody_sees_or_touches_what_is_anothers(bureau: Bureau, receiver: Receiver) -> None:
    channel, silence_id = bureau.channel(receiver.url), silence(bureau)
    window = bureau.ask("POST", "/api/maintenance-windows", {"weekly": WEEKLY})["maintenance_window"]["id"]
    bureau.fire()
    bureau.dispatch()
    _, name = bureau.new_application()
    stranger, reader = bureau.new_key(name, "alerts", "read"), bureau.new_key(bureau.name, "read")
    for noun in ("channels", "silences", "maintenance-windows", "deliveries"):
        member = noun.replace("-", "_")
        assert bureau.call("GET", f"/api/{noun}", key=stranger)[1][member] == []
        assert bureau.call("GET", f"/api/{noun}", key=reader)[1][member] != []
        assert bureau.call("GET", f"/api/{noun}", key=stranger, application=bureau.name)[0] == 400
    touches = [
        ("GET", f"/api/channels/{channel['id']}", "unknown_channel"),
        ("PATCH", f"/api/channels/{channel['id']}", "unknown_channel"),
        ("DELETE", f"/api/channels/{channel['id']}", "unknown_channel"),
        ("POST", f"/api/channels/{channel['id']}/test", "unknown_channel"),
        ("POST", f"/api/channels/{channel['id']}/rotate", "unknown_channel"),
        ("DELETE", f"/api/silences/{silence_id}", "unknown_silence"),
        ("DELETE", f"/api/maintenance-windows/{window}", "unknown_window"),
    ]
    for method, path, code in touches:
        body = {"enabled": False} if method == "PATCH" else None
        assert bureau.call(method, path, body, key=stranger)[1]["code"] == code
        assert bureau.call(method, path.replace(path.split("/")[3], "x"), body)[1]["code"] == code
        if method != "GET":
            assert bureau.call(method, path, body, key=reader)[1]["code"] == "missing_scope"
    made = {"name": "x", "kind": "webhook", "target": receiver.url, "application": bureau.name}
    assert bureau.call("POST", "/api/channels", made, key=stranger)[1]["code"] == "unknown_application"
    assert bureau.call("POST", "/api/channels", made, key=bureau.new_key(name, "admin"))[0] == 201
    assert receiver.taken() == []


def test_names_are_taken_once_and_channels_have_a_bound(bureau: Bureau, receiver: Receiver) -> None:
    first = bureau.channel(receiver.url, name="ops")
    made = {"name": "ops", "kind": "webhook", "target": receiver.url}
    assert bureau.call("POST", "/api/channels", made)[1]["code"] == "channel_exists"
    second = bureau.channel(receiver.url, name="other")
    assert bureau.call("PATCH", f"/api/channels/{second['id']}", {"name": "ops"})[1]["code"] == "channel_exists"
    bureau.ask("DELETE", f"/api/channels/{first['id']}")
    bureau.channel(receiver.url, name="ops")
    for _ in range(18):
        bureau.channel(receiver.url)
    assert bureau.call("POST", "/api/channels", {**made, "name": "x"})[1]["code"] == "too_many_channels"


def test_a_deleted_channel_gets_nothing_more_and_its_target_is_gone(bureau: Bureau, receiver: Receiver) -> None:
    channel = bureau.channel(receiver.url)
    receiver.status = 500
    bureau.fire()
    bureau.dispatch()
    receiver.taken()
    bureau.ask("DELETE", f"/api/channels/{channel['id']}")
    bureau.fire()
    bureau.dispatch(timedelta(hours=1))
    assert receiver.taken() == []
    assert bureau.statuses() == [("firing", "failed")]
    assert bureau.scratch.rows("SELECT target FROM channels WHERE channel_id = %s", channel["id"]) == [("",)]
    assert bureau.call("GET", f"/api/channels/{channel['id']}")[0] == 404


def test_hostile_targets_that_got_in_are_refused_at_sending(bureau: Bureau, receiver: Receiver) -> None:
    """A policy that was wider once, or a row that somebody wrote: deliver judges each time."""
    channel = bureau.channel(receiver.url)
    bureau.scratch.rows("UPDATE channels SET target = %s WHERE channel_id = %s", HOSTILE, channel["id"])
    bureau.fire()
    assert bureau.dispatch()["given_up"] == 1
    (delivery,) = bureau.deliveries()
    assert (delivery["status"], delivery["last_attempt"]["code"]) == ("failed", "target_refused")


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("sluice_reader", "SELECT * FROM channels"),
        ("sluice_reader", "SELECT * FROM messages"),
        ("sluice_writer", "SELECT * FROM silences"),
        ("sluice_watcher", "UPDATE alert_events SET payload = '{}'"),
        ("sluice_watcher", "INSERT INTO channels DEFAULT VALUES"),
        ("sluice_watcher", "DELETE FROM deliveries"),
        ("sluice_alerts", "INSERT INTO deliveries DEFAULT VALUES"),
        ("sluice_alerts", "DELETE FROM channels"),
        ("sluice_alerts", "UPDATE deliveries SET message_id = NULL"),
        ("sluice_ingest", "SELECT * FROM notification_backlog()"),
    ],
)
def test_roles_may_do_what_is_theirs(database: Scratch, role: str, statement: str) -> None:
    refused = pytest.raises(psycopg2.errors.InsufficientPrivilege)
    with psycopg2.connect(database.url(role)) as connection, connection.cursor() as cursor, refused:
        cursor.execute(statement)


def test_how_far_sending_is_behind_can_be_read(bureau: Bureau, receiver: Receiver) -> None:
    bureau.channel(receiver.url)
    receiver.status = 500
    before = bureau.dispatch()["pending"]
    bureau.fire()
    assert bureau.dispatch()["pending"] == before + 1
    page = bureau.use_case.scrape.page()
    assert f"sluice_notifications_pending {before + 1}" in page
    assert 'sluice_notifications_total{kind="webhook",result="failed"} 1' in page
    assert "sluice_oldest_notification_seconds" in page
