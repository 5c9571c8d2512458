"""The anomalies page: what was found is explained, and judged by people."""

import os
import re
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from playwright.sync_api import expect

from administrator import Administrator, Sender
from seeds import MARKUP, TRACEBACK, shop_logs
from stack import Stack
from visitor import NARROW, Visit

SENTENCE = f"ERROR logs: 20 in 10 minutes, where about 2 were expected: a sudden spike {MARKUP}"
FOUND = """
INSERT INTO anomalies (application_id, founder, founded, lead, kind, level, template_ids, onset, opened_at, last_seen,
    window_from, window_until, baseline_from, baseline_until, score, observed, expected, sentence, query, samples,
    members, is_corrected, is_muted)
SELECT application_id, 'all', %(now)s, 'all', 'spike', NULL, '{}', %(onset)s, %(now)s, %(now)s,
    %(onset)s, %(now)s, %(before)s, %(onset)s, 0.97, 20, 2, %(sentence)s, 'level:error', %(samples)s,
    '[]', false, false
FROM applications WHERE name = %(application)s"""
ODD = "7 of 50 sessions that begin with “basket opened” lack “order confirmed”, which 99.6% of them had before"
ODD_SESSIONS = """
INSERT INTO anomalies (application_id, founder, founded, lead, kind, level, template_ids, onset, opened_at, last_seen,
    window_from, window_until, baseline_from, baseline_until, score, observed, expected, sentence, query, samples,
    members, is_corrected, is_muted)
SELECT application_id, 'session:missing:3:7', %(now)s, 'session:missing:3:7', 'session', 20, '{}', %(onset)s, %(now)s,
    %(now)s, %(onset)s, %(now)s, %(before)s, %(onset)s, 0.8, 7, 0.2, %(odd)s, 'level:error', '{}', '[]', false, false
FROM applications WHERE name = %(application)s"""


@pytest.fixture
def anomalous(request: pytest.FixtureRequest, administrator: Administrator) -> Sender:
    """An application with a spike that was found: detectors want days of logs before they say so."""
    if "SLUICE_E2E_URL" in os.environ:
        pytest.skip("needs the database itself")
    stack: Stack = request.getfixturevalue("stack")
    sender = administrator.new_sender()
    sender.send(*shop_logs())
    logs = administrator.call("GET", f"logs?application={sender.application}&level=error&limit=2")["logs"]
    now = datetime.now(UTC)
    times = {"now": now, "onset": now - timedelta(minutes=10), "before": now - timedelta(days=1)}
    values = {"sentence": SENTENCE, "samples": [log["id"] for log in logs], "application": sender.application}
    with psycopg2.connect(stack.database_url("sluice_owner", direct=True)) as connection, connection.cursor() as cursor:
        cursor.execute(FOUND, times | values)
        cursor.execute(ODD_SESSIONS, times | values | {"odd": ODD})
    return sender


def test_what_is_unusual_is_explained_and_judged(visit: Visit, administrator: Administrator, anomalous: Sender) -> None:
    visitor = visit()
    visitor.sign_in(administrator.new_key(anomalous.application, "read", "alerts")["key"], "home")
    unusual = visitor.page.get_by_role("region", name="Unusual")
    expect(unusual).to_contain_text(SENTENCE)
    unusual.get_by_role("link", name=f"{anomalous.application}: spike").click()
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text(SENTENCE)
    drawn = visitor.page.get_by_role("region", name="Observed and expected")
    expect(drawn).to_contain_text("20 came in the window, where about 2 were expected")
    expect(drawn.locator("canvas")).to_be_visible()
    expect(visitor.page.get_by_role("region", name="Samples")).to_contain_text(TRACEBACK.partition("\n")[0])
    visitor.button("Noise").click()
    expect(visitor.button("Noise")).to_have_attribute("aria-pressed", "true")
    visitor.page.get_by_role("main").get_by_role("link", name="Logs").click()
    expect(visitor.total()).to_have_text("20 logs")

    visitor.go("anomalies?since=-1h")
    expect(visitor.page.get_by_role("region", name="Timeline").locator("canvas")).to_be_visible()
    spike = visitor.page.get_by_role("listitem").filter(has_text="a sudden spike")
    expect(visitor.button("Noise", spike)).to_have_attribute("aria-pressed", "true")
    visitor.button("Useful", spike).click()
    expect(visitor.button("Useful", spike)).to_have_attribute("aria-pressed", "true")
    visitor.page.get_by_label("Kind").select_option("session")
    expect(visitor.page.get_by_role("link", name=re.compile("a sudden spike"))).to_have_count(0)
    visitor.page.get_by_role("link", name=ODD).click()
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text(ODD)
    expect(visitor.page.get_by_role("region", name="Observed and expected")).to_have_count(0)
    visitor.page.get_by_role("main").get_by_role("link", name="Logs").click()
    expect(visitor.total()).to_have_text("20 logs")

    visitor.go("anomalies?since=-1h")
    visitor.page.get_by_label("Kind").select_option("silence")
    expect(visitor.page.get_by_role("heading", name="No anomaly is like this")).to_be_visible()

    reader = visit(NARROW, "dark")
    reader.sign_in(anomalous.key, "anomalies")
    expect(reader.page.get_by_role("link", name=re.compile("a sudden spike"))).to_be_visible()
    expect(reader.button("Useful")).to_have_count(0)
    expect(reader.page.get_by_text("useful", exact=True)).to_be_visible()
