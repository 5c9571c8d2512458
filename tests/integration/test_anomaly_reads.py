"""GET /api/anomalies and /api/anomalies/{id} on real servers: what is shown, to whom, and page by page."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from desk import Desk
from fakes import NOON
from sluice.anomalies.anomaly import Anomaly
from sluice.anomalies.model import Kind
from sluice.anomalies.ports import Progress
from sluice.anomalies.postgres_watch import PostgresWatchStore
from sluice.anomalies.rates import RateDetector
from sluice.anomalies.series import BUCKET, Episode, Series, bucket_of
from sluice.entries.model import Level
from sluice.runtime.postgres import Database

HOUR = timedelta(hours=1)
START = bucket_of(NOON)


class Shop:
    """An application with anomalies."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.application_id, self.name = desk.new_application()
        self.key = desk.new_key(self.name, "read")
        self.store = PostgresWatchStore(Database(desk.scratch.url("sluice_watcher")))
        self.saves = 0

    def find(self, *anomalies: Anomaly, states: dict[str, Any] | None = None) -> None:
        progress = Progress(self.application_id, self.saves, START, START)
        self.store.save(progress, states, anomalies)
        self.saves += 1

    def anomaly(self, at: datetime = START, series: Series | None = None, **changes: Any) -> Anomaly:
        member = Episode(
            series or Series(Level.ERROR),
            at,
            changes.pop("kind", Kind.SPIKE),
            at,
            at + BUCKET,
            changes.pop("score", 0.75),
            40.0,
            2.5,
            (at, at + BUCKET),
            at - 24 * HOUR,
        )
        return replace(Anomaly(self.application_id, at + BUCKET, (member,), (), Level.ERROR, "many", "1.2"), **changes)

    def list(self, **parameters: str) -> list[dict[str, Any]]:
        status, answer = self.desk.get("/api/anomalies", self.key, **{"since": "2020-01-01T00:00:00Z"} | parameters)
        assert status == 200, answer
        found: list[dict[str, Any]] = answer["anomalies"]
        return found

    def show(self, anomaly_id: int) -> dict[str, Any]:
        status, answer = self.desk.get(f"/api/anomalies/{anomaly_id}", self.key)
        assert status == 200, answer
        found: dict[str, Any] = answer
        return found


@pytest.fixture
def shop(desk: Desk) -> Shop:
    return Shop(desk)


def test_an_anomaly_says_what_came_and_what_was_expected(shop: Shop) -> None:
    shop.desk.store(shop.application_id, "payment 7 failed", event_at=START)
    ((template_id,),) = shop.desk.scratch.rows(
        "SELECT template_id FROM templates WHERE application_id = %s", shop.application_id
    )
    shop.find(shop.anomaly(template_ids=(template_id,), samples=("ab-0",)))
    (found,) = shop.list()
    stamp = {name: START + shift for name, shift in {"onset": 0 * HOUR, "last_seen": BUCKET}.items()}
    assert {name: datetime.fromisoformat(found[name]) for name in stamp} == stamp
    assert found["templates"] == [{"id": template_id, "text": "payment <*> failed"}]
    expected = {
        "application": shop.name,
        "kind": "spike",
        "level": "ERROR",
        "status": "open",
        "closed_at": None,
        "score": 0.75,
        "observed": 40,
        "expected": 2.5,
        "sentence": "many",
        "query": "level:error",
        "version": "1.2",
        "samples": ["ab-0"],
        "feedback": None,
        "corrected": False,
        "muted": False,
    }
    assert {name: found[name] for name in expected} == expected


def test_what_is_asked_for(shop: Shop) -> None:
    shop.find(
        shop.anomaly(START - 3 * HOUR, closed_at=START),
        shop.anomaly(START - 2 * HOUR, kind=Kind.DROP),
        shop.anomaly(START - HOUR, score=0.9),
        shop.anomaly(START, is_muted=True),
    )
    onsets = [datetime.fromisoformat(each["onset"]) for each in shop.list()]
    assert onsets == [START - HOUR, START - 2 * HOUR, START - 3 * HOUR]
    assert len(shop.list(muted="yes")) == 4
    assert [each["status"] for each in shop.list(status="closed")] == ["closed"]
    assert [each["kind"] for each in shop.list(kind="drop,silence")] == ["drop"]
    assert [each["score"] for each in shop.list(min_score="0.8")] == [0.9]
    assert len(shop.list(until=(START - 2 * HOUR - BUCKET).isoformat())) == 1
    assert len(shop.list(since=(START - HOUR).isoformat())) == 1


def test_page_by_page(shop: Shop) -> None:
    shop.find(*(shop.anomaly(START - number // 2 * HOUR, Series(0, 1 + number)) for number in range(7)))
    seen: list[int] = []
    cursor: dict[str, str] = {}
    for _ in range(4):
        parameters = {"since": "2020-01-01T00:00:00Z", "limit": "2"} | cursor
        _, page = shop.desk.get("/api/anomalies", shop.key, **parameters)
        seen += [each["id"] for each in page["anomalies"]]
        cursor = {"cursor": page["next_cursor"]}
    assert page["next_cursor"] is None
    assert len(seen) == len(set(seen)) == 7


def test_others_see_nothing(shop: Shop, desk: Desk) -> None:
    other = Shop(desk)
    shop.find(shop.anomaly())
    (found,) = shop.list()
    assert other.list() == []
    status, problem = desk.get(f"/api/anomalies/{found['id']}", other.key)
    assert (status, problem["code"]) == (404, "unknown_anomaly")


def test_the_rate_around_an_anomaly(shop: Shop) -> None:
    shop.desk.store(shop.application_id, *["payment failed"] * 4, event_at=START, level=Level.ERROR)
    shop.desk.store(shop.application_id, *["order placed"] * 9, event_at=START, level=Level.INFO)
    detector = RateDetector(BUCKET, has_patterns=False)
    for number in range(20 * 144):
        at = START - BUCKET * (20 * 144 - number)
        detector.feed(at, 30 if at.hour < 12 else 10)
    shop.find(shop.anomaly(), states={"level:40": detector.to_state(), "catalogue": {}})
    series = shop.show(shop.list()[0]["id"])["series"]
    points = dict(zip(map(datetime.fromisoformat, series["starts"]), series["observed"], strict=True))
    assert points[START] == 4
    assert sum(points.values()) == 4
    expected = dict(zip(map(datetime.fromisoformat, series["starts"]), series["expected"], strict=True))
    assert expected[START] == pytest.approx(2.5, abs=0.001)
    assert min(points) == START - 6 * HOUR


def test_the_rate_of_an_anomaly_without_a_detector(shop: Shop) -> None:
    shop.find(shop.anomaly(START - 30 * 24 * HOUR, Series(0, 7), kind=Kind.NEW_TEMPLATE))
    (found,) = shop.list()
    series = shop.show(found["id"])["series"]
    assert series["observed"] == [0] * len(series["starts"])
    assert set(series["expected"]) == {2.5}


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"kind": "odd"}, "invalid_kind"),
        ({"min_score": "much"}, "invalid_min_score"),
        ({"min_score": "nan"}, "invalid_min_score"),
        ({"min_score": "2"}, "invalid_min_score"),
        ({"cursor": "x"}, "invalid_cursor"),
        ({"cursor": "999999999999999999-1"}, "invalid_cursor"),
        ({"since": "now", "until": "-1h"}, "invalid_since"),
        ({"until": "0001-01-02T00:00:00Z"}, "invalid_until"),
        ({"odd": "1"}, "unknown_parameter"),
        ({"status": "odd"}, "invalid_status"),
        ({"muted": "odd"}, "invalid_muted"),
    ],
)
def test_what_cannot_be_asked(shop: Shop, parameters: dict[str, str], code: str) -> None:
    status, problem = shop.desk.get("/api/anomalies", shop.key, **parameters)
    assert (status, problem["code"]) == (400, code)


@pytest.mark.parametrize("text", ["0", "-1", "x", "9" * 30])
def test_ids_that_no_anomaly_has(shop: Shop, text: str) -> None:
    status, problem = shop.desk.get(f"/api/anomalies/{text}", shop.key)
    assert (status, problem["code"]) == (404, "unknown_anomaly")
