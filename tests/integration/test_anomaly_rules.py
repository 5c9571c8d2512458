"""Anomalies become incidents through rules of their kind, on real servers: told once, resolved once."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from apps import load_app
from desk import Desk
from fakes import NOON
from sluice.alerts.postgres_source import PostgresLogSource
from sluice.alerts.postgres_states import PostgresRuleStates
from sluice.alerts.postgres_unusual import PostgresUnusual
from sluice.anomalies.anomaly import Anomaly
from sluice.anomalies.model import Kind
from sluice.anomalies.ports import Progress
from sluice.anomalies.postgres_census import PostgresCensus
from sluice.anomalies.postgres_watch import PostgresWatchStore
from sluice.anomalies.series import ALL, BUCKET, Episode, bucket_of
from sluice.anomalies.watch import Watcher
from sluice.entries.model import Level
from sluice.runtime.postgres import Database

watch_app = load_app("watch")
START = bucket_of(NOON)
HOUR = timedelta(hours=1)


class Shop:
    """An application with the default rules, and the step."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.application_id, self.name = desk.new_application()
        database = Database(desk.scratch.url("sluice_watcher"))
        PostgresRuleStates(database).create_defaults()
        others = "UPDATE alert_rules SET is_enabled = false WHERE application_id <> %s"  # of other tests
        desk.scratch.rows(others, self.application_id)
        self.store = PostgresWatchStore(database)
        self.saves = 0
        self.step = watch_app.Anomalies(
            Watcher(PostgresCensus(database), self.store),
            PostgresUnusual(database),
            partial(PostgresLogSource, database),
            desk.queue,
            lambda: NOON,
            watch_app.logger,
            watch_app.metrics,
        )
        self.watch()  # what it still has to say of the others

    def find(self, *anomalies: Anomaly) -> None:
        self.store.save(Progress(self.application_id, self.saves, START, START), None, anomalies)
        self.saves += 1

    def anomaly(self, at: datetime = START - BUCKET, **changes: Any) -> Anomaly:
        window = at, at + BUCKET
        member = Episode(ALL, at, Kind.SPIKE, at, at + BUCKET, changes.pop("score", 0.75), 40.0, 2.5, window, at - HOUR)
        return replace(Anomaly(self.application_id, at + BUCKET, (member,), (), 0, "many logs"), **changes)

    def watch(self) -> int:
        told: int = self.step.watch(lambda: False)["told"]
        return told

    def incidents(self) -> list[tuple[Any, ...]]:
        sql = "SELECT status, is_withdrawn, kind, observed FROM incidents WHERE application_id = %s ORDER BY opened_at"
        return self.desk.scratch.rows(sql, self.application_id)

    def events(self) -> list[str]:
        sql = "SELECT kind FROM alert_events WHERE application_id = %s ORDER BY event_id"
        return [kind for (kind,) in self.desk.scratch.rows(sql, self.application_id)]


@pytest.fixture
def shop(desk: Desk) -> Shop:
    return Shop(desk)


def test_an_anomaly_is_told_once_and_resolved_once(shop: Shop) -> None:
    shop.find(shop.anomaly())
    assert [shop.watch(), shop.watch()] == [1, 0]
    assert shop.incidents() == [("firing", False, "anomaly", 40)]
    shop.find(shop.anomaly(closed_at=START))
    assert [shop.watch(), shop.watch()] == [1, 0]
    assert shop.incidents() == [("resolved", False, "anomaly", 40)]
    assert shop.events() == ["firing", "resolved"]


def test_the_event_has_what_a_message_needs(shop: Shop) -> None:
    batch = shop.desk.store(shop.application_id, "out of memory", level=Level.ERROR, event_at=START - BUCKET)
    shop.find(shop.anomaly())
    shop.watch()
    ((payload,),) = shop.desk.scratch.rows(
        "SELECT payload FROM alert_events WHERE application_id = %s", shop.application_id
    )
    assert payload["title"] == f"Something unusual: spike in {shop.name}"
    assert payload["sentence"] == f"{shop.name}: many logs."
    assert payload["labels"]["anomaly"] == "spike"
    assert (payload["observed"], payload["threshold"]) == (40, 2.5)
    assert [sample["id"] for sample in payload["samples"]] == [f"{batch}-0"]


def test_what_was_over_before_it_was_found_is_told_all_the_same(shop: Shop) -> None:
    shop.find(shop.anomaly(closed_at=START))
    assert [shop.watch(), shop.watch(), shop.watch()] == [1, 1, 0]
    assert shop.events() == ["firing", "resolved"]


def test_one_that_opens_again_is_told_again(shop: Shop) -> None:
    shop.find(shop.anomaly(closed_at=START))
    while shop.watch():
        pass
    again = shop.anomaly()
    shop.find(replace(again, members=(replace(again.members[0], last=START + BUCKET),)))
    assert [shop.watch(), shop.watch()] == [1, 0]
    assert shop.events() == ["firing", "resolved", "firing"]


def test_late_logs_withdraw_an_incident(shop: Shop) -> None:
    shop.find(shop.anomaly())
    shop.watch()
    shop.find(shop.anomaly(closed_at=START, is_corrected=True))
    assert [shop.watch(), shop.watch()] == [1, 0]
    assert shop.incidents() == [("resolved", True, "anomaly", 40)]
    assert shop.events() == ["firing", "corrected"]


@pytest.mark.parametrize(
    "changes",
    [{"is_muted": True}, {"score": 0.4}, {"is_corrected": True, "closed_at": START}, {"at": START - 3 * HOUR}],
    ids=["muted", "below the rule's score", "withdrawn before it was told", "long ago"],
)
def test_what_is_not_told(shop: Shop, changes: dict[str, Any]) -> None:
    shop.find(shop.anomaly(**changes))
    assert shop.watch() == 0


def test_what_is_muted_while_it_fires_is_resolved(shop: Shop) -> None:
    shop.find(shop.anomaly())
    shop.watch()
    shop.find(shop.anomaly(is_muted=True))
    assert [shop.watch(), shop.watch()] == [1, 0]
    assert shop.events() == ["firing", "resolved"]


def test_a_rule_that_is_switched_off_tells_nothing_new(shop: Shop) -> None:
    shop.desk.scratch.rows("UPDATE alert_rules SET is_enabled = false WHERE application_id = %s", shop.application_id)
    shop.find(shop.anomaly())
    assert shop.watch() == 0
