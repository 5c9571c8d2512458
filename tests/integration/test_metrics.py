"""GET /metrics on real servers: the page shows what the ledger shows."""

import re
from dataclasses import replace

import pytest
import redis

from desk import Desk, app
from samples import poison, record, submission, submission_of
from sluice.entries.packing import pack_record
from sluice.metrics.model import Sample
from sluice.runtime.postgres import Database

STATES = [
    """INSERT INTO alert_rules (application_id, name, kind, spec, severity, failure_code)
       VALUES ({id}, 'a', 'threshold', '{{}}', 'info', NULL), ({id}, 'b', 'threshold', '{{}}', 'info', 'timed_out')""",
    """INSERT INTO incidents (application_id, fingerprint, status, severity, rule_name, kind, title, sentence, query,
                              window_from, window_until, opened_at)
       VALUES ({id}, 'f{id}', 'firing', 'critical', 'a', 'threshold', 't', 's', 'q', now(), now(), now())""",
    "INSERT INTO unmined_lines VALUES ({id}, 1, 'm')",
    "UPDATE template_sets SET overflowed_at = now() WHERE application_id = {id}",
]


@pytest.fixture
def scraper(desk: Desk) -> str:
    """A key that may read metrics."""
    _, name = desk.new_application()
    return desk.new_key(name, "metrics")


def page(desk: Desk, key: str) -> dict[str, float]:
    """Values by series."""
    answer = desk.answer("/metrics", key)
    assert answer["statusCode"] == 200, answer["body"]
    assert answer["headers"]["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer["body"].splitlines() if not line.startswith("#")]
    return {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines)}


def test_the_ledger_per_application(desk: Desk, scraper: str) -> None:
    application_id, name = desk.new_application()
    desk.store(application_id, "a", "b", "c")
    bad = submission_of([pack_record(record(0)), poison(1)], application_id=application_id)
    for _ in range(2):  # the second time it is a duplicate
        desk.queue.submit(bad)
        desk.store(application_id, "d")
    desk.queue.submit(submission([record(0), record(1)], application_id=application_id))
    found = page(desk, scraper)
    label = f'{{application="{name}"}}'
    shown = {
        series.removeprefix("sluice_").removesuffix(label): value for series, value in found.items() if label in series
    }
    assert shown == {
        "accepted_total": 11,
        "stored_total": 6,
        "duplicate_total": 2,
        "dead_lettered_total": 1,
        "in_flight": 2,
        "unaccounted": 0,
        "templates": 5,
    }
    (ledger,) = [
        entry
        for entry in desk.get("/api/ledger", desk.new_key(name, "read"))[1]["applications"]
        if entry["application"] == name
    ]
    for name in ("accepted", "stored", "duplicate", "dead_lettered", "in_flight", "unaccounted"):
        assert shown.get(f"{name}_total", shown.get(name)) == ledger[name], name


def test_the_queue_the_servers_and_the_kept_counts(desk: Desk, scraper: str) -> None:
    application_id, _ = desk.new_application()
    desk.queue.submit(submission([record(0)], application_id=application_id))
    desk.queue.submit(submission([record(0)], application_id=application_id))
    desk.queue.claim(0, min_idle_seconds=0, max_records=1, max_bytes=1)
    desk.counts.add([Sample("rejected", 2, {"code": "too_long"}), Sample("freshness", 0.75)])
    found = page(desk, scraper)
    assert (found["sluice_backlog_entries"], found["sluice_pending_entries"]) == (2, 2)
    assert 0 < found["sluice_backlog_bytes"] < found["sluice_backlog_limit_bytes"]
    assert 0 <= found["sluice_oldest_pending_seconds"] <= found["sluice_lag_seconds"]
    assert found['sluice_rejected_total{code="too_long"}'] == 2
    assert (found['sluice_freshness_seconds_bucket{le="1"}'], found["sluice_freshness_seconds_count"]) == (1, 1)
    assert 0 < found["sluice_redis_memory_bytes"] < found["sluice_redis_memory_limit_bytes"]
    assert sum(found[f'sluice_pool_connections{{state="{state}"}}'] for state in ("active", "idle", "used")) > 0
    assert found["sluice_clients_waiting"] == found["sluice_pool_wait_seconds"] == 0
    assert {value for series, value in found.items() if series.startswith("sluice_source_up")} == {1}


def test_templates_rules_incidents_and_anomalies(desk: Desk, scraper: str) -> None:
    application_id, name = desk.new_application()
    before = page(desk, scraper)
    assert before[f'sluice_templates{{application="{name}"}}'] == 0
    desk.store(application_id, "paid 17 euros", "paid 18 euros", "user bob left")
    for statement in STATES:
        desk.scratch.rows(statement.format(id=application_id))
    found = page(desk, scraper)
    grown = {series: value - before.get(series, 0) for series, value in found.items()}
    assert found[f'sluice_templates{{application="{name}"}}'] == 2
    assert (grown["sluice_rules_enabled"], grown["sluice_rules_failing"]) == (2, 1)
    firing = {severity: grown[f'sluice_incidents_firing{{severity="{severity}"}}'] for severity in ("info", "critical")}
    assert firing == {"info": 0, "critical": 1}
    assert (grown["sluice_unmined_lines"], grown["sluice_templates_overflowed"]) == (1, 1)
    assert 'sluice_anomalies_open{kind="burst"}' in found


def test_a_source_that_is_away_takes_only_its_own(
    desk: Desk, scraper: str, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:9/none")
    crippled = replace(desk.use_case.scrape, database=nowhere)
    monkeypatch.setattr(app, "_dependencies", lambda: replace(desk.use_case, scrape=crippled))
    found = page(desk, scraper)
    up = {re.findall('"(.*)"', series)[0]: value for series, value in found.items() if "source_up" in series}
    ours = {"ledger": 0, "dead_letters": 0, "analysis": 0, "notifications": 0}
    assert up == {**ours, "queue": 1, "counts": 1, "redis": 1, "pgbouncer": 1}
    assert "sluice_backlog_entries" in found
    assert not [series for series in found if series.startswith("sluice_stored")]


@pytest.mark.parametrize("scope", ["ingest", "read", "admin"])
def test_only_keys_for_it_may_scrape(desk: Desk, scope: str) -> None:
    _, name = desk.new_application()
    assert desk.get("/metrics")[0] == 401
    assert desk.get("/metrics", desk.new_key(name, scope))[1]["code"] == "missing_scope"


@pytest.mark.parametrize("path", ["/api/logs", "/api/ledger", "/api/pipeline", "/api/usage"])
def test_and_they_may_do_nothing_else(desk: Desk, scraper: str, path: str) -> None:
    assert desk.get(path, scraper)[1]["code"] == "missing_scope"


def test_refusals_are_counted_by_code(desk: Desk, monkeypatch: pytest.MonkeyPatch, scraper: str) -> None:
    monkeypatch.setattr(app.api, "_store", lambda: desk.counts)
    _, name = desk.new_application()
    desk.get("/api/logs", desk.new_key(name, "read"), limit="0")
    desk.get("/api/logs", "wrong")
    found = page(desk, scraper)
    counted = {series: value for series, value in found.items() if series.startswith("sluice_errors_total")}
    assert counted == {'sluice_errors_total{service="query",code="invalid_limit"}': 1}, "no key, no write"
