"""The pipeline page, on the real pipeline; dead letters and trouble come from answers that the tests put in place."""

import json
from typing import Any

from playwright.sync_api import Route, expect

from visitor import NARROW, Visit, Visitor

SCRIPT = "<img src=x onerror=alert(1)>"
LETTER: dict[str, Any] = {
    "id": 7,
    "application": "shop",
    "reason": "invalid_text",
    "detail": SCRIPT,
    "attempts": 1,
    "status": "open",
    "batch_id": "01a20deee395dc58b9fc0fd42fbfb249",
    "position": 3,
    "received_at": "2026-11-24T12:00:00Z",
    "dead_lettered_at": "2026-11-24T12:00:10Z",
}


def answer(visitor: Visitor, pattern: str, body: Any, status: int = 200) -> list[dict[str, Any]]:
    """From now on requests to `pattern` get this; the list receives their bodies."""
    bodies: list[dict[str, Any]] = []

    def fulfil(route: Route) -> None:
        bodies.append(json.loads(route.request.post_data or "{}"))
        route.fulfill(status=status, json=body)

    visitor.page.route(pattern, fulfil)
    return bodies


def test_an_operator_sees_all_of_it(visitor: Visitor, admin_key: str) -> None:
    visitor.sign_in(admin_key, "pipeline")
    for name in ("Ledger", "Queue", "Throughput", "Shards", "Dead letters"):
        expect(visitor.page.get_by_role("region", name=name, exact=True).first).to_be_visible()
    expect(visitor.page.get_by_text("unaccounted").first).to_be_visible()
    expect(visitor.page.locator("canvas")).to_be_visible()
    visitor.check_accessibility()


def test_a_reader_sees_the_own_ledger_and_why_no_more(visit: Visit, key: str) -> None:
    visitor = visit(NARROW)
    visitor.sign_in(key, "pipeline")
    expect(visitor.page.get_by_text("Queue and dead letters are for operators")).to_be_visible()
    expect(visitor.page.get_by_text("answered 202")).to_be_visible()
    visitor.check_accessibility()


def test_redriving_and_dropping(visitor: Visitor, admin_key: str) -> None:
    answer(visitor, "**/api/dead-letters?*", {"dead_letters": [LETTER], "next_before": None})
    answer(visitor, "**/api/dead-letters/7", {"dead_letter": LETTER | {"queued": SCRIPT}})
    redriven = answer(visitor, "**/api/dead-letters/redrive", {"redriven": 0, "failed": 1})
    dropped = answer(visitor, "**/api/dead-letters/drop", {"dropped": 1})
    visitor.sign_in(admin_key, "pipeline")
    visitor.button("invalid_text").click()
    expect(visitor.dialog().locator("pre")).to_have_text(SCRIPT)
    visitor.check_accessibility()
    visitor.page.keyboard.press("Escape")
    visitor.page.get_by_label("Dead letter 7").check()
    visitor.button("Redrive 1").click()
    visitor.button("Redrive", visitor.dialog()).click()
    expect(visitor.page.get_by_role("log")).to_contain_text("stay open")
    visitor.page.get_by_label("Dead letter 7").check()
    visitor.button("Drop 1").click()
    visitor.button("Drop", visitor.dialog()).click()
    expect(visitor.page.get_by_role("log")).to_contain_text("1 dead letter dropped")
    assert (redriven, dropped) == ([{"ids": [7]}], [{"ids": [7]}])


def test_an_unbalanced_ledger_and_an_absent_database_say_so(visitor: Visitor, admin_key: str) -> None:
    counts = dict.fromkeys(("accepted", "stored", "duplicate", "dead_lettered", "in_flight"), 0)
    total = counts | {"unaccounted": 3, "queue_rolled_back": False}
    answer(visitor, "**/api/ledger", {"applications": [], "total": total})
    backlog = {"entries": 2, "bytes": 90_000_000, "limit_bytes": 100_000_000, "lag_seconds": 300}
    answer(visitor, "**/api/pipeline", {"backlog": backlog, "shards": [], "dead_letters": None, "throughput": None})
    visitor.sign_in(admin_key, "pipeline")
    expect(visitor.page.get_by_role("alert")).to_contain_text("3 logs are in neither")
    expect(visitor.page.get_by_text("Late: look whether drain runs")).to_be_visible()
    expect(visitor.page.get_by_text("keeps what comes in until it does")).to_be_visible()


def test_a_failed_request_can_be_tried_again(visitor: Visitor, admin_key: str) -> None:
    problem = {"code": "queue_unavailable", "detail": "a server behind Sluice is down or full: retry later"}
    answer(visitor, "**/api/pipeline", problem, 503)
    with visitor.expecting("503"):
        visitor.sign_in(admin_key, "pipeline")
        expect(visitor.page.get_by_text("down or full")).to_be_visible()
    visitor.page.unroute("**/api/pipeline")
    visitor.button("Try again").click()
    expect(visitor.page.get_by_role("heading", name="Backlog")).to_be_visible()
