"""What people do with anomalies, on real servers: feedback and backtests."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest

from apps import load_app
from aws import LambdaContext, rest_event
from desk import Desk
from samples import PEPPER
from sluice.anomalies.anomaly import Anomaly
from sluice.anomalies.feedback import Feedback
from sluice.anomalies.model import Kind
from sluice.anomalies.ports import Progress
from sluice.anomalies.postgres_census import PostgresCensus
from sluice.anomalies.postgres_people import PostgresPeople
from sluice.anomalies.postgres_sessions import PostgresSessionLogs
from sluice.anomalies.postgres_watch import PostgresWatchStore
from sluice.anomalies.series import BUCKET, Episode, Series, bucket_of
from sluice.applications.lookup import KeyLookup
from sluice.applications.postgres import PostgresKeyStore, limits_by_name
from sluice.entries.model import Level
from sluice.runtime.postgres import Database

app = load_app("alerts")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOW = bucket_of(datetime(2026, 6, 1, 12, tzinfo=UTC))
INCIDENT = NOW - DAY


class Shop:
    """An application, its key with the scope alerts, and the function."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch, *, step: int = 0) -> None:
        self.desk = desk
        self.application_id, self.name = desk.new_application()
        self.key = desk.new_key(self.name, "alerts", "read")
        database = Database(desk.scratch.url("sluice_alerts"))
        lookup = KeyLookup(PostgresKeyStore(database), None, PEPPER, lambda: datetime.now(UTC))
        sight = app.Sight(partial(limits_by_name, database))
        people = partial(PostgresPeople, database)
        ticks = count(0, step or 1)
        anomalies = app.Anomalies(
            sight,
            PostgresCensus(database),
            PostgresSessionLogs(database),
            people,
            lambda: NOW,
            lambda: float(next(ticks)),
        )
        monkeypatch.setattr(app, "_dependencies", lambda: app.Alerts(lookup, *[None] * 6, anomalies))
        self.store = PostgresWatchStore(Database(desk.scratch.url("sluice_watcher")))

    def call(self, method: str, path: str, body: Any, *, key: str | None = None) -> tuple[int, Any]:
        event = rest_event(method, path, json.dumps(body).encode(), headers={"X-API-Key": key or self.key})
        if path.endswith("/feedback"):
            event["pathParameters"] = {"id": path.split("/")[3]}
            path = "/api/anomalies/{id}/feedback"
        event["resource"] = event["requestContext"]["resourcePath"] = path
        answer = app.handler(event, LambdaContext())
        return answer["statusCode"], json.loads(answer["body"])

    def found(self) -> int:
        """The id of an anomaly."""
        window = NOW, NOW + BUCKET
        member = Episode(Series(0, 7), NOW, Kind.SPIKE, NOW, NOW + BUCKET, 0.75, 40, 2, window, NOW - DAY)
        anomaly = Anomaly(self.application_id, NOW + BUCKET, (member,))
        self.store.save(Progress(self.application_id, 0, NOW, NOW), None, [anomaly])
        sql = "SELECT anomaly_id FROM anomalies WHERE application_id = %s"
        ((anomaly_id,),) = self.desk.scratch.rows(sql, self.application_id)
        return int(anomaly_id)

    def log(self, days: int) -> None:
        """Counts of as many days, with a storm of errors in one hour."""
        rows = self.desk.scratch.rows
        rows("INSERT INTO template_sets (application_id) VALUES (%s)", self.application_id)
        counts = (
            "INSERT INTO template_counts (application_id, event_minute, template_id, template_key, level,"
            " received_minute, record_count) SELECT %s, at, 0, 1, %s, at, %s FROM generate_series(%s, %s,"
            " interval '10 minutes') at"
        )
        rows(counts, self.application_id, Level.INFO, 30, NOW - days * DAY, NOW - BUCKET)
        rows(counts, self.application_id, Level.ERROR, 500, INCIDENT, INCIDENT + HOUR)


@pytest.fixture
def shop(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(desk, monkeypatch)


def test_feedback_is_noted_with_who_gave_it_and_can_be_taken_back(shop: Shop) -> None:
    anomaly_id = shop.found()
    path = f"/api/anomalies/{anomaly_id}/feedback"
    for verdict in ("noise", "useful"):
        assert shop.call("PUT", path, {"verdict": verdict}) == (200, {"id": anomaly_id, "feedback": verdict})
        (judged,) = shop.store.judged(shop.application_id, NOW - DAY)
        assert (judged.verdict, judged.score) == (Feedback(verdict), 0.75)
        assert judged.subjects == {(Series(0, 7), True)}
        ((by,),) = shop.desk.scratch.rows("SELECT feedback_by FROM anomalies WHERE anomaly_id = %s", anomaly_id)
        assert by in shop.key
    assert shop.call("PUT", path, {"verdict": None})[0] == 200
    assert shop.store.judged(shop.application_id, NOW - DAY) == []


@pytest.mark.parametrize("body", [{}, {"verdict": "odd"}, {"verdict": 1}, {"verdict": []}])
def test_feedback_that_cannot_be(shop: Shop, body: dict[str, Any]) -> None:
    status, problem = shop.call("PUT", f"/api/anomalies/{shop.found()}/feedback", body)
    assert (status, problem["code"]) == (400, "invalid_verdict")


def test_nobody_judges_anothers_anomaly(shop: Shop, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    anomaly_id = shop.found()
    other = Shop(desk, monkeypatch)
    status, problem = other.call("PUT", f"/api/anomalies/{anomaly_id}/feedback", {"verdict": "noise"})
    assert (status, problem["code"]) == (404, "unknown_anomaly")
    reader = desk.new_key(shop.name, "read")
    status, _ = shop.call("PUT", f"/api/anomalies/{anomaly_id}/feedback", {"verdict": "noise"}, key=reader)
    assert status == 403


def test_a_backtest_tells_what_would_have_been_found(shop: Shop) -> None:
    shop.log(5)
    status, answer = shop.call("POST", "/api/anomalies/backtest", {"since": "-2d"})
    assert status == 200, answer
    while not answer["is_complete"]:
        status, answer = shop.call("POST", "/api/anomalies/backtest", {"id": answer["id"]})
    (anomaly,) = answer["anomalies"]
    assert anomaly["kind"] in {"spike", "burst"}
    assert (anomaly["level"], anomaly["id"]) == ("ERROR", None)
    assert datetime.fromisoformat(anomaly["onset"]) == INCIDENT
    assert answer["progress"] == 1
    assert shop.desk.scratch.rows("SELECT FROM anomalies WHERE application_id = %s", shop.application_id) == []


def test_a_backtest_goes_on_where_it_stopped(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(desk, monkeypatch, step=100)  # time is up after each day
    shop.log(5)
    _, answer = shop.call("POST", "/api/anomalies/backtest", {"since": "-2d"})
    seen = [answer["progress"]]
    while not answer["is_complete"]:
        _, answer = shop.call("POST", "/api/anomalies/backtest", {"id": answer["id"]})
        seen.append(answer["progress"])
    assert seen == sorted(set(seen))
    assert len(seen) == 28 + 2
    assert [anomaly["level"] for anomaly in answer["anomalies"]] == ["ERROR"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_since"),
        ({"since": "-40d"}, "invalid_since"),
        ({"since": "now"}, "invalid_since"),
        ({"since": 5}, "invalid_since"),
        ({"since": "-1d", "until": {}}, "invalid_until"),
        ({"since": "-1d", "application": "nobody's"}, "unknown_application"),
        ({"odd": 1}, "unknown_field"),
    ],
)
def test_a_backtest_that_cannot_be(shop: Shop, body: dict[str, Any], code: str) -> None:
    status, problem = shop.call("POST", "/api/anomalies/backtest", body)
    assert (status, problem["code"]) == (400, code)


def test_nobody_goes_on_with_anothers_backtest(shop: Shop, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _, answer = shop.call("POST", "/api/anomalies/backtest", {"since": "-1d"})
    other = Shop(desk, monkeypatch)
    for backtest_id in (answer["id"], "x", 5):
        status, problem = other.call("POST", "/api/anomalies/backtest", {"id": backtest_id})
        assert (status, problem["code"]) == (404, "unknown_backtest")
