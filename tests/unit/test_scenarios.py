"""The scenarios that anomaly detection is measured with: what they hold, and how it is scored."""

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import pytest

from scenarios.applications import THIN
from scenarios.catalogue import BANNER
from scenarios.counting import counts
from scenarios.model import DAY, HOUR, MINUTE, SLOT, Incident, Scenario, Template
from scenarios.records import logs
from scenarios.scenario import make_scenario
from scenarios.scoring import Found, Outcome, score
from sluice.templates.masks import mask
from sluice.templates.miner import Miner

SINCE = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
INTERVAL = 10 * MINUTE


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return make_scenario(1, SINCE, THIN, applications=1)


@pytest.fixture(scope="module")
def by_minute(scenario: Scenario) -> dict[Template, Counter[datetime]]:
    found: dict[Template, Counter[datetime]] = {}
    for minute, template, number in counts(scenario, scenario.applications[0]):
        found.setdefault(template, Counter())[minute] += number
    return found


def between(counted: Counter[datetime], since: datetime, until: datetime) -> int:
    return sum(number for minute, number in counted.items() if since <= minute < until)


def test_a_seed_is_a_scenario(scenario: Scenario) -> None:
    assert make_scenario(1, SINCE, THIN, applications=1) == scenario
    assert make_scenario(2, SINCE, THIN, applications=1) != scenario
    again = islice(counts(scenario, scenario.applications[0]), 1_000)
    assert list(again) == list(islice(counts(scenario, scenario.applications[0]), 1_000))


@pytest.mark.parametrize("seed", range(1, 6))
def test_each_application_has_each_incident_apart_from_the_others(seed: int) -> None:
    scenario = make_scenario(seed, SINCE)
    for application in scenario.applications:
        incidents = application.incidents
        assert sorted(each.name for each in incidents) == ["bad deploy", "login storm", "silent service", "slow leak"]
        assert scenario.incidents_from <= incidents[0].onset
        assert incidents[-1].until < scenario.until
        for before, after in pairwise(incidents):
            assert after.onset - before.until > 2 * HOUR
        for each in incidents:
            assert each.onset <= each.visible < each.until
            assert each.templates <= application.templates


def test_days_have_a_rhythm(scenario: Scenario, by_minute: dict[Template, Counter[datetime]]) -> None:
    session = Template("DEBUG", "session {uuid} created")
    (rhythm,) = (flow.rhythm for flow in scenario.applications[0].flows if session in flow.templates)
    peaks = [SINCE + number * DAY + timedelta(hours=rhythm.peak_hour) for number in range(1, 20)]
    high, low = (
        sum(between(by_minute[session], peak + shift - 2 * HOUR, peak + shift + 2 * HOUR) for peak in peaks)
        for shift in (0 * HOUR, 12 * HOUR)
    )
    assert high > 1.5 * low


def test_incidents_show_in_the_counts(scenario: Scenario, by_minute: dict[Template, Counter[datetime]]) -> None:
    for incident in scenario.applications[0].incidents:
        now, before = (
            sum(
                between(by_minute.get(template, Counter()), incident.onset - ago, incident.until - ago)
                for template in incident.templates
            )
            for ago in (0 * DAY, DAY)
        )
        assert (now == 0 and before > 10) if incident.name == "silent service" else now > 3 * before + 10


def test_logs_are_what_is_counted(scenario: Scenario, by_minute: dict[Template, Counter[datetime]]) -> None:
    """By the templates that the miner finds in them; and what a request logs has one trace."""
    application, miner = scenario.applications[0], Miner()
    mined, traces = Counter[int](), Counter[str]()
    for log in logs(scenario, application):
        mined[miner.assign(mask(log["message"])).template_id] += 1
        traces[log.get("trace_id", "")] += 1
    texts = {each.text: mined[each.template_id] for each in miner.templates}
    counted = {each: counts.total() for each, counts in by_minute.items()}
    assert 0.9 < mined.total() / sum(counted.values()) < 1.1
    for template in application.templates:
        if counted.get(template, 0) > 1_000:
            text = re.sub(r"\{\w+\}|/\S+", "<*>", template.text)
            assert 0.8 < texts[text] / counted[template] < 1.2
    assert sum(count > 1 for count in traces.values()) > mined.total() / 10
    assert traces[""] == sum(counted[template] for template in BANNER)


def test_versions_come_and_bad_ones_go(scenario: Scenario) -> None:
    application = scenario.applications[0]
    (bad,) = (incident for incident in application.incidents if incident.version)
    assert application.version(bad.onset) == bad.version
    assert application.version(bad.until) == application.version(bad.onset - SLOT)


def found(incident: Incident, **changes: Any) -> Found:
    kind = min(incident.kinds)
    return replace(Found(kind, incident.templates, incident.visible + INTERVAL), **changes)


def outcomes(scenario: Scenario, *anomalies: Found) -> tuple[Outcome, int, int]:
    """Of the first incident, and how many false alarms there are in the normal week, and later."""
    scored = score(scenario, {scenario.applications[0].name: anomalies}, INTERVAL)
    false_alarms, beside = (sum(map(len, each.values())) for each in (scored.false_alarms, scored.beside))
    return scored.judged[0].outcome, false_alarms, beside


def test_an_incident_is_found_once_in_time_and_rightly_explained_or_not(scenario: Scenario) -> None:
    first = scenario.applications[0].incidents[0]
    right = found(first)
    assert outcomes(scenario) == (Outcome.MISSED, 0, 0)
    assert outcomes(scenario, right) == (Outcome.FOUND, 0, 0)
    assert outcomes(scenario, right, found(first, opened_at=first.until)) == (Outcome.TWICE, 0, 0)
    assert outcomes(scenario, found(first, opened_at=first.visible + 2 * INTERVAL + MINUTE)) == (Outcome.LATE, 0, 0)
    assert outcomes(scenario, found(first, kind="session")) == (Outcome.WRONG, 0, 0)


def test_what_is_about_no_incident_is_a_false_alarm(scenario: Scenario) -> None:
    first = scenario.applications[0].incidents[0]
    other = frozenset({Template("INFO", "anything else")})
    assert outcomes(scenario, found(first, opened_at=scenario.judged_from + DAY)) == (Outcome.MISSED, 1, 0)
    assert outcomes(scenario, found(first, templates=other)) == (Outcome.MISSED, 0, 1)
    assert outcomes(scenario, found(first, opened_at=scenario.since + DAY)) == (Outcome.MISSED, 0, 0)
