"""The alerts page: rules are made, fire, and somebody takes care."""

import re
import time
from collections.abc import Callable

from playwright.sync_api import Locator, expect

from administrator import Administrator, Sender
from answers import BROKEN, answer
from seeds import MARKUP, refused_payments
from visitor import NARROW, Visit, Visitor

FIRES_WITHIN_SECONDS = 60
NAME = f"Payments fail {MARKUP}"


def make_rule(visitor: Visitor) -> None:
    """More than three refusals in two seconds."""
    visitor.page.keyboard.press("n")
    visitor.page.get_by_label("Name", exact=True).fill(NAME)
    query = visitor.page.get_by_label("Among the logs")
    query.fill("refused levle:error")
    visitor.page.get_by_label("Limit").fill("3")
    visitor.page.get_by_label("In a window of").fill("2s")
    with visitor.expecting("400"):
        visitor.button("Create rule").click()
        expect(visitor.page.get_by_role("alert")).to_contain_text("levle")
    expect(query).to_have_attribute("aria-invalid", "true")
    query.fill("refused")
    visitor.page.get_by_label("Time to look back").select_option("-24h")
    visitor.button("Try it").click()
    expect(visitor.page.get_by_text("Would not have fired in the last 24 hours.")).to_be_visible()
    visitor.button("Create rule").click()
    expect(visitor.page.get_by_role("heading", name=NAME, exact=True)).to_be_visible()
    expect(visitor.page.get_by_text("more than 3 logs in 2s")).to_be_visible()


def wait_until_it_fires(administrator: Administrator, watch: Callable[[], None], application: str) -> None:
    deadline = time.monotonic() + FIRES_WITHIN_SECONDS
    path = f"incidents?status=firing&application={application}"
    while not administrator.call("GET", path)["incidents"]:
        assert time.monotonic() < deadline, "the rule did not fire"
        watch()


def listed(visitor: Visitor, table: str) -> Locator:
    return visitor.page.get_by_role("table", name=table).get_by_role("row")


def test_a_rule_is_made_fires_and_somebody_is_on_it(
    visit: Visit, administrator: Administrator, watch: Callable[[], None]
) -> None:
    sender = administrator.new_sender()
    key = administrator.new_key(sender.application, "read", "alerts")
    watch()  # makes the application's default rules
    visitor = visit()
    visitor.sign_in(key["key"], "alerts/rules")
    expect(listed(visitor, "Rules").filter(has_text="default")).to_have_count(4)
    make_rule(visitor)
    sender.send(*refused_payments(90))
    wait_until_it_fires(administrator, watch, sender.application)

    visitor.go("home")
    unusual = visitor.page.get_by_role("region", name="Unusual")
    expect(unusual).to_contain_text(re.compile(f"{sender.application}: \\d+ logs matching refused in 2 seconds"))
    unusual.get_by_role("link", name=NAME).click()
    expect(visitor.page.get_by_role("region", name="Logs over time").locator("canvas")).to_be_visible()
    expect(visitor.page.get_by_role("region", name="Samples")).to_contain_text(MARKUP)
    visitor.button("Acknowledge").click()
    visitor.page.get_by_label("Note").fill("the bank is down")
    visitor.button("Acknowledge", visitor.dialog()).click()
    happened = visitor.page.get_by_role("region", name="What happened")
    expect(happened).to_contain_text(f"acknowledged by {key['key_id']} the bank is down")
    expect(visitor.button("Acknowledge")).to_have_count(0)

    reader = visit(NARROW, "dark")
    reader.sign_in(sender.key, "alerts")
    expect(listed(reader, "Firing incidents").nth(1)).to_contain_text("acknowledged")
    reader.page.get_by_role("link", name=NAME).click()
    reader.page.get_by_role("main").get_by_role("link", name="Logs").click()
    expect(reader.rows().first).to_contain_text("refused")

    visitor.page.get_by_role("link", name="Rule", exact=True).click()
    visitor.page.get_by_label("Time to look back").select_option("-24h")
    visitor.button("Try it").click()
    expect(visitor.page.get_by_text(re.compile("Would have fired once in the last 24 hours"))).to_be_visible()
    expect(visitor.page.get_by_role("region", name="Preview").locator("canvas")).to_be_visible()
    visitor.page.get_by_label("Limit").fill("1000")
    expect(visitor.page.get_by_text("The form says something else by now")).to_be_visible()
    visitor.button("Switch off").click()
    expect(visitor.button("Switch on")).to_be_visible()
    visitor.go("alerts")
    expect(listed(visitor, "Resolved incidents").nth(1)).to_contain_text(NAME)
    expect(visitor.page.get_by_role("heading", name="Nothing fires")).to_be_visible()
    visitor.go("home")
    expect(visitor.page.get_by_role("heading", name=re.compile("Nothing unusual since"))).to_be_visible()


def test_rules_are_changed_switched_and_deleted(visit: Visit, administrator: Administrator, shop: Sender) -> None:
    application = shop.application
    made = administrator.call(
        "POST", "rules", {"application": application, "name": "Slow", "query": "slow", "above": 5}
    )
    visitor = visit()
    visitor.sign_in(administrator.key, f"alerts/rules/{made['rule']['id']}")
    visitor.page.get_by_label("Severity").select_option("critical")
    visitor.page.get_by_label("Resolved").fill("2")
    visitor.page.get_by_label("Labels").fill("team=search")
    visitor.button("Save").click()
    expect(visitor.page.get_by_role("log")).to_contain_text("The rule is saved")
    rule = administrator.call("GET", f"rules/{made['rule']['id']}")["rule"]
    assert (rule["severity"], rule["resolve_below"], rule["labels"]) == ("critical", 2, {"team": "search"})
    visitor.page.get_by_role("link", name="Rules", exact=True).click()
    visitor.page.get_by_label("Find a rule").fill("slow")
    visitor.page.get_by_label("“Slow” is on").uncheck()
    expect(listed(visitor, "Rules").nth(1)).to_contain_text("off")
    assert administrator.call("GET", f"rules/{made['rule']['id']}")["rule"]["enabled"] is False
    visitor.page.get_by_role("link", name="Slow").click()
    visitor.button("Delete").click()
    visitor.button("Delete", visitor.dialog()).click()
    expect(visitor.page.get_by_role("log")).to_contain_text("“Slow” is deleted")
    visitor.page.get_by_label("Find a rule").fill("slow")
    expect(visitor.page.get_by_role("heading", name="No rule is like this")).to_be_visible()


def test_who_is_told_and_when_not(visit: Visit, administrator: Administrator) -> None:
    application = administrator.new_application()
    key = administrator.new_key(application, "read", "alerts")["key"]
    visitor = visit()
    visitor.sign_in(key, "alerts/channels")
    expect(visitor.page.get_by_role("heading", name="Nobody is told yet")).to_be_visible()
    visitor.page.keyboard.press("n")
    visitor.page.get_by_label("Name").fill(NAME)
    visitor.page.get_by_label("URL").fill("https://127.0.0.1/hook")
    with visitor.expecting("400"):
        visitor.button("Create channel").click()
        expect(visitor.dialog().get_by_role("alert")).to_be_visible()
    visitor.page.get_by_label("URL").fill("https://hooks.example.com/secret-path")
    visitor.button("Create channel").click()
    expect(visitor.dialog().locator(".secret code")).to_contain_text("whsec_")
    visitor.button("I have kept it").click()
    row = listed(visitor, "Channels").nth(1)
    expect(row).to_contain_text("https://hooks.example.com/…")
    assert "secret-path" not in visitor.page.content()
    visitor.button("Test", row).click()
    expect(visitor.page.get_by_role("log")).to_contain_text("Not delivered")
    expect(row).to_contain_text(re.compile("failed|refused"))
    visitor.button("Edit", row).click()
    visitor.page.get_by_label("Tell from this severity on").select_option("critical")
    visitor.button("Save").click()
    expect(row).to_contain_text("critical")
    visitor.button("Delete", row).click()
    visitor.button("Delete", visitor.dialog()).click()
    expect(visitor.page.get_by_role("heading", name="Nobody is told yet")).to_be_visible()

    visitor.page.get_by_role("link", name="Silences").click()
    visitor.button("New silence").click()
    visitor.page.get_by_label("What").fill(f"rule={NAME}\nhost=~web-.*")
    visitor.button("Silence", visitor.dialog()).click()
    silence = listed(visitor, "Silences").nth(1)
    expect(silence.locator("code")).to_have_text([f"rule={NAME}", "host=~web-.*"])
    visitor.button("End now").click()
    expect(visitor.page.get_by_role("heading", name="Nothing is silenced")).to_be_visible()
    visitor.button("New window").click()
    visitor.page.get_by_label("mon").check()
    visitor.button("Plan it").click()
    window = listed(visitor, "Maintenance windows").nth(1)
    expect(window).to_contain_text("mon, sun at 02:00 for 60 min, UTC")
    visitor.button("Delete", window).click()
    expect(visitor.page.get_by_role("heading", name="No maintenance is planned")).to_be_visible()


def test_a_reader_may_look_and_a_default_rule_stays(visit: Visit, shop: Sender, watch: Callable[[], None]) -> None:
    watch()
    visitor = visit()
    visitor.sign_in(shop.key, "alerts/rules")
    expect(visitor.page.get_by_text("has the scope alerts")).to_be_visible()
    expect(visitor.page.get_by_role("checkbox")).to_have_count(0)
    visitor.page.get_by_role("link", name="More than 50 errors in a minute").click()
    expect(visitor.page.get_by_label("Limit")).to_be_disabled()
    expect(visitor.page.get_by_label("Limit")).to_have_value("50")
    expect(visitor.button("Delete")).to_have_count(0)
    expect(visitor.button("Save")).to_have_count(0)


def test_home_says_that_all_is_well_on_what_grounds(visit: Visit, few: Sender) -> None:
    visitor = visit()
    visitor.sign_in(few.key, "")
    expect(visitor.page.get_by_role("heading", name="Nothing unusual")).to_be_visible()
    expect(visitor.page.get_by_text("Based on 5 logs of the last day in 1 template")).to_be_visible()
    expect(visitor.page.get_by_text("5 accepted = 5 stored")).to_be_visible()
    row = visitor.page.get_by_role("table", name="Volume by application").get_by_role("row").nth(1)
    expect(row).to_contain_text("2 (40 %)")
    new = visitor.page.get_by_role("region", name="New templates")
    expect(new.get_by_role("link", name=re.compile("payment provider refused"))).to_be_visible()
    answer(visitor, "**/api/incidents?*", BROKEN, 503)
    with visitor.expecting("503"):
        visitor.page.keyboard.press("r")
        expect(visitor.page.get_by_text(f"Not up to date: {BROKEN['detail']}")).to_be_visible()
    row.get_by_role("link", name="2 (40 %)").click()
    expect(visitor.total()).to_have_text("2 logs")
