"""A real Prometheus scrapes the deployment and shows what the ledger shows; every panel of Grafana's has data."""

import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from monitoring.targets import write_target
from prometheus import SOURCES, Prometheus, promtool, running_prometheus

SLUICE = str(Path(__file__).resolve().parents[2] / "build" / "venv" / "bin" / "sluice")
DASHBOARDS = sorted((SOURCES.parent / "grafana" / "dashboards").glob("*.json"))
STAGE = "test"


@pytest.fixture(scope="module")
def metrics_key(make_key: Callable[..., str]) -> str:
    return make_key("metrics")


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, url: str, metrics_key: str) -> Iterator[Prometheus]:
    directory = tmp_path_factory.mktemp("prometheus")
    write_target(directory / "targets", url=url, stage=STAGE, key=metrics_key)
    with running_prometheus(directory) as server:
        yield server


@pytest.fixture(scope="module")
def ledger(
    operator_environment: dict[str, str], prometheus: Prometheus, url: str, key: str, admin_key: str
) -> dict[str, Any]:
    """What the ledger says of the key's application after logs were sent, some of them bad, and stored; another one
    sent more often than it may."""
    prometheus.wait_for("sluice_source_up")  # so that rates have a beginning
    be_throttled(url, admin_key)
    send = requests.Session()
    send.headers["X-API-Key"] = key
    for _ in range(3):
        body: Any = [{"message": "fine"}] * 50 + ["no log", []]
        assert send.post(f"{url}/api/ingest", json=body, timeout=30).status_code == 202
        assert send.post(f"{url}/api/ingest", data="{", timeout=30).status_code == 400
        time.sleep(1)
    environment = operator_environment | {"SLUICE_API_KEY": key}
    load = ["load", "--rate", "40", "--batch", "25", "--duration", "4", "--gzip"]
    for command in (load, ["drain", "--until-empty"], ["invoke", "watch"]):
        subprocess.run([SLUICE, *command], env=environment, check=True, capture_output=True)
    (entry,) = send.get(f"{url}/api/ledger", timeout=30).json()["applications"]
    found: dict[str, Any] = entry
    return found


def be_throttled(url: str, admin_key: str) -> None:
    name, headers = f"throttled-{secrets.token_hex(4)}", {"X-API-Key": admin_key}
    place = f"{url}/api/applications"
    requests.post(place, json={"name": name}, headers=headers, timeout=30).raise_for_status()
    limits = {"limits": {"requests_per_second": 1}}
    requests.patch(f"{place}/{name}", json=limits, headers=headers, timeout=30).raise_for_status()
    made = requests.post(f"{place}/{name}/keys", json={"scopes": ["ingest"]}, headers=headers, timeout=30).json()
    sender = {"X-API-Key": made["key"]}
    sent = [requests.post(f"{url}/api/ingest", json={"message": "m"}, headers=sender, timeout=30) for _ in range(5)]
    assert 429 in [answer.status_code for answer in sent]


def test_prometheus_and_the_ledger_agree_to_the_log(prometheus: Prometheus, ledger: dict[str, Any]) -> None:
    assert ledger["stored"] >= 4_150
    label = f'application="{ledger["application"]}"'
    prometheus.wait_for(f"sluice_stored_total{{{label}}} == {ledger['stored']}")
    for name in ("accepted", "stored", "duplicate", "dead_lettered", "in_flight", "unaccounted"):
        ((labels, value),) = prometheus.query(f'{{__name__=~"sluice_{name}(_total)?", {label}}}')
        assert value == ledger[name], name
        assert labels["stage"] == STAGE


def test_nothing_was_unaccounted_at_any_moment(prometheus: Prometheus, ledger: dict[str, Any]) -> None:
    """It was scraped each second, also while logs came in and were stored."""
    label = f'application="{ledger["application"]}"'
    assert prometheus.query(f"max_over_time(sluice_unaccounted{{{label}}}[5m])")[0][1] == 0
    assert prometheus.query(f"count_over_time(sluice_unaccounted{{{label}}}[5m])")[0][1] >= 5
    ((_, most),) = prometheus.query(f"max_over_time(sluice_accepted_total{{{label}}}[5m])")
    ((_, least),) = prometheus.query(f"min_over_time(sluice_accepted_total{{{label}}}[5m])")
    assert most - least > 1_000, "it was looked at under load"


def test_what_was_refused_is_counted_by_code(prometheus: Prometheus, ledger: dict[str, Any]) -> None:
    refused = {labels["code"]: value for labels, value in prometheus.query("sluice_rejected_total")}
    assert sum(refused.values()) >= 6, refused
    assert prometheus.query('sluice_errors_total{service="ingest", code="invalid_json"} >= 3')


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_has_data(prometheus: Prometheus, ledger: dict[str, Any], path: Path) -> None:
    dashboard = json.loads(path.read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    for expression in expressions:
        asked = expression.replace("$stage", STAGE).replace("$application", ".*")
        assert prometheus.query(asked), asked
    for variable in dashboard["templating"]["list"]:
        metric = variable["query"].removeprefix("label_values(").partition(",")[0].partition("{")[0]
        assert {labels[variable["name"]] for labels, _ in prometheus.query(metric)}


def test_the_rules_are_evaluated(prometheus: Prometheus, ledger: dict[str, Any]) -> None:
    prometheus.wait_for("sluice:stored:rate1m")
    rules = [rule for group in prometheus.get("/api/v1/rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 10
    assert {rule["health"] for rule in rules} == {"ok"}, [rule for rule in rules if rule["health"] != "ok"]
    firing = {labels["alertname"] for labels, _ in prometheus.query('ALERTS{alertstate="firing", severity="critical"}')}
    assert firing == set()


def test_the_page_is_wellformed(url: str, metrics_key: str, ledger: dict[str, Any]) -> None:
    page = requests.get(f"{url}/metrics", headers={"Authorization": f"Bearer {metrics_key}"}, timeout=30)
    assert page.status_code == 200
    promtool("check", "metrics", text=page.text)


def test_the_rules_pass_their_own_tests() -> None:
    promtool("check", "rules", "rules.yml")
    promtool("test", "rules", "rules_test.yml")
