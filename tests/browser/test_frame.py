"""Signing in, finding one's way, and what holds for every page."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Response, ViewportSize, expect

from visitor import LOOKS, Visit, Visitor


def test_signing_in_goes_on_where_the_link_leads(visitor: Visitor, key: str) -> None:
    visitor.sign_in_by_form(key, "pipeline")
    expect(visitor.page).to_have_title("Pipeline · Sluice")
    visitor.open("applications")
    expect(visitor.page).to_have_title("Applications · Sluice")
    cookie = next(cookie for cookie in visitor.page.context.cookies() if cookie["name"] == "sluice_session")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert key not in str(visitor.page.context.storage_state())


def test_signing_out(visitor: Visitor, key: str) -> None:
    visitor.sign_in_by_form(key)
    visitor.button("Sign out").click()
    expect(visitor.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert [cookie["name"] for cookie in visitor.page.context.cookies()] == []
    visitor.open("logs")
    expect(visitor.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_wrong_key_is_told_what_to_do(visitor: Visitor) -> None:
    visitor.open()
    field = visitor.page.get_by_label("API key")
    with visitor.expecting("401"):
        field.fill("slc_this_is_none")
        field.press("Enter")
        expect(visitor.page.get_by_role("alert")).to_contain_text("Paste all of it")
    assert field.get_attribute("aria-invalid") == "true"
    visitor.check_accessibility()


def test_a_senders_key_is_told_what_to_do(visitor: Visitor, make_key: Callable[..., str]) -> None:
    visitor.open()
    with visitor.expecting("403"):
        visitor.page.get_by_label("API key").fill(make_key("ingest"))
        visitor.button("Sign in").click()
        expect(visitor.page.get_by_role("alert")).to_contain_text("scope read")


def test_an_ended_session_asks_again_and_keeps_the_address(visitor: Visitor, key: str) -> None:
    visitor.sign_in(key, "logs")
    visitor.page.context.clear_cookies()
    with visitor.expecting("401"):
        visitor.open("logs?q=level%3Aerror")
        expect(visitor.page.get_by_role("status")).to_contain_text("session has ended")
    assert visitor.page.url.endswith("#/logs?q=level%3Aerror")


def test_the_keyboard_alone_is_enough(visitor: Visitor, key: str) -> None:
    visitor.sign_in(key)
    keyboard = visitor.page.keyboard
    keyboard.press("?")
    expect(visitor.dialog()).to_contain_text("Keyboard shortcuts")
    visitor.check_accessibility()
    keyboard.press("Escape")
    expect(visitor.dialog()).to_have_count(0)
    keyboard.press("g")
    keyboard.press("p")
    expect(visitor.page).to_have_url(re.compile("#/pipeline"))
    visitor.page.reload()
    visitor.page.get_by_role("navigation", name="Pages").wait_for()
    keyboard.press("Tab")
    expect(visitor.button("Skip to content")).to_be_focused()
    keyboard.press("Enter")
    expect(visitor.page.get_by_role("main")).to_be_focused()


def test_the_theme_is_the_systems_until_one_chooses(visit: Visit) -> None:
    visitor = visit(theme="dark")
    visitor.open()
    background = "() => getComputedStyle(document.body).backgroundColor"
    dark = visitor.page.evaluate(background)
    visitor.button("Light theme").click()
    light = visitor.page.evaluate(background)
    assert light != dark
    visitor.page.reload()
    visitor.button("Dark theme").wait_for()
    assert visitor.page.evaluate(background) == light
    visitor.button("Dark theme").click()
    assert visitor.page.evaluate(background) == dark


@pytest.mark.parametrize(("size", "theme"), LOOKS, ids=lambda value: str(value))
def test_every_page_is_accessible(visit: Visit, admin_key: str, size: ViewportSize, theme: str) -> None:
    visitor = visit(size, theme)
    visitor.open()
    visitor.page.get_by_role("heading", name="Sign in").wait_for()
    visitor.check_accessibility()
    visitor.sign_in(admin_key)
    for page in ("logs", "applications", "pipeline", "nowhere"):
        visitor.go(page)
        visitor.page.wait_for_load_state("networkidle")
        visitor.check_accessibility()
        overflow = visitor.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{page} is {overflow} px wider than the window"


def test_the_first_paint_is_quick_and_stays(visit: Visit, key: str) -> None:
    visitor = visit()
    visitor.open()
    visitor.page.get_by_role("heading", name="Sign in").wait_for()
    assert len(visitor.requests_before_first_paint()) <= 3
    assert visitor.layout_shift() == 0
    visitor.sign_in(key)
    for page in ("logs", "applications", "pipeline"):
        visitor.open(page)
        visitor.page.wait_for_load_state("networkidle")
        assert len(visitor.requests_before_first_paint()) <= 4  # and the question who is signed in
        assert visitor.layout_shift() < 0.02, page


def test_scripts_and_styles_stay_small(visitor: Visitor) -> None:
    sizes = {}

    def measure(response: Response) -> None:
        sizes[response.url] = int(response.headers["content-length"])

    visitor.page.on("response", measure)
    visitor.open()
    visitor.page.wait_for_load_state("networkidle")
    assets = {url: size for url, size in sizes.items() if url.endswith((".js", ".css"))}
    assert len(assets) == 2
    assert sum(assets.values()) <= 150_000


def test_no_other_site_may_frame_the_page(visitor: Visitor) -> None:
    visitor.open()
    with visitor.expecting("frame-ancestors|refused to connect|violates"):
        framed = visitor.page.context.new_page()
        framed.set_content(f'<iframe src="{visitor.url}/"></iframe>')
        framed.wait_for_timeout(300)
        assert framed.frames[1].url.startswith("chrome-error:")
