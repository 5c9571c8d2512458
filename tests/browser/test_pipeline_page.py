"""The pipeline page, on the real pipeline; trouble that cannot be had there comes from answers put in place."""

import os

import pytest
from playwright.sync_api import expect

from administrator import Administrator, Sender
from answers import ALERTING, BROKEN, DEAD_LETTERS, LETTER, answer
from samples import poison, submission_of
from sluice.runtime.redis import connect_redis
from sluice.streams.redis import RedisQueue
from stack import Stack
from visitor import NARROW, Visit, Visitor

POISONED = 3


@pytest.fixture
def poisoned(request: pytest.FixtureRequest, administrator: Administrator) -> str:
    """The name of an application with three logs in the queue that the database refuses until they are repaired, which
    ingest would never have let through."""
    if "SLUICE_E2E_URL" in os.environ:
        pytest.skip("needs the queue itself")
    stack: Stack = request.getfixturevalue("stack")
    sender = administrator.new_sender()
    application = administrator.call("GET", f"applications/{sender.application}")["application"]
    with connect_redis(stack.redis_url) as client:
        queue = RedisQueue(client, shard_count=1, backlog_limit_bytes=10**9)
        lines = [poison(position) for position in range(POISONED)]
        assert queue.submit(submission_of(lines, application_id=application["application_id"]))
    sender.send({"message": "this wakes the drain"})
    return sender.application


def test_dead_letters_are_shown_redriven_and_dropped(
    visitor: Visitor, administrator: Administrator, poisoned: str
) -> None:
    visitor.sign_in(administrator.key, f"pipeline?application={poisoned}")
    letters = visitor.page.get_by_role("region", name="Dead letters").first
    rows = letters.get_by_role("row")
    expect(rows).to_have_count(1 + POISONED)
    rows.nth(1).get_by_role("button").click()
    expect(visitor.dialog().locator("pre")).to_contain_text("checkout finished")
    visitor.page.keyboard.press("Escape")
    rows.nth(1).get_by_role("checkbox").check()
    visitor.button("Drop 1").click()
    visitor.button("Drop", visitor.dialog()).click()
    expect(visitor.page.get_by_role("log")).to_contain_text("1 dead letter dropped")
    expect(rows).to_have_count(POISONED)
    letters.get_by_label("All 2 shown").check()
    visitor.button("Redrive 2").click()
    visitor.button("Redrive", visitor.dialog()).click()
    expect(visitor.page.get_by_role("log")).to_contain_text("2 dead letters stored")
    expect(letters.get_by_role("heading", name="No dead letter is like this")).to_be_visible()
    letters.get_by_label("Status").select_option("redriven")
    expect(rows).to_have_count(POISONED)
    ledger = administrator.call("GET", "ledger")["applications"]
    own = next(one for one in ledger if one["application"] == poisoned)
    assert (own["stored"], own["dead_lettered"], own["unaccounted"]) == (1 + 2, 1, 0)


def test_what_cannot_be_redriven_stays_open(visitor: Visitor, admin_key: str) -> None:
    answer(visitor, "**/api/dead-letters?*", DEAD_LETTERS)
    answer(visitor, f"**/api/dead-letters/{LETTER['id']}", {"dead_letter": LETTER})
    redriven = answer(visitor, "**/api/dead-letters/redrive", {"redriven": 0, "failed": 1})
    visitor.sign_in(admin_key, "pipeline")
    visitor.button(LETTER["reason"]).click()
    expect(visitor.dialog().locator("pre")).to_have_text(LETTER["queued"])
    visitor.page.keyboard.press("Escape")
    visitor.page.get_by_label(f"Dead letter {LETTER['id']}").check()
    visitor.button("Redrive 1").click()
    visitor.button("Redrive", visitor.dialog()).click()
    expect(visitor.page.get_by_role("log")).to_contain_text("stay open")
    assert redriven == [{"ids": [LETTER["id"]]}]


def test_an_operator_sees_all_of_it_again_and_again(visitor: Visitor, admin_key: str) -> None:
    visitor.sign_in(admin_key, "pipeline")
    for name in ("Ledger", "Queue", "Throughput", "Shards", "Dead letters"):
        expect(visitor.page.get_by_role("region", name=name, exact=True).first).to_be_visible()
    expect(visitor.page.get_by_text("unaccounted").first).to_be_visible()
    drain = visitor.page.locator(".pipeline-tile", has=visitor.page.get_by_role("heading", name="Drain", exact=True))
    expect(drain).to_contain_text("Last started")  # by the logs that other tests have sent
    expect(visitor.page.locator("canvas")).to_be_visible()
    with visitor.page.expect_request("**/api/ledger"):
        visitor.page.keyboard.press("r")
    visitor.page.keyboard.press(".")
    expect(visitor.button("Refresh by itself")).to_be_visible()


def test_a_reader_sees_the_own_ledger_and_why_no_more(visit: Visit, shop: Sender) -> None:
    visitor = visit(NARROW)
    visitor.sign_in(shop.key, "pipeline")
    expect(visitor.page.get_by_text("Queue and dead letters are for operators")).to_be_visible()
    expect(visitor.page.get_by_text("answered 202")).to_be_visible()


def test_an_unbalanced_ledger_and_an_absent_database_say_so(visitor: Visitor, admin_key: str) -> None:
    for pattern, body in ALERTING.items():
        answer(visitor, pattern, body)
    visitor.sign_in(admin_key, "pipeline")
    expect(visitor.page.get_by_role("alert")).to_contain_text("3 logs are in neither")
    expect(visitor.page.get_by_text("Late: look whether drain runs")).to_be_visible()
    expect(visitor.page.get_by_text("keeps what comes in until it does")).to_be_visible()


def test_a_failed_request_can_be_tried_again(visitor: Visitor, admin_key: str) -> None:
    answer(visitor, "**/api/pipeline", BROKEN, 503)
    with visitor.expecting("503"):
        visitor.sign_in(admin_key, "pipeline")
        expect(visitor.page.get_by_text(BROKEN["detail"])).to_be_visible()
    visitor.page.unroute("**/api/pipeline")
    visitor.button("Try again").click()
    expect(visitor.page.get_by_role("heading", name="Backlog")).to_be_visible()
