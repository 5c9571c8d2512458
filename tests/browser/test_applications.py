"""The applications page: what an administrator does there, and what others see."""

import json
import secrets
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from visitor import NARROW, Visit, Visitor

SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture
def name(visitor: Visitor, admin_key: str) -> str:
    """A new application, whose page the visitor sees."""
    name = f"web-{secrets.token_hex(4)}"
    call(visitor.url, admin_key, "POST", "api/applications", {"name": name})
    visitor.sign_in(admin_key, f"applications/{name}")
    visitor.page.get_by_role("heading", name=name).wait_for()
    return name


def call(url: str, key: str, method: str, path: str, body: Any = None) -> Any:
    """What the API answers, behind the page's back."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/{path}", data, {"X-API-Key": key}, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def listed(page: Page, key_id: str) -> Any:
    return page.get_by_role("region", name="Keys").get_by_role("row").filter(has_text=key_id)


def test_creating_an_application(visitor: Visitor, admin_key: str) -> None:
    name = f"web-{secrets.token_hex(4)}"
    visitor.sign_in(admin_key, "applications")
    visitor.page.get_by_role("table").wait_for()
    visitor.page.keyboard.press("n")
    visitor.page.get_by_role("textbox", name="Name", exact=True).fill("Not A Name")
    with visitor.expecting("400"):
        visitor.button("Create", visitor.dialog()).click()
        expect(visitor.dialog().get_by_role("alert")).to_contain_text("name")
    visitor.check_accessibility()
    visitor.page.get_by_role("textbox", name="Name", exact=True).fill(name)
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_role("heading", name=name)).to_be_visible()
    expect(visitor.page.get_by_text("No keys yet")).to_be_visible()


def test_a_key_is_shown_once(visitor: Visitor, admin_key: str, name: str) -> None:
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.button("New key").first.click()
    visitor.page.get_by_label("Description").fill(SCRIPT)
    visitor.button("Create key").click()
    key = visitor.dialog().locator(".secret code").inner_text()
    assert key.startswith("slc_")
    visitor.button("Copy the key").click()
    assert visitor.page.evaluate("() => navigator.clipboard.readText()") == key
    visitor.page.keyboard.press("Escape")
    expect(visitor.dialog()).to_be_visible()
    visitor.check_accessibility()
    visitor.button("I have kept it").click()
    expect(visitor.page.get_by_text(SCRIPT)).to_be_visible()
    assert key not in visitor.page.content()
    assert call(visitor.url, admin_key, "GET", f"api/applications/{name}/keys")["keys"][0]["description"] == SCRIPT


def test_rotating_and_revoking(visitor: Visitor, admin_key: str, name: str) -> None:
    old = call(visitor.url, admin_key, "POST", f"api/applications/{name}/keys", {"description": "web-1"})["key_id"]
    visitor.page.reload()
    visitor.button("Rotate").click()
    visitor.page.get_by_label("The old key stays good for").select_option("1 hour")
    visitor.button("Rotate", visitor.dialog()).click()
    visitor.button("I have kept it").click()
    expect(listed(visitor.page, old)).to_contain_text("replaced")
    visitor.button("Revoke", listed(visitor.page, old)).click()
    expect(visitor.dialog()).to_contain_text("never used")
    visitor.button("Cancel").click()
    expect(listed(visitor.page, old)).not_to_contain_text("revoked")
    visitor.button("Revoke", listed(visitor.page, old)).click()
    visitor.button("Revoke", visitor.dialog()).click()
    expect(listed(visitor.page, old)).to_contain_text("revoked")


def test_limits_name_and_status(visitor: Visitor, admin_key: str, name: str) -> None:
    visitor.page.get_by_label("Requests per second").fill("50")
    visitor.page.get_by_label("KiB per second").fill("2")
    visitor.button("Save limits").click()
    expect(visitor.page.get_by_text("The limits are saved")).to_be_visible()
    application = call(visitor.url, admin_key, "GET", f"api/applications/{name}")["application"]
    assert application["limits"] == {"requests_per_second": 50, "bytes_per_second": 2048, "bytes_per_day": None}
    with visitor.expecting("400"):
        visitor.page.get_by_label("Requests per second").fill("many")
        visitor.button("Save limits").click()
        expect(visitor.page.get_by_role("alert")).to_be_visible()
    visitor.button("Disable").click()
    visitor.button("Disable", visitor.dialog()).click()
    expect(visitor.page.get_by_text("disabled", exact=True)).to_be_visible()
    visitor.button("Rename").click()
    visitor.page.get_by_role("textbox", name="Name", exact=True).fill(f"{name}-old")
    visitor.button("Rename", visitor.dialog()).click()
    expect(visitor.page.get_by_role("heading", name=f"{name}-old")).to_be_visible()


def test_others_see_their_own_use_and_why_no_more(visit: Visit, key: str) -> None:
    visitor = visit(NARROW, "dark")
    visitor.sign_in(key, "applications")
    expect(visitor.page.get_by_role("meter", name="Bytes today")).to_be_visible()
    expect(visitor.page.get_by_text("keys with the scope admin")).to_be_visible()
    visitor.check_accessibility()


def test_another_sites_form_changes_nothing(visitor: Visitor, admin_key: str, name: str) -> None:
    """A cookie alone is no leave to change things: a request without the page's header is refused."""
    answer = visitor.page.context.request.post(f"{visitor.url}/api/applications", data={"name": "forged"})
    assert (answer.status, answer.json()["code"]) == (403, "cross_site_request")
