"""Sessions on real servers: from stored logs to an anomaly that is listed, told, shown by its query, and over."""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from apps import load_app
from desk import Desk
from fakes import NOON
from sluice.alerts.postgres_source import PostgresLogSource
from sluice.alerts.postgres_states import PostgresRuleStates
from sluice.alerts.postgres_unusual import PostgresUnusual
from sluice.anomalies.assembly import Piece
from sluice.anomalies.backtest import Backtest, advance
from sluice.anomalies.postgres_census import PostgresCensus
from sluice.anomalies.postgres_evidence import PostgresEvidence
from sluice.anomalies.postgres_sessions import PostgresSessionLogs, PostgresSessionStore
from sluice.anomalies.postgres_watch import PostgresWatchStore
from sluice.anomalies.session_watch import SessionWatcher
from sluice.anomalies.watch import Watcher
from sluice.runtime.postgres import Database

watch_app = load_app("watch")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
START, INCIDENT = NOON - 31 * HOUR, NOON - HOUR
TEXTS = ["basket opened <*>", "payment taken <*>", "order confirmed <*>"]

# Two orders a minute, of which two of five are not confirmed since the incident.
_LOGS = """
INSERT INTO log_rows (application_id, position, batch_id, received_at, event_at, retention_class, level, flags,
                      trace_id, template_id, message, metadata)
SELECT %(application)s, step, md5(%(application)s || ' ' || n)::uuid, received_at,
       received_at + step * interval '1 second', 1, 20, 0, 'trace-' || n,
       (%(templates)s)[step + 1], replace((%(texts)s)[step + 1], '<*>', n::text), '{}'
FROM generate_series(0, %(orders)s - 1) n, generate_series(0, 2) step,
     LATERAL (SELECT %(start)s + n * interval '30 seconds' AS received_at) times
WHERE step < 2 OR received_at < %(incident)s OR n %% 5 > 1"""
_COUNTS = """
INSERT INTO template_counts (application_id, event_minute, template_id, template_key, level, received_minute,
                             record_count)
SELECT application_id, date_trunc('minute', event_at), template_id, 0, level, date_trunc('minute', received_at),
       count(*)
FROM log_entries WHERE application_id = %s GROUP BY 1, 2, 3, 5, 6"""
_BOUNDS = """
INSERT INTO event_time_bounds SELECT 1, received_at::date, application_id, date_trunc('hour', min(event_at)),
    date_trunc('hour', max(event_at)) + interval '1 hour' FROM log_entries WHERE application_id = %s GROUP BY 2, 3"""

_LEDGER = """
INSERT INTO ledger (batch_id, part, application_id, shard, retention_class, first_sequence, record_count, stored_count,
                    received_at, stream_id, body_hash)
SELECT batch_id, 0, application_id, 0, 1, 1, count(*), count(*), min(received_at), batch_id, 'h' FROM log_entries
WHERE application_id = %s GROUP BY batch_id, application_id"""
_BACK = """
INSERT INTO log_rows (application_id, position, batch_id, received_at, event_at, retention_class, level, flags,
                      trace_id, template_id, message, metadata)
SELECT application_id, 2, batch_id, received_at, event_at, 1, 20, 0, trace_id, %s, 'order confirmed', '{}'
FROM log_entries o WHERE application_id = %s AND position = 1 AND event_at >= %s
  AND NOT EXISTS (SELECT FROM log_entries i WHERE i.batch_id = o.batch_id AND i.position = 2)"""


class Shop:
    """An application with the logs of a day and more, and the steps of watch."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.now = desk, NOON
        self.application_id, self.name = desk.new_application()
        self.key = desk.new_key(self.name, "read", "alerts")
        self.database = Database(desk.scratch.url("sluice_watcher"))
        PostgresRuleStates(self.database).create_defaults()
        others = "UPDATE alert_rules SET is_enabled = false WHERE application_id <> %s"  # of other tests
        desk.scratch.rows(others, self.application_id)
        self.fill()
        self.sessions = self.begin()
        census, store = PostgresCensus(self.database), PostgresWatchStore(self.database)
        evidence, episodes = PostgresEvidence(self.database), PostgresSessionStore(self.database).episodes
        self.watcher = Watcher(census, store, evidence, session_episodes=episodes)

    def fill(self) -> None:
        scratch = self.desk.scratch
        scratch.rows("INSERT INTO template_sets (application_id) VALUES (%s)", self.application_id)
        rows = scratch.rows(
            "INSERT INTO templates (application_id, number, version, text)"
            " SELECT %s, place, 1, text FROM unnest(%s) WITH ORDINALITY AS t (text, place) RETURNING template_id",
            *(self.application_id, TEXTS),
        )
        self.templates = [template_id for (template_id,) in rows]
        for days in range(3):
            scratch.rows("SELECT ensure_partition(1::smallint, %s)", (START + days * 24 * HOUR).date())
        with Database(scratch.url("sluice_owner", direct=True)).transaction() as cursor:
            values = {
                "application": self.application_id,
                "templates": self.templates,
                "texts": TEXTS,
                "orders": (NOON + HOUR - START) // (MINUTE / 2),
                "start": START,
                "incident": INCIDENT,
            }
            cursor.execute(_LOGS, values)
            cursor.execute(_COUNTS, (self.application_id,))
            cursor.execute(_BOUNDS, (self.application_id,))
            cursor.execute(_LEDGER, (self.application_id,))

    def begin(self, logs: Callable[[Database], PostgresSessionLogs] = PostgresSessionLogs) -> Any:
        """The step, in a new process."""
        census, store = PostgresCensus(self.database), PostgresSessionStore(self.database)
        watcher = SessionWatcher(census, logs(self.database), store)
        return watch_app.Sessions(watcher, self.desk.queue, lambda: self.now, watch_app.logger, watch_app.metrics)

    def watch_sessions(self, step: Any = None) -> None:
        watcher = (step or self.sessions).watcher
        while watcher.watch(self.application_id, self.now, lambda: True).behind:
            pass

    def watch_anomalies(self) -> None:
        while self.watcher.watch(self.application_id, self.now).is_behind:
            pass

    def tell(self) -> list[Any]:
        unusual, open_source = PostgresUnusual(self.database), partial(PostgresLogSource, self.database)
        others = (self.desk.queue, lambda: self.now, watch_app.logger, watch_app.metrics)
        anomalies = watch_app.Anomalies(self.watcher, unusual, open_source, *others)
        anomalies.watch(lambda: False)
        sql = "SELECT status, kind, sentence FROM incidents WHERE application_id = %s ORDER BY opened_at"
        return self.desk.scratch.rows(sql, self.application_id)

    def anomalies(self, **query: str) -> list[dict[str, Any]]:
        since, until = (START.isoformat(), (NOON + 2 * HOUR).isoformat())
        status, found = self.desk.get("/api/anomalies", self.key, since=since, until=until, **query)
        assert status == 200, found
        listed: list[dict[str, Any]] = found["anomalies"]
        return listed


@pytest.fixture
def shop(desk: Desk) -> Shop:
    return Shop(desk)


def test_sessions_that_lose_a_step_from_logs_to_people(shop: Shop) -> None:
    shop.watch_sessions()
    shop.watch_anomalies()
    (found,) = shop.anomalies(kind="session")
    assert shop.anomalies(kind="spike,silence") == []
    assert re.fullmatch(
        "4[0-9] of 1[12][0-9] sessions that begin with “basket opened <\\*>” lack “order confirmed <\\*>”, which"
        " nearly all of them had before, since 2026-03-01 11:0[0-9]",
        found["sentence"],
    )
    assert [each["text"] for each in found["templates"]] == ["order confirmed <*>", "basket opened <*>"]
    assert (found["status"], found["feedback"], found["expected"] < 0.2) == ("open", None, True)
    assert INCIDENT.isoformat() <= found["onset"].replace("Z", "+00:00") < (INCIDENT + 3 * MINUTE).isoformat()

    window = {"since": found["window"]["from"], "until": found["window"]["until"]}
    status, shown = shop.desk.get("/api/logs", shop.key, q=found["query"], **window)
    assert status == 200
    traces: dict[str, list[str]] = {}
    for log in shown["logs"]:
        traces.setdefault(log["trace_id"], []).append(log["message"].split()[0])
    assert 3 <= len(traces) <= 5
    assert {tuple(sorted(each)) for each in traces.values()} == {("basket", "payment")}
    assert {log["id"] for log in shown["logs"]} >= set(found["samples"])
    assert found["samples"]

    status, detail = shop.desk.get(f"/api/anomalies/{found['id']}", shop.key)
    assert (status, detail["series"]) == (200, {"starts": [], "observed": [], "expected": []})

    ((status, kind, sentence),) = shop.tell()
    assert (status, kind) == ("firing", "anomaly")
    assert found["sentence"] in sentence


def test_it_is_over_when_the_step_is_back(shop: Shop) -> None:
    shop.watch_sessions()
    shop.watch_anomalies()
    shop.tell()
    shop.desk.scratch.rows(_BACK, shop.templates[2], shop.application_id, NOON)
    shop.now = NOON + HOUR
    shop.watch_sessions()
    shop.watch_anomalies()
    (over,) = shop.anomalies(kind="session")
    assert (over["status"], over["corrected"]) == ("closed", False)
    assert [status for status, *_ in shop.tell()] == ["resolved"]


class Killed(BaseException):
    """The process is gone."""


class DyingLogs(PostgresSessionLogs):
    """A process that reads so many stretches of time."""

    left = 70

    def pieces(self, *given: Any) -> Sequence[Piece]:
        self.left -= 1
        if not self.left:
            raise Killed
        return super().pieces(*given)


def test_killed_between_pages_it_tells_the_same_once(shop: Shop) -> None:
    deaths = 0
    for minutes in range(-60, 1, 15):
        shop.now = NOON + minutes * MINUTE
        step = shop.begin(DyingLogs)  # remembers nothing
        for _ in range(80):
            try:
                step.watcher.watch(shop.application_id, shop.now, lambda: False)
            except Killed:
                deaths += 1
                step = shop.begin(DyingLogs)
        shop.watch_sessions(shop.begin())
        shop.watch_anomalies()
    found = shop.anomalies()
    shop.desk.scratch.rows("DELETE FROM session_watches WHERE application_id = %s", shop.application_id)
    shop.watch_sessions()
    (episode,) = PostgresSessionStore(shop.database).episodes(shop.application_id)
    assert deaths
    assert [(each["kind"], each["observed"]) for each in found] == [("session", episode.observed)]


def test_a_backtest_finds_the_same(shop: Shop) -> None:
    database = Database(shop.desk.scratch.url("sluice_alerts"))
    backtest = Backtest(shop.application_id, NOON - 4 * HOUR, NOON)
    seen = [backtest.progress]
    while not backtest.is_complete:
        left = iter(range(100))
        census, logs = PostgresCensus(database), PostgresSessionLogs(database)
        backtest = advance(census, logs, backtest, lambda left=left: next(left, None) is not None)  # type: ignore[misc]
        seen.append(backtest.progress)
    (found,) = backtest.found
    assert seen == sorted(set(seen))
    assert len(seen) > 4
    shop.watch_sessions()
    shop.watch_anomalies()
    assert [found.sentence] == [each["sentence"] for each in shop.anomalies()]
    assert found.query == shop.anomalies()[0]["query"]


def test_a_step_runs_all_applications_and_says_what_it_did(shop: Shop) -> None:
    answer = shop.sessions.watch(lambda: True)
    assert answer["judged"] > 3_000
    assert (answer["behind_seconds"], answer["skipped_seconds"], answer["sampled"]) == (0, 0, 0)


def test_who_forgets_an_application_forgets_its_sessions(shop: Shop) -> None:
    shop.watch_sessions()
    count = "SELECT count(*) FROM session_watches WHERE application_id = %s"
    assert shop.desk.scratch.rows(count, shop.application_id) == [(1,)]
    shop.desk.scratch.rows("SELECT forget_templates(%s)", shop.application_id)
    assert shop.desk.scratch.rows(count, shop.application_id) == [(0,)]
