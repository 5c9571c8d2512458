"""What one does with logs once they are found: read, copy, follow, take away."""

import csv
import json
import re
import secrets

import pytest
from playwright.sync_api import Locator, Request, Route, expect

from administrator import Administrator, Sender
from answers import BROKEN
from seeds import MANY, TRACEBACK
from visitor import Visit, Visitor

HIDE = """isHidden => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def open_log(visitor: Visitor, sender: Sender, text: str) -> Locator:
    """The opened record of the first log with this text."""
    visitor.sign_in(sender.key, f"logs?q={text}")
    visitor.rows().first.click()
    return visitor.page.locator(".logs-detail").first


def test_a_log_opens_with_its_context(visitor: Visitor, shop: Sender) -> None:
    detail = open_log(visitor, shop, '"order 100 placed"')
    expect(detail).to_contain_text("9007199254740993")
    visitor.button("Context").click()
    neighbours = visitor.page.locator(".logs-neighbour")
    expect(neighbours).to_have_count(21)
    expect(neighbours.nth(9)).to_contain_text("order 99 placed")
    expect(neighbours.nth(11)).to_contain_text("order 101 placed")
    visitor.button("More before").click()
    expect(neighbours).to_have_count(41)
    visitor.button("Same trace").click()
    expect(visitor.total()).to_have_text("4 logs")


def test_a_records_values_narrow_the_search(visitor: Visitor, shop: Sender) -> None:
    open_log(visitor, shop, "order")
    visitor.button("Only metadata.customer.name: Bob").click()
    expect(visitor.page.get_by_role("combobox")).to_have_value("order metadata.customer.name:Bob")
    expect(visitor.total()).to_have_text(re.compile(r"^(99|100) logs"))


def test_a_log_is_copied_as_text_as_json_and_as_a_link(visit: Visit, shop: Sender) -> None:
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    open_log(visitor, shop, "level:error")
    copied: list[str] = []
    for name in ("Copy the message", "Copy as JSON", "Copy link to this log"):
        visitor.button(name).click()
        expect(visitor.page.get_by_role("status").filter(has_text="Copied")).to_have_count(len(copied) + 1)
        copied.append(visitor.page.evaluate("() => navigator.clipboard.readText()"))
    message, record, link = copied
    assert message == TRACEBACK
    log = json.loads(record)
    assert (log["message"], log["metadata"]["snowflake"]) == (TRACEBACK, 2**53 + 1)
    other = visit()
    other.sign_in(shop.key, link.split("#/")[1])
    expect(other.page.locator(".logs-detail")).to_contain_text(log["id"])


def test_a_link_to_a_log_opens_it_whatever_the_search(visitor: Visitor, shop: Sender) -> None:
    expect(open_log(visitor, shop, '"order 100 placed"')).to_be_visible()
    log_id = visitor.page.url.rsplit("log=", 1)[1]
    visitor.open(f"logs?since=-1m&q=level%3Acritical&log={log_id}")
    expect(visitor.page.get_by_role("region", name="The log of the link")).to_contain_text("order 100 placed")


def test_nothing_in_a_log_is_markup(visitor: Visitor, shop: Sender) -> None:
    detail = open_log(visitor, shop, "level:critical")
    expect(detail.locator("pre").first).to_contain_text("<img src=x onerror=")
    expect(detail.locator(".logs-key").first).to_contain_text("<script>window.pwned=1</script>")
    expect(detail.locator(".control").first).to_be_visible()
    visitor.page.locator(".logs-facet", has_text="Metadata").locator("summary").first.click()
    expect(visitor.page.locator(".logs-keys")).to_contain_text("<img src=x onerror=")
    visitor.button("Context").click()
    expect(visitor.page.locator(".logs-neighbour.is-self")).to_contain_text("javascript:window.pwned=1")
    assert visitor.page.evaluate("() => window.pwned") is None
    assert visitor.page.locator("main img, main script, a[href^='javascript:']").count() == 0


@pytest.fixture(scope="module")
def newcomer(administrator: Administrator) -> Sender:
    """An application that tests may send logs of."""
    return administrator.new_sender()


def test_the_tail_shows_a_new_log_and_waits_for_readers(visitor: Visitor, newcomer: Sender) -> None:
    visitor.sign_in(newcomer.key, "logs?q=tailed")
    visitor.page.keyboard.press("t")
    expect(visitor.page.locator(".is-live")).to_be_visible()
    first, second = (f"{word} {secrets.token_hex(4)} tailed" for word in ("first", "second"))
    newcomer.submit([{"level": "warning", "message": first}])
    expect(visitor.rows().first).to_contain_text(first)
    visitor.rows().first.click()
    newcomer.submit([{"level": "warning", "message": second}])
    waiting = visitor.page.get_by_role("button", name=re.compile("1 new"))
    expect(waiting).to_be_visible()
    expect(visitor.rows().first).to_contain_text(first)
    waiting.click()
    expect(visitor.rows().first).to_contain_text(second)


def test_the_tail_says_when_it_falls_behind_and_when_it_fails(visitor: Visitor, shop: Sender) -> None:
    is_broken, is_behind = False, True

    def troubled(route: Route) -> None:
        if is_broken:
            route.fulfill(status=503, json=BROKEN, headers={"Retry-After": "1"})
        else:
            told = route.fetch(url=route.request.url.replace("wait=20", "wait=0"))
            route.fulfill(response=told, json=told.json() | {"is_behind": is_behind})

    visitor.page.route("**/api/tail?*", troubled)
    visitor.sign_in(shop.key, "logs?q=never&tail=1")
    state = visitor.page.locator(".logs-tail-state")
    expect(state).to_contain_text("catching up: more arrives than can be shown")
    expect(state.locator(".is-live")).to_have_count(0)
    with visitor.expecting("503"):
        is_broken = True
        expect(state).to_contain_text(f"{BROKEN['detail']} Trying again")
        is_broken = False
        expect(state).to_contain_text("catching up")
    is_behind = False
    expect(state.locator(".is-live")).to_be_visible()
    visitor.button("Live").click()
    expect(state).to_have_count(0)


def test_the_tail_rests_in_a_hidden_tab_and_misses_nothing(visitor: Visitor, newcomer: Sender) -> None:
    asked: list[Request] = []
    visitor.page.on("request", lambda request: asked.append(request) if "/api/tail" in request.url else None)
    visitor.sign_in(newcomer.key, "logs?q=hidden&tail=1")
    expect(visitor.page.locator(".is-live")).to_be_visible()
    visitor.page.evaluate(HIDE, True)
    newcomer.send({"message": "hidden one"})  # what the running request answers with
    expect(visitor.page.locator(".logs-tail-state")).to_contain_text("resting")
    expect(visitor.rows()).to_have_count(1)
    count = len(asked)
    newcomer.send({"message": "hidden two"})
    assert len(asked) == count
    visitor.page.evaluate(HIDE, False)
    expect(visitor.rows()).to_have_count(2)
    assert len(asked) > count


def test_an_export_holds_the_whole_result(visitor: Visitor, many: Sender) -> None:
    """Page after page, whatever the form."""
    visitor.page.route(
        "**/api/logs?*format=*", lambda route: route.continue_(url=route.request.url.replace("limit=10000", "limit=40"))
    )
    visitor.sign_in(many.key, "logs?q=level%3Awarning")
    expect(visitor.rows().first).to_be_visible()
    for form in ("NDJSON", "CSV"):
        visitor.button("Export").click()
        with visitor.page.expect_download() as download:
            visitor.button(form).click()
        with download.value.path().open(encoding="utf-8", newline="") as file:
            logs = list(csv.DictReader(file)) if form == "CSV" else [json.loads(line) for line in file]
        assert {log["level"] for log in logs} == {"WARNING"}
        assert sorted(int(log["id"].rsplit("-")[1]) for log in logs) == list(range(0, MANY, 100))


def test_an_export_shows_how_far_it_is_and_can_be_cancelled(visitor: Visitor, many: Sender) -> None:
    """Its second page never comes."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if "cursor=" in route.request.url:
            held.append(route)
        else:
            route.continue_(url=route.request.url.replace("limit=10000", "limit=3000"))

    visitor.page.route("**/api/logs?*format=ndjson*", hold)
    downloads: list[object] = []
    visitor.page.on("download", lambda download: downloads.append(download))
    visitor.sign_in(many.key)
    expect(visitor.rows().first).to_be_visible()
    visitor.button("Export").click()
    visitor.button("NDJSON").click()
    expect(visitor.page.get_by_role("status").filter(has_text="3,000 logs")).to_be_visible()
    expect(visitor.page.get_by_role("progressbar", name="Export")).to_be_visible()
    visitor.button("Cancel").click()
    expect(visitor.button("NDJSON")).to_be_enabled()
    assert (len(held), downloads) == (1, [])
    held[0].abort()
