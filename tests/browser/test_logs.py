"""Finding logs: what somebody does who has just been woken up."""

import json
import re

from playwright.sync_api import Route, expect

from administrator import Administrator, Sender
from answers import BROKEN, answer
from seeds import MANY
from visitor import Visit, Visitor

ZOOMED = re.compile("since=20.*until=20")


def test_a_search_finds_marks_and_can_be_shared(visit: Visit, shop: Sender) -> None:
    visitor = visit()
    visitor.sign_in(shop.key)
    expect(visitor.total()).to_have_text("200 logs")
    visitor.search("level:error refused -healthcheck")
    expect(visitor.total()).to_have_text("20 logs")
    expect(visitor.rows()).to_have_count(20)
    expect(visitor.rows().first.locator("mark")).to_have_text("refused")
    visitor.rows().nth(3).click()
    visitor.button("Column host").click()
    shown = visitor.rows().nth(3).inner_text()
    other = visit()
    other.sign_in(shop.key, visitor.page.url.split("#/")[1])
    expect(other.total()).to_have_text("20 logs")
    expect(other.page.locator(".logs-detail")).to_contain_text('File "pay.py", line 88')
    expect(other.page.get_by_role("columnheader", name="host")).to_be_visible()
    assert other.rows().nth(3).inner_text() == shown
    assert other.page.get_by_role("combobox", name="Search logs").input_value() == "level:error refused -healthcheck"
    visitor.page.go_back()
    expect(visitor.total()).to_have_text("200 logs")


def test_a_mistake_is_underlined_and_explained(visitor: Visitor, shop: Sender) -> None:
    visitor.sign_in(shop.key)
    expect(visitor.rows().first).to_be_visible()
    with visitor.expecting("400"), visitor.page.expect_response(re.compile("/api/facets")):  # refused, too
        visitor.search("refused levle:error")
        expect(visitor.page.locator(".logs-search-mistake")).to_contain_text("no field 'levle'")
    expect(visitor.page.locator(".logs-mistaken")).to_have_text("levle:")
    expect(visitor.page.get_by_role("combobox")).to_have_attribute("aria-invalid", "true")
    expect(visitor.page.locator(".logs-expected").first).to_have_text("level")


def test_completion_offers_fields_and_what_is_stored(visitor: Visitor, shop: Sender) -> None:
    visitor.sign_in(shop.key)
    box = visitor.page.get_by_role("combobox", name="Search logs")
    box.press_sequentially("hos")
    expect(visitor.page.get_by_role("option").first).to_contain_text("host:")
    box.press("Tab")
    visitor.page.get_by_role("option", name=re.compile("web-1")).click()
    expect(box).to_have_value("host:web-1 ")
    box.press("Enter")
    expect(visitor.total()).to_have_text(re.compile(r"^6\d logs"))
    box.fill("metadata.cust")
    expect(visitor.page.get_by_role("option", name=re.compile("metadata.customer"))).to_be_visible()


def test_completion_and_help_say_what_the_api_says(visitor: Visitor, shop: Sender) -> None:
    """The page has no list of fields of its own."""
    fields = [
        {"name": "planet", "aliases": ["orb"], "meaning": "Where it turned", "values": ["earth", "mars"]},
        {"name": "has", "aliases": [], "meaning": "It is there", "values": []},
    ]
    language = {"fields": fields, "operators": [{"example": "orb:>mars", "meaning": "Farther out"}]}
    answer(visitor, "**/api/query-language", language)
    visitor.sign_in(shop.key)
    box = visitor.page.get_by_role("combobox", name="Search logs")
    for name in ("planet", "orb", "tur"):
        box.fill(name)
        expect(visitor.page.get_by_role("option")).to_have_text(["orb:Where it turned"])
    box.press("Tab")
    expect(visitor.page.get_by_role("option")).to_have_text(["earth ", "mars "])
    box.press_sequentially(">=m")
    expect(visitor.page.get_by_role("option")).to_have_text([">=mars "])
    box.fill("")
    visitor.button("How to search").click()
    expect(visitor.dialog()).to_contain_text("Farther out")
    expect(visitor.dialog().locator("code")).to_have_text(["orb:>mars", "orb", "has"])


def test_the_histogram_zooms_by_brush_and_by_keys(visitor: Visitor, shop: Sender) -> None:
    visitor.sign_in(shop.key)
    expect(visitor.total()).to_have_text("200 logs")
    box = visitor.page.locator(".logs-chart .u-over").bounding_box()
    assert box is not None
    mouse = visitor.page.mouse
    mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    mouse.down()
    mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 40, steps=5)
    mouse.up()
    expect(visitor.page).to_have_url(ZOOMED)
    expect(visitor.total()).to_have_text(re.compile(r"^[4-9]\d logs"))
    visitor.button("Undo zoom").click()
    expect(visitor.total()).to_have_text("200 logs")
    visitor.page.get_by_role("slider").focus()
    for stroke in ("Home", "Shift+End", "Enter"):
        visitor.page.keyboard.press(stroke)
    expect(visitor.page).to_have_url(ZOOMED)
    visitor.page.keyboard.press("z")
    expect(visitor.page).not_to_have_url(ZOOMED)


def test_values_beside_the_list_narrow_the_search(visitor: Visitor, shop: Sender) -> None:
    visitor.sign_in(shop.key)
    fields = visitor.page.get_by_role("complementary", name="Fields")
    fields.get_by_title("Only level:error").click()
    expect(visitor.total()).to_have_text("20 logs")
    fields.get_by_title("Do not demand level:error").click()
    expect(visitor.total()).to_have_text("200 logs")
    fields.get_by_text("Host", exact=True).click()
    visitor.button("Without web-1").click()
    expect(visitor.page.get_by_role("combobox")).to_have_value("-host:web-1")
    expect(visitor.total()).to_have_text(re.compile(r"^1[34]\d logs"))


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
    expect(visitor.page).to_have_url(ZOOMED)


def test_the_keyboard_is_enough(visitor: Visitor, shop: Sender) -> None:
    visitor.sign_in(shop.key)
    expect(visitor.rows().first).to_be_visible()
    keyboard = visitor.page.keyboard
    for stroke, row in (("j", 0), ("j", 1), ("ArrowDown", 2), ("k", 1)):
        keyboard.press(stroke)
        expect(visitor.rows().nth(row).locator(".logs-row-toggle")).to_be_focused()
    keyboard.press("Enter")
    expect(visitor.rows().nth(1)).to_have_class(re.compile("is-open"))
    keyboard.press("Escape")
    expect(visitor.page.locator(".logs-detail")).to_have_count(0)
    keyboard.press("w")
    expect(visitor.page).to_have_url(re.compile("wrap=1"))
    keyboard.press("f")
    expect(visitor.page.get_by_role("complementary", name="Fields")).to_have_count(0)
    keyboard.press("/")
    keyboard.type("lev")
    expect(visitor.page.get_by_role("option").first).to_be_visible()
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    keyboard.type("error")
    keyboard.press("Escape")
    keyboard.press("Enter")
    expect(visitor.total()).to_have_text("20 logs")


def test_ten_thousand_rows_scroll(visitor: Visitor, many: Sender) -> None:
    visitor.sign_in(many.key)
    expect(visitor.total()).to_have_text("10,000 logs")
    expect(visitor.rows().first).to_contain_text("number 9999")
    scrolled = visitor.page.evaluate(
        """async () => {
          const list = document.querySelector(".logs-list");
          let [rows, elements, steps] = [0, 0, 0];
          while (!list.textContent.includes("That is all") && steps < 2_000) {
            list.scrollBy(0, 1e6);
            await new Promise((done) => requestAnimationFrame(done));
            rows = Math.max(rows, document.querySelectorAll(".logs-row").length);
            elements = Math.max(elements, document.querySelectorAll("*").length);
            steps += 1;
          }
          list.scrollBy(0, 1e6);
          return { rows, elements, height: list.scrollHeight };
        }"""
    )
    expect(visitor.rows().last).to_contain_text("number 0")
    assert scrolled["height"] > MANY * 20
    assert 0 < scrolled["rows"] < 100
    assert scrolled["elements"] < 2_500
    visitor.page.evaluate("() => document.querySelector('.logs-list').scrollTo(0, 0)")
    expect(visitor.rows().first).to_contain_text("number 9999")
    assert visitor.layout_shift() == 0


def test_an_empty_platform_says_how_to_begin(visitor: Visitor, administrator: Administrator) -> None:
    newcomer = administrator.new_sender()
    visitor.sign_in(newcomer.key)
    expect(visitor.page.get_by_role("heading", name="No logs yet")).to_be_visible()
    expect(visitor.page.locator(".logs-try")).to_contain_text(f'curl "{newcomer.url}/api/ingest"')
    newcomer.send({"message": "hello from curl"})
    visitor.button("Look again").click()
    expect(visitor.rows()).to_have_count(1)


def test_a_search_without_a_find_suggests_more_time(visitor: Visitor, shop: Sender) -> None:
    visitor.sign_in(shop.key, "logs?q=unheard&since=-5m")
    expect(visitor.page.get_by_role("heading", name="No log fits this search")).to_be_visible()
    visitor.button("Search the last 7 days").click()
    expect(visitor.page).to_have_url(re.compile("since=-7d"))
    visitor.page.get_by_text("Clear the search", exact=True).click()  # the box has a button of that name, without text
    expect(visitor.total()).to_have_text("200 logs")


def test_a_failure_says_what_to_do(visitor: Visitor, shop: Sender) -> None:
    answer(visitor, "**/api/logs?*", BROKEN, 503)
    with visitor.expecting("503"):
        visitor.sign_in(shop.key)
        expect(visitor.page.get_by_role("alert")).to_contain_text("Try again soon")
        visitor.page.unroute("**/api/logs?*")
        visitor.button("Try again").click()
        expect(visitor.rows().first).to_be_visible()
    visitor.page.context.set_offline(True)
    with visitor.expecting("ERR_INTERNET_DISCONNECTED"):
        visitor.search("refused")
        expect(visitor.page.get_by_role("alert")).to_contain_text("check the network")
        visitor.page.context.set_offline(False)
        visitor.button("Try again").click()
        expect(visitor.rows()).to_have_count(20)


def test_a_search_that_ran_out_of_time_can_go_on(visitor: Visitor, shop: Sender) -> None:
    def cut_short(route: Route) -> None:
        if "cursor=" in route.request.url:
            route.continue_()
            return
        cut = route.fetch(url=route.request.url.replace("limit=200", "limit=1"))
        route.fulfill(response=cut, body=json.dumps(cut.json() | {"partial": True}))

    visitor.page.route("**/api/logs?*", cut_short)
    visitor.sign_in(shop.key, "logs?q=level%3Aerror")
    expect(visitor.page.get_by_text("The time for one search was used up")).to_be_visible()
    expect(visitor.rows()).to_have_count(1)
    visitor.button("Go on").click()
    expect(visitor.rows()).to_have_count(20)
