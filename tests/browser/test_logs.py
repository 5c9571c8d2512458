"""The logs page: what somebody does there who looks for a fault."""

import csv
import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from playwright.sync_api import Locator, Route, ViewportSize, expect

from visitor import LOOKS, NARROW, Visit, Visitor

VISIBLE_SECONDS = 80
MANY = 10_000
MARKUP = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
EVIL = f"{MARKUP} javascript:window.pwned=1 \x1b[31mred\x07 \u202ertl"
TRACEBACK = 'payment provider refused the connection\nTraceback (most recent call last):\n  File "pay.py", line 88'


@dataclass(frozen=True)
class Sender:
    """An application's key, and the API it sends to."""

    url: str
    key: str

    def send(self, logs: list[dict[str, Any]]) -> str:
        """Returns the batch's id when all of it is stored."""
        answer = requests.post(f"{self.url}/api/ingest", json=logs, headers={"X-API-Key": self.key}, timeout=30)
        batch_id = str(answer.json()["batch_id"])
        deadline = time.monotonic() + VISIBLE_SECONDS
        while self.stored(batch_id) < len(logs):
            assert time.monotonic() < deadline, "the logs did not become visible"
            time.sleep(0.3)
        return batch_id

    def stored(self, batch_id: str) -> int:
        """How many logs of a batch there are."""
        parameters = {"batch_id": batch_id}
        answer = requests.get(f"{self.url}/api/stats", parameters, headers={"X-API-Key": self.key}, timeout=30)
        return int(answer.json()["total"])


def times(count: int, minutes: float, ago: float = 0.5) -> list[str]:
    """So many times, oldest first, evenly over the minutes that ended ``ago`` minutes ago."""
    end = datetime.now(UTC) - timedelta(minutes=ago)
    return [(end - timedelta(minutes=minutes) * (1 - at / count)).isoformat() for at in range(count)]


@pytest.fixture(scope="module")
def shop(url: str, make_key: Callable[..., str]) -> Sender:
    """An application with 200 logs of eight minutes, every tenth an error, and a hostile one."""
    sender = Sender(url, make_key("ingest", "read"))
    sender.send(
        [
            {
                "timestamp": timestamp,
                "level": "error" if at % 10 == 5 else "info",
                "message": TRACEBACK if at % 10 == 5 else f"order {at} placed",
                "host": f"web-{at % 3}",
                "trace_id": f"{at // 4:032x}",
                "metadata": {"order": at, "customer": {"name": "Ada" if at % 2 else "Bob"}, "snowflake": 2**53 + 1},
            }
            for at, timestamp in enumerate(times(199, 8))
        ]
        + [{"timestamp": times(1, 0, 0.4)[0], "level": "critical", "message": EVIL, "metadata": {EVIL: EVIL}}]
    )
    return sender


def rows(visitor: Visitor) -> Locator:
    return visitor.page.locator(".row")


def search(visitor: Visitor, text: str) -> None:
    box = visitor.page.get_by_role("combobox", name="Search logs")
    box.fill(text)
    box.press("Escape")  # the completion
    box.press("Enter")


def total(visitor: Visitor) -> Locator:
    return visitor.page.locator(".legend .total")


def open_log(visitor: Visitor, sender: Sender, text: str) -> Locator:
    """The opened record of the first log with this text."""
    visitor.sign_in(sender.key, f"logs?q={text}")
    rows(visitor).first.click()
    return visitor.page.locator(".detail").first


def test_a_search_finds_marks_and_can_be_shared(visit: Visit, shop: Sender) -> None:
    visitor = visit()
    visitor.sign_in(shop.key)
    expect(total(visitor)).to_have_text("200 logs")
    search(visitor, "level:error refused -healthcheck")
    expect(total(visitor)).to_have_text("20 logs")
    expect(rows(visitor)).to_have_count(20)
    expect(rows(visitor).first.locator("mark")).to_have_text("refused")
    rows(visitor).nth(3).click()
    visitor.button("Column host").click()
    shown = rows(visitor).nth(3).inner_text()
    other = visit()
    other.sign_in(shop.key, visitor.page.url.split("#/")[1])
    expect(total(other)).to_have_text("20 logs")
    expect(other.page.locator(".detail")).to_contain_text('File "pay.py", line 88')
    assert rows(other).nth(3).inner_text() == shown
    assert other.page.get_by_role("combobox", name="Search logs").input_value() == "level:error refused -healthcheck"


def test_a_mistake_is_underlined_and_explained(visitor: Visitor, shop: Sender) -> None:
    visitor.sign_in(shop.key)
    expect(rows(visitor).first).to_be_visible()
    with visitor.expecting("400"):
        search(visitor, "refused levle:error")
        expect(visitor.page.locator(".search-mistake")).to_contain_text("no field 'levle'")
    expect(visitor.page.locator(".mistaken")).to_have_text("levle:")
    expect(visitor.page.get_by_role("combobox")).to_have_attribute("aria-invalid", "true")
    expect(visitor.page.locator(".expected").first).to_have_text("level")
    visitor.check_accessibility()


def test_completion_offers_fields_and_what_is_stored(visitor: Visitor, shop: Sender) -> None:
    visitor.sign_in(shop.key)
    box = visitor.page.get_by_role("combobox", name="Search logs")
    box.press_sequentially("hos")
    expect(visitor.page.get_by_role("option").first).to_contain_text("host:")
    box.press("Tab")
    visitor.page.get_by_role("option", name=re.compile("web-1")).click()
    expect(box).to_have_value("host:web-1 ")
    box.press("Enter")
    expect(total(visitor)).to_have_text(re.compile(r"^6\d logs"))
    box.fill("metadata.cust")
    expect(visitor.page.get_by_role("option", name=re.compile("metadata.customer"))).to_be_visible()


def test_the_histogram_zooms_by_brush_and_by_keys(visitor: Visitor, shop: Sender) -> None:
    visitor.sign_in(shop.key)
    expect(total(visitor)).to_have_text("200 logs")
    box = visitor.page.locator(".chart .u-over").bounding_box()
    assert box is not None
    mouse = visitor.page.mouse
    mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    mouse.down()
    mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 40, steps=5)
    mouse.up()
    expect(visitor.page).to_have_url(re.compile("since=20.*until=20"))
    expect(total(visitor)).to_have_text(re.compile(r"^[4-9]\d logs"))
    visitor.button("Undo zoom").click()
    expect(total(visitor)).to_have_text("200 logs")
    visitor.page.get_by_role("slider").focus()
    for stroke in ("Home", "Shift+End", "Enter"):
        visitor.page.keyboard.press(stroke)
    expect(visitor.page).to_have_url(re.compile("since=20.*until=20"))
    visitor.page.keyboard.press("z")
    expect(visitor.page).not_to_have_url(re.compile("since=20"))


def test_a_log_opens_with_its_context(visitor: Visitor, shop: Sender) -> None:
    detail = open_log(visitor, shop, '"order 100 placed"')
    expect(detail).to_contain_text("9007199254740993")
    visitor.button("Context").click()
    neighbours = visitor.page.locator(".neighbour")
    expect(neighbours).to_have_count(21)
    expect(neighbours.nth(9)).to_contain_text("order 99 placed")
    expect(neighbours.nth(11)).to_contain_text("order 101 placed")
    visitor.button("More before").click()
    expect(neighbours).to_have_count(41)
    visitor.button("Same trace").click()
    expect(total(visitor)).to_have_text("4 logs")


def test_filters_come_from_the_metadata_and_the_fields(visitor: Visitor, shop: Sender) -> None:
    open_log(visitor, shop, '"order 100 placed"')
    search(visitor, "")
    expect(total(visitor)).to_have_text("200 logs")
    open_log(visitor, shop, "order")
    visitor.button("Only metadata.customer.name: Bob").click()
    expect(visitor.page.get_by_role("combobox")).to_have_value("order metadata.customer.name:Bob")
    expect(total(visitor)).to_have_text(re.compile(r"^(99|100) logs"))
    visitor.page.get_by_text("Host", exact=True).click()
    visitor.button("Without web-1").click()
    expect(visitor.page.get_by_role("combobox")).to_have_value("order metadata.customer.name:Bob -host:web-1")
    expect(total(visitor)).to_have_text(re.compile(r"^6\d logs"))


def test_a_link_to_a_log_opens_it_whatever_the_search(visitor: Visitor, shop: Sender) -> None:
    detail = open_log(visitor, shop, '"order 100 placed"')
    expect(detail).to_be_visible()
    log_id = visitor.page.url.rsplit("log=", 1)[1]
    visitor.open(f"logs?since=-1m&q=level%3Acritical&log={log_id}")
    expect(visitor.page.get_by_role("region", name="The log of the link")).to_contain_text("order 100 placed")


def test_the_tail_shows_a_new_log_and_waits_for_readers(visitor: Visitor, shop: Sender) -> None:
    visitor.sign_in(shop.key, "logs")
    expect(rows(visitor).first).to_be_visible()
    visitor.page.keyboard.press("t")
    expect(visitor.page.locator(".pulse.live")).to_be_visible()
    word = secrets.token_hex(4)
    shop.send([{"level": "warning", "message": f"first {word}"}])
    expect(rows(visitor).first).to_contain_text(f"first {word}")
    rows(visitor).first.click()
    shop.send([{"level": "warning", "message": f"second {word}"}])
    waiting = visitor.page.get_by_role("button", name=re.compile("1 new"))
    expect(waiting).to_be_visible()
    expect(rows(visitor).first).to_contain_text(f"first {word}")
    waiting.click()
    expect(rows(visitor).first).to_contain_text(f"second {word}")


@pytest.mark.parametrize("form", ["NDJSON", "CSV"])
def test_an_export_holds_the_whole_result(visitor: Visitor, many: Sender, form: str) -> None:
    visitor.sign_in(many.key, "logs?q=level%3Ainfo")
    expect(rows(visitor).first).to_be_visible()
    visitor.button("Export").click()
    with visitor.page.expect_download() as download:
        visitor.button(form).click()
    with download.value.path().open(encoding="utf-8", newline="") as file:
        logs = list(csv.DictReader(file)) if form == "CSV" else [json.loads(line) for line in file]
    assert {log["level"] for log in logs} == {"INFO"}
    assert sorted(int(log["id"].rsplit("-")[1]) for log in logs) == [at for at in range(MANY) if at % 100]


def test_the_keyboard_is_enough(visitor: Visitor, shop: Sender) -> None:
    visitor.sign_in(shop.key)
    expect(rows(visitor).first).to_be_visible()
    keyboard = visitor.page.keyboard
    for stroke, row in (("j", 0), ("j", 1), ("ArrowDown", 2), ("k", 1)):
        keyboard.press(stroke)
        expect(rows(visitor).nth(row).locator(".row-toggle")).to_be_focused()
    keyboard.press("Enter")
    expect(rows(visitor).nth(1)).to_have_class(re.compile("open"))
    keyboard.press("Escape")
    expect(visitor.page.locator(".detail")).to_have_count(0)
    keyboard.press("w")
    expect(visitor.page).to_have_url(re.compile("wrap=1"))
    keyboard.press("/")
    keyboard.type("placed")
    keyboard.press("Enter")
    expect(total(visitor)).to_have_text(re.compile(r"^17\d logs|^180 logs"))
    keyboard.press("Escape")
    keyboard.press("?")
    expect(visitor.dialog()).to_contain_text("Live tail on or off")


def test_nothing_in_a_log_is_markup(visitor: Visitor, shop: Sender) -> None:
    detail = open_log(visitor, shop, "level:critical")
    expect(detail.locator("pre").first).to_contain_text("<img src=x onerror=")
    expect(detail.locator(".key").first).to_contain_text("<script>window.pwned=1</script>")
    expect(detail.locator(".control").first).to_be_visible()
    visitor.page.locator(".facet", has_text="Metadata").locator("summary").first.click()
    expect(visitor.page.locator(".keys")).to_contain_text("<img src=x onerror=")
    visitor.button("Context").click()
    expect(visitor.page.locator(".neighbour.self")).to_contain_text("javascript:window.pwned=1")
    assert visitor.page.evaluate("() => window.pwned") is None
    assert visitor.page.locator("main img, main script, a[href^='javascript:']").count() == 0


@pytest.fixture(scope="module")
def many(url: str, make_key: Callable[..., str]) -> Sender:
    """An application with 10,000 logs, each hundredth of them a warning."""
    sender = Sender(url, make_key("ingest", "read"))
    sender.send(
        [
            {"timestamp": timestamp, "level": "warning" if at % 100 == 0 else "info", "message": f"number {at}"}
            for at, timestamp in enumerate(times(MANY, 8))
        ]
    )
    return sender


def test_ten_thousand_rows_scroll(visitor: Visitor, many: Sender) -> None:
    visitor.sign_in(many.key)
    expect(total(visitor)).to_have_text("10,000 logs")
    expect(rows(visitor).first).to_contain_text("number 9999")
    end = visitor.page.get_by_text("That is all in this time range.")
    for _ in range(600):
        visitor.page.evaluate("() => document.querySelector('.list').scrollBy(0, 1e6)")
        visitor.page.wait_for_timeout(20)
        assert rows(visitor).count() < 100
        if end.count():
            break
    visitor.page.evaluate("() => document.querySelector('.list').scrollBy(0, 1e6)")
    expect(rows(visitor).last).to_contain_text("number 0")
    assert visitor.page.locator(".list").evaluate("list => list.scrollHeight") > MANY * 20
    visitor.page.evaluate("() => document.querySelector('.list').scrollTo(0, 0)")
    expect(rows(visitor).first).to_contain_text("number 9999")
    assert visitor.layout_shift() < 0.05


def test_an_empty_platform_says_how_to_begin(visitor: Visitor, make_key: Callable[..., str], url: str) -> None:
    visitor.sign_in(make_key("ingest", "read"))
    expect(visitor.page.get_by_role("heading", name="No logs yet")).to_be_visible()
    expect(visitor.page.locator(".try")).to_contain_text(f'curl "{url}/api/ingest"')
    visitor.check_accessibility()


def test_a_search_without_a_find_suggests_more_time(visitor: Visitor, shop: Sender) -> None:
    visitor.sign_in(shop.key, "logs?q=unheard&since=-5m")
    expect(visitor.page.get_by_role("heading", name="No log fits this search")).to_be_visible()
    visitor.button("Search the last 7 days").click()
    expect(visitor.page).to_have_url(re.compile("since=-7d"))


def test_a_failure_says_what_to_do(visitor: Visitor, shop: Sender) -> None:
    problem = json.dumps({"code": "database_unavailable", "detail": "The database does not answer. Try again soon."})
    visitor.page.route("**/api/logs?*", lambda route: route.fulfill(status=503, body=problem))
    with visitor.expecting("503"):
        visitor.sign_in(shop.key)
        expect(visitor.page.get_by_role("alert")).to_contain_text("Try again soon")
    visitor.page.unroute("**/api/logs?*")
    visitor.button("Try again").click()
    expect(rows(visitor).first).to_be_visible()


def test_a_search_that_ran_out_of_time_can_go_on(visitor: Visitor, shop: Sender) -> None:
    def cut_short(route: Route) -> None:
        if "cursor=" in route.request.url:
            route.continue_()
            return
        answer = route.fetch(url=route.request.url.replace("limit=200", "limit=1"))
        route.fulfill(response=answer, json=answer.json() | {"partial": True})

    visitor.page.route("**/api/logs?*", cut_short)
    visitor.sign_in(shop.key, "logs?q=level%3Aerror")
    expect(visitor.page.get_by_text("The time for one search was used up")).to_be_visible()
    expect(rows(visitor)).to_have_count(1)
    visitor.button("Go on").click()
    expect(rows(visitor)).to_have_count(20)


def test_times_are_chosen_and_shown_with_their_zone(visitor: Visitor, shop: Sender) -> None:
    visitor.sign_in(shop.key)
    visitor.page.get_by_role("button", name=re.compile("^Time range: Last 15 minutes, UTC")).click()
    visitor.page.get_by_label("From").fill("yesterday")
    visitor.button("Apply").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("Not a time")
    visitor.page.get_by_label("From").fill("-2h")
    visitor.button("Apply").click()
    expect(visitor.page.get_by_role("button", name=re.compile("^Time range: Last 2 hours"))).to_be_visible()
    visitor.button("Earlier").click()
    expect(visitor.page).to_have_url(re.compile("since=20.*until=20"))


@pytest.mark.parametrize(("size", "theme"), LOOKS, ids=lambda value: str(value))
def test_an_open_log_is_accessible_and_fits(visit: Visit, shop: Sender, size: ViewportSize, theme: str) -> None:
    visitor = visit(size, theme)
    open_log(visitor, shop, "level:error")
    visitor.button("Context").click()
    expect(visitor.page.locator(".neighbour.self")).to_be_visible()
    visitor.page.get_by_role("button", name=re.compile("^Time range")).click()
    panel = visitor.page.locator(".menu-panel").bounding_box()
    assert panel is not None
    assert panel["x"] >= 0
    assert panel["x"] + panel["width"] <= size["width"]
    visitor.page.keyboard.press("Escape")
    if size == NARROW:
        visitor.button("Fields").click()
        expect(visitor.page.get_by_role("complementary", name="Fields")).to_be_visible()
    visitor.check_accessibility()
    assert visitor.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
