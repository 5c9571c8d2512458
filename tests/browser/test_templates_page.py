"""The templates page: what the logs say, and what administrators make of it."""

import re

import pytest
from playwright.sync_api import expect

from administrator import Administrator, Sender
from answers import SCRIPT, TEMPLATE, TEMPLATE_DETAIL, answer
from seeds import SHOP, TRACEBACK, deployed_logs
from visitor import NARROW, Visit, Visitor

PLACED, REFUSED = "order <*> placed", TRACEBACK.partition("\n")[0]


@pytest.fixture
def own(administrator: Administrator) -> Sender:
    """An application with two templates that a test may change."""
    sender = administrator.new_sender()
    sender.send(*({"message": f"cart {at} is {kind}"} for at in range(4) for kind in ("full", "paid for in cash")))
    return sender


def test_templates_are_found_ordered_and_lead_to_their_logs(visit: Visit, shop: Sender) -> None:
    visitor = visit()
    visitor.sign_in(shop.key, "templates")
    table = visitor.page.get_by_role("table", name="Templates")
    expect(visitor.page.get_by_text(f"{SHOP} logs in the last day")).to_be_visible()
    expect(table.get_by_role("row").nth(1)).to_contain_text("info")
    logs = table.get_by_role("columnheader", name="Logs")
    expect(logs).to_have_attribute("aria-sort", "descending")
    visitor.button("First seen").click()
    expect(logs).not_to_have_attribute("aria-sort", "descending")
    visitor.page.keyboard.press("/")
    visitor.page.keyboard.type("PAYMENT refused")
    expect(table.get_by_role("row")).to_have_count(2)
    other = visit()
    other.sign_in(shop.key, visitor.page.url.split("#/")[1])
    expect(other.page.get_by_role("table").get_by_role("row")).to_have_count(2)
    other.page.get_by_role("link", name=re.compile("payment provider refused")).click()
    expect(other.page.get_by_role("heading", level=1)).to_contain_text(REFUSED)
    expect(other.page.get_by_role("region", name="Examples")).to_contain_text('File "pay.py", line 88')
    expect(other.page.get_by_role("region", name="Count").locator("canvas")).to_be_visible()
    other.page.get_by_role("main").get_by_role("link", name="Logs").click()
    expect(other.total()).to_have_text("20 logs")


def test_values_lead_to_the_logs_that_have_them(visitor: Visitor, shop: Sender) -> None:
    visitor.sign_in(shop.key, "templates?q=order+placed")
    visitor.page.get_by_role("table").get_by_role("link").first.click()
    values = visitor.page.get_by_role("region", name="Values")
    expect(values).to_contain_text("all different, such as")
    answer(visitor, "**/api/templates/*", TEMPLATE_DETAIL)
    visitor.page.keyboard.press("r")
    expect(values.get_by_role("link", name=SCRIPT)).to_be_visible()
    values.get_by_role("link", name="ana").click()
    box = visitor.page.get_by_role("combobox", name="Search logs")
    expect(box).to_have_value(f"template:{TEMPLATE['id']} ana")


def test_naming_ignoring_merging_and_parting(visitor: Visitor, administrator: Administrator, own: Sender) -> None:
    visitor.sign_in(administrator.key, f"templates?application={own.application}")
    rows = visitor.page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(3)
    visitor.page.get_by_role("link", name=re.compile("in cash")).click()
    visitor.button("Rename").click()
    visitor.page.get_by_role("textbox", name="Name").fill(SCRIPT)
    visitor.button("Save").click()
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text(SCRIPT)
    visitor.button("Merge").click()
    expect(visitor.button("Merge", visitor.dialog())).to_be_disabled()
    visitor.page.get_by_label("Find by words").fill("cart full")
    expect(visitor.dialog().get_by_role("radio")).to_have_count(1)
    visitor.dialog().get_by_role("radio").check()
    visitor.button("Merge", visitor.dialog()).click()
    members = visitor.page.get_by_role("region", name="Members").first
    expect(members).to_contain_text("2 templates count as one")
    expect(visitor.page.get_by_text("8 logs in the last day")).to_be_visible()
    visitor.button("Ignore").click()
    expect(visitor.button("Show again")).to_be_visible()
    history = visitor.page.get_by_role("region", name="History")
    expect(history.get_by_role("listitem")).to_have_count(3)
    expect(history).to_contain_text(f"named it “{SCRIPT}”")
    visitor.button("Part").click()
    expect(visitor.page.get_by_text("4 logs in the last day")).to_be_visible()
    expect(members).to_have_count(0)
    visitor.page.get_by_role("navigation", name="Breadcrumb").get_by_role("link").click()
    expect(visitor.page.get_by_role("link", name=re.compile("cart .* is full"))).to_have_count(0)
    visitor.page.get_by_label("ignored ones, too").check()
    expect(visitor.page.get_by_role("link", name=re.compile("cart .* is full"))).to_be_visible()


def test_what_a_version_changed(visit: Visit, administrator: Administrator) -> None:
    sender = administrator.new_sender()
    sender.send(*deployed_logs())
    visitor = visit()
    visitor.sign_in(sender.key, "templates")
    visitor.page.get_by_role("link", name="By version").click()
    expect(visitor.page.get_by_label("Version")).to_have_value("2.0")
    expect(visitor.page.get_by_role("table", name="Only since 2.0")).to_contain_text("came 100 times with 2.0")
    expect(visitor.page.get_by_role("table", name="Gone with 2.0")).to_contain_text("saved")
    expect(visitor.page.get_by_role("table", name="More or less often")).to_have_count(0)
    visitor.page.get_by_label("Version").select_option("1.0")
    expect(visitor.page.get_by_role("heading", name="Nothing came before 1.0")).to_be_visible()
    other = visit()
    other.sign_in(administrator.key, f"templates/versions?application={sender.application}&version=2.0&against=1.0")
    expect(other.page.get_by_label("Against")).to_have_value("1.0")
    other.page.get_by_role("table", name="Only since 2.0").get_by_role("link", name="Logs").click()
    expect(other.total()).to_have_text("100 logs")
    with other.expecting("404"):
        other.go(f"templates/versions?application={sender.application}&version=3.0")
        expect(other.page.get_by_role("heading", name="No log has this version")).to_be_visible()
        other.page.get_by_role("link", name="Show the latest version").click()
        expect(other.page.get_by_role("table", name="Only since 2.0")).to_be_visible()


def test_readers_may_look_and_narrow_tables_show_that_there_is_more(visit: Visit, shop: Sender) -> None:
    visitor = visit(NARROW)
    visitor.sign_in(shop.key, "templates")
    table = visitor.page.get_by_role("region", name="Templates")
    expect(table).to_have_class(re.compile("has-after"))
    table.evaluate("table => table.scrollTo(table.scrollWidth, 0)")
    expect(table).to_have_class(re.compile("has-before"))
    expect(table).not_to_have_class(re.compile("has-after"))
    pages = visitor.page.get_by_role("navigation", name="Pages")
    expect(pages).to_have_class(re.compile("has-after"))
    visitor.go("pipeline")
    expect(pages).not_to_have_class(re.compile("has-after"))
    visitor.go("templates?q=order+placed")
    visitor.page.get_by_role("table").get_by_role("link").first.click()
    expect(visitor.page.get_by_role("region", name="Values")).to_be_visible()
    expect(visitor.button("Rename")).to_have_count(0)
