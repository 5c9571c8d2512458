"""The applications page: what an administrator does there, and what others see."""

import re
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from administrator import Administrator, Sender
from visitor import NARROW, Visit, Visitor

SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture
def name(visitor: Visitor, administrator: Administrator) -> str:
    """A new application, whose page the visitor sees."""
    name = administrator.new_application()
    visitor.sign_in(administrator.key, f"applications/{name}")
    visitor.page.get_by_role("heading", name=name).wait_for()
    return name


def listed(page: Page, key_id: str) -> Any:
    return page.get_by_role("region", name="Keys").get_by_role("row").filter(has_text=key_id)


def test_creating_an_application(visitor: Visitor, administrator: Administrator) -> None:
    name = f"{administrator.new_application()}-2"
    visitor.sign_in(administrator.key, "applications")
    visitor.page.get_by_role("table").wait_for()
    visitor.page.keyboard.press("n")
    field = visitor.page.get_by_role("textbox", name="Name", exact=True)
    field.fill("Not A Name")
    with visitor.expecting("400"):
        visitor.button("Create", visitor.dialog()).click()
        expect(visitor.dialog().get_by_role("alert")).to_contain_text("name")
    field.fill(name)
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_role("heading", name=name)).to_be_visible()
    expect(visitor.page.get_by_text("No keys yet")).to_be_visible()
    visitor.page.get_by_role("link", name="Applications").last.click()
    visitor.page.get_by_label("Find by name").fill(name)
    expect(visitor.page.get_by_role("row")).to_have_count(2)
    visitor.page.get_by_label("Find by name").fill("no such name")
    expect(visitor.page.get_by_role("heading", name="No application has this in its name")).to_be_visible()


def test_a_key_is_shown_once(visit: Visit, administrator: Administrator) -> None:
    name = administrator.new_application()
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    visitor.sign_in(administrator.key, f"applications/{name}")
    visitor.button("New key").first.click()
    visitor.page.get_by_label("Description").fill(SCRIPT)
    visitor.button("Create key").click()
    key = visitor.dialog().locator(".secret code").inner_text()
    assert key.startswith("slc_")
    visitor.button("Copy the key").click()
    assert visitor.page.evaluate("() => navigator.clipboard.readText()") == key
    visitor.page.keyboard.press("Escape")
    expect(visitor.dialog()).to_be_visible()
    visitor.button("I have kept it").click()
    expect(visitor.page.get_by_text(SCRIPT)).to_be_visible()
    assert key not in visitor.page.content()
    kept = administrator.call("GET", f"applications/{name}/keys")["keys"]
    assert [one["description"] for one in kept] == [SCRIPT]


def test_rotating_and_revoking(visitor: Visitor, administrator: Administrator, name: str) -> None:
    old = administrator.new_key(name, "read", description="web-1")
    visitor.page.reload()
    visitor.button("Rotate").click()
    visitor.page.get_by_label("The old key stays good for").select_option("1 hour")
    visitor.button("Rotate", visitor.dialog()).click()
    successor = visitor.dialog().locator(".secret code").inner_text()
    visitor.button("I have kept it").click()
    for key in (old["key"], successor):
        assert requests.get(f"{visitor.url}/api/usage", headers={"X-API-Key": key}, timeout=30).ok
    expect(listed(visitor.page, old["key_id"])).to_contain_text("replaced")
    visitor.button("Revoke", listed(visitor.page, old["key_id"])).click()
    expect(visitor.dialog()).to_contain_text("web-1")
    visitor.button("Cancel").click()
    expect(listed(visitor.page, old["key_id"])).not_to_contain_text("revoked")
    visitor.button("Revoke", listed(visitor.page, old["key_id"])).click()
    visitor.button("Revoke", visitor.dialog()).click()
    expect(listed(visitor.page, old["key_id"])).to_contain_text("revoked")


def test_limits(visitor: Visitor, administrator: Administrator, name: str) -> None:
    visitor.page.get_by_label("Requests per second").fill("50")
    visitor.page.get_by_label("KiB per second").fill("2")
    visitor.button("Save limits").click()
    expect(visitor.page.get_by_text("The limits are saved")).to_be_visible()
    application = administrator.call("GET", f"applications/{name}")["application"]
    assert application["limits"] == {"requests_per_second": 50, "bytes_per_second": 2048, "bytes_per_day": None}
    visitor.page.reload()
    expect(visitor.page.get_by_label("KiB per second")).to_have_value("2")
    visitor.page.get_by_label("KiB per second").fill("")
    visitor.page.get_by_label("Requests per second").fill("many")
    with visitor.expecting("400"):
        visitor.button("Save limits").click()
        expect(visitor.page.get_by_role("alert")).to_be_visible()
    visitor.page.get_by_label("Requests per second").fill("")
    visitor.button("Save limits").click()
    expect(visitor.page.get_by_role("alert")).to_have_count(0)
    application = administrator.call("GET", f"applications/{name}")["application"]
    assert set(application["limits"].values()) == {None}


def test_disabling_enabling_and_renaming(visitor: Visitor, administrator: Administrator, name: str) -> None:
    def status() -> str:
        return str(administrator.call("GET", f"applications/{name}")["application"]["status"])

    badge = visitor.page.locator(".applications-title .badge")
    visitor.button("Disable").click()
    visitor.button("Disable", visitor.dialog()).click()
    expect(badge).to_have_text("disabled")
    assert status() == "disabled"
    visitor.button("Enable").click()
    visitor.button("Enable", visitor.dialog()).click()
    expect(badge).to_have_text("active")
    assert status() == "active"
    visitor.button("Rename").click()
    visitor.page.get_by_role("textbox", name="Name", exact=True).fill(f"{name}-old")
    visitor.button("Rename", visitor.dialog()).click()
    expect(visitor.page.get_by_role("heading", name=f"{name}-old")).to_be_visible()


def test_others_see_their_own_use_and_why_no_more(visit: Visit, shop: Sender) -> None:
    visitor = visit(NARROW, "dark")
    visitor.sign_in(shop.key, "applications")
    expect(visitor.page.get_by_text(re.compile(r"\d+ requests? so far"))).to_be_visible()
    expect(visitor.page.get_by_role("meter", name="Bytes today")).to_be_visible()
    expect(visitor.page.get_by_text("keys with the scope admin")).to_be_visible()


def test_another_sites_form_changes_nothing(visitor: Visitor, name: str) -> None:
    """A cookie alone is no leave to change things: a request without the page's header is refused."""
    answer = visitor.page.context.request.post(f"{visitor.url}/api/applications", data={"name": "forged"})
    assert (answer.status, answer.json()["code"]) == (403, "cross_site_request")
