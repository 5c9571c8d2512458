"""Counting logs by release, and GET /api/diff, on real servers."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from desk import Desk
from fakes import NOON
from samples import record, submission
from sluice.templates import postgres_counts

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ORDERS = [f"order {n} placed" for n in range(60)]
STEADY = [*ORDERS, *(f"mail {n} sent" for n in range(40)), *(f"page {n} shown" for n in range(80))]


class Shop:
    """An application whose service cart has versions."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.application_id, self.name = desk.new_application()
        self.key = desk.new_key(self.name, "read")

    def log(self, *messages: str, at: datetime = NOON, **fields: Any) -> None:
        self.desk.store(self.application_id, *messages, event_at=at, **{"service": "cart"} | fields)

    def diff(self, **parameters: str) -> dict[str, Any]:
        status, answer = self.desk.get("/api/diff", self.key, **parameters)
        assert status == 200, answer
        found: dict[str, Any] = answer
        return found

    def rows(self, sql: str) -> list[Any]:
        return self.desk.scratch.rows(sql, self.application_id)


@pytest.fixture
def shop(desk: Desk) -> Shop:
    return Shop(desk)


def texts(changes: list[dict[str, Any]]) -> list[str]:
    return [change["template"]["text"] for change in changes]


COUNTED = """
SELECT service, releases.version, t.text, event_hour, record_count
FROM release_counts JOIN releases USING (application_id, release_id) JOIN templates t USING (template_id)
WHERE release_counts.application_id = %s ORDER BY 1, 2, 3, 4"""


def test_each_log_with_a_version_counts_by_service_version_template_and_hour(shop: Shop) -> None:
    shop.log("order 1 placed", "order 2 placed", "out of memory", version="1.0")
    shop.log("order 3 placed", version="1.0", at=NOON + timedelta(minutes=59, seconds=59.9))
    beside = [record(0, "order 7 placed", service="mail", version="1.0")]
    shop.desk.queue.submit(submission(beside, application_id=shop.application_id))
    shop.log("order 4 placed", version="1.0", at=NOON + HOUR)  # in one chunk with the one before
    shop.log("order 5 placed", version="a\tb\\ \U0001f389", service=None)
    shop.log("order 6 placed")
    noon, order = NOON.replace(minute=0, second=0, microsecond=0), "order <*> placed"
    assert shop.rows(COUNTED) == [
        ("", "a\tb\\ \U0001f389", order, noon, 1),
        ("cart", "1.0", order, noon, 3),
        ("cart", "1.0", order, noon + HOUR, 1),
        ("cart", "1.0", "out of memory", noon, 1),
        ("mail", "1.0", order, noon, 1),
    ]


def test_versions_without_end_count_together(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        postgres_counts,
        "_ADD_RELEASES",
        postgres_counts._ADD_RELEASES.replace(f"number <= {postgres_counts.MAX_RELEASES}", "number <= 2"),
    )
    for number in range(4):
        shop.log("order 1 placed", "order 2 placed", version=f"build-{number}")
    shop.log("order 3 placed", version="build-1")
    counts = "SELECT release_id = 0, sum(record_count)::int FROM release_counts"
    assert shop.rows(f"{counts} WHERE application_id = %s GROUP BY 1 ORDER BY 1") == [(False, 5), (True, 4)]
    assert [version["version"] for version in shop.diff()["versions"]] == ["build-1", "build-0"]


def test_what_a_version_changed(shop: Shop) -> None:
    """During a rollout: the version before still logs, ten times as much."""
    for hours in range(10):
        gone = [f"session {n} expired" for n in range(50)]
        shop.log(*STEADY, *gone, "cache is cold", version="1.0", at=NOON + hours * HOUR)
    shop.log(*STEADY, "out of memory", *["cache is cold"] * 20, version="1.1", at=NOON + 9 * HOUR)
    answer = shop.diff(version="1.1")
    assert (answer["application"], answer["version"], answer["against"]) == (shop.name, "1.1", None)
    assert (texts(answer["only_new"]), texts(answer["gone"])) == (["out of memory"], ["session <*> expired"])
    (changed,) = answer["changed"]
    assert changed["template"]["text"] == "cache is cold"
    assert (changed["before"], changed["after"], changed["expected"], changed["ratio"]) == (10, 20, 1, 20)
    assert changed["after_rate"] == pytest.approx(20 * changed["before_rate"])
    assert changed["sentence"] == "“cache is cold” came 20 times with 1.1, where about 1 were expected"
    (span,) = answer["spans"]
    assert (span["service"], span["before"]["versions"], span["unclustered"]) == ("cart", ["1.0"], 0)
    assert (span["before"]["logs"], span["after"]["logs"]) == (10 * 231, 201)
    logs = shop.desk.get("/api/logs", shop.key, q=changed["query"], since=str(NOON), until=str(NOON + DAY))[1]["logs"]
    assert len(logs) == 20
    assert answer["only_new"][0]["first_seen"] == (NOON + 9 * HOUR).replace(minute=0).isoformat()
    assert [version["version"] for version in answer["versions"]] == ["1.1", "1.0"]
    assert shop.diff()["version"] == "1.1"
    back = shop.diff(version="1.0", against="1.1")
    assert (texts(back["only_new"]), texts(back["gone"])) == (["session <*> expired"], [])


def test_logs_without_a_version_are_what_came_before_the_first(shop: Shop) -> None:
    shop.log(*STEADY, *[f"session {n} expired" for n in range(200)], at=NOON)
    shop.log("the message of a long time ago", at=NOON - 30 * DAY)
    shop.log(*STEADY, "out of memory", version="1.0", at=NOON + HOUR)
    answer = shop.diff()
    assert (texts(answer["only_new"]), texts(answer["gone"])) == (["out of memory"], ["session <*> expired"])
    (span,) = answer["spans"]
    assert (span["before"]["versions"], span["before"]["logs"], span["after"]["logs"]) == ([], 380, 181)


def test_another_services_logs_are_not_missed(shop: Shop) -> None:
    for version, at in (("1.0", NOON), ("1.1", NOON + HOUR)):
        shop.log(*STEADY, version=version, at=at)
    shop.log(*(f"query {n} ran" for n in range(500)), service="search", version="7", at=NOON)
    answer = shop.diff(version="1.1")
    assert [answer[name] for name in ("only_new", "gone", "changed")] == [[], [], []]


def test_merged_and_ignored_templates(shop: Shop) -> None:
    shop.log(*STEADY, version="1.0")
    shop.log(*STEADY, "out of memory", "disk is full", version="1.1", at=NOON + HOUR)
    assert set(texts(shop.diff()["only_new"])) == {"out of memory", "disk is full"}
    shop.rows("UPDATE templates SET is_ignored = true WHERE text = 'disk is full' AND application_id = %s")
    assert texts(shop.diff()["only_new"]) == ["out of memory"]
    merge = "SELECT template_id FROM templates WHERE text = 'order <*> placed'"
    shop.rows(
        f"UPDATE templates t SET merged_into = ({merge} AND application_id = t.application_id)"
        " WHERE text = 'out of memory' AND application_id = %s"
    )
    assert shop.diff()["only_new"] == []


def test_the_times_that_are_asked_for(shop: Shop) -> None:
    shop.log(*STEADY, "out of memory", version="1.0", at=NOON - DAY)
    shop.log(*STEADY, version="1.0")
    shop.log(*STEADY, "out of memory", version="1.1", at=NOON + HOUR)
    assert shop.diff()["only_new"] == []
    assert texts(shop.diff(since=str(NOON))["only_new"]) == ["out of memory"]
    assert shop.desk.get("/api/diff", shop.key, version="1.1", until=str(NOON))[1]["code"] == "unknown_version"


def test_which_application(shop: Shop) -> None:
    assert shop.diff()["version"] is None
    admin = shop.desk.new_key(shop.name, "read", "admin")
    status, answer = shop.desk.get("/api/diff", admin)
    assert (status, answer["code"]) == (400, "ambiguous_application")
    assert shop.desk.get("/api/diff", admin, application=shop.name)[1]["versions"] == []
    assert shop.desk.get("/api/diff", shop.key, application="nobody")[1]["code"] == "unknown_application"
    assert shop.desk.get("/api/diff", shop.key, version="1.0")[0] == 404


def test_nobody_compares_anothers_versions(shop: Shop, desk: Desk) -> None:
    shop.log("order 1 placed", version="1.0")
    _, other = desk.new_application()
    assert desk.get("/api/diff", desk.new_key(other, "read"))[1]["versions"] == []


def test_logs_whose_template_comes_later_are_said_to_be_missing(shop: Shop) -> None:
    shop.log(*STEADY, version="1.0")
    shop.log("order 1 placed", version="1.1", at=NOON + HOUR)
    shop.rows(
        "UPDATE release_counts SET template_id = 0, template_key = 7 WHERE record_count = 1 AND application_id = %s"
    )
    (span,) = shop.diff()["spans"]
    assert (span["unclustered"], span["after"]["logs"]) == (1, 0)
