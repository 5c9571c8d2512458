"""Signing in, finding one's way, and what holds for every page."""

import re

import pytest
from playwright.sync_api import Response, expect

from administrator import Administrator, Sender
from visitor import NARROW, WIDE, Visit, Visitor

PAGES = ("home", "logs", "anomalies", "alerts", "alerts/rules", "templates", "applications", "pipeline")
FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex='0']"
# Every control, each with a number of its own; rows share one place in the order of the Tab key.
NUMBERED = f"""() => {{
  const all = [...document.querySelectorAll(`{FOCUSABLE}`)];
  const isShown = (one) => one.checkVisibility({{ visibilityProperty: true }});
  const isStop = (one) => one.tabIndex >= 0 || !one.matches(".logs-row-toggle");
  const shown = all.filter((one) => isShown(one) && !one.disabled && isStop(one));
  const radios = new Set();
  const alone = shown.filter((one) => one.type !== "radio" || (!radios.has(one.name) && radios.add(one.name)));
  alone.forEach((one, at) => {{ one.dataset.stop = at; }});
  return alone.map((one) => one.getAttribute("aria-label") || one.textContent.trim() || one.outerHTML.slice(0, 80));
}}"""
# Keeps the number of whatever gets the focus, and the numbers of those that do not show it.
LISTEN = """() => {
  window.reached = { stops: [], ringless: [] };
  const hasRing = (element) => getComputedStyle(element).outlineStyle !== "none";
  document.addEventListener("focusin", ({ target }) => {
    const first = target.type === "radio" && document.querySelector(`[name="${target.name}"][data-stop]`);
    const stop = Number((first || target).dataset.stop ?? -1);
    window.reached.stops.push(stop);
    if (stop >= 0 && !hasRing(target) && !hasRing(target.closest(".logs-search-box") ?? target)) {
      window.reached.ringless.push(stop);
    }
  });
}"""


def test_signing_in_goes_on_where_the_link_leads_until_signing_out(visitor: Visitor, key: str) -> None:
    visitor.sign_in_by_form(key, "pipeline")
    expect(visitor.page).to_have_title("Pipeline · Sluice")
    visitor.open("applications")
    expect(visitor.page).to_have_title("Applications · Sluice")
    cookie = next(cookie for cookie in visitor.page.context.cookies() if cookie["name"] == "sluice_session")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert key not in str(visitor.page.context.storage_state())
    visitor.button("Sign out").click()
    expect(visitor.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert visitor.page.context.cookies() == []
    visitor.open("logs")
    expect(visitor.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_refused_key_is_told_what_to_do(visitor: Visitor, administrator: Administrator) -> None:
    visitor.open()
    field = visitor.page.get_by_label("API key")
    with visitor.expecting("401"):
        field.fill("slc_this_is_none")
        field.press("Enter")
        expect(visitor.page.get_by_role("alert")).to_contain_text("Paste all of it")
    assert field.get_attribute("aria-invalid") == "true"
    senders = administrator.new_key(administrator.new_application(), "ingest")["key"]
    with visitor.expecting("403"):
        field.fill(senders)
        visitor.button("Sign in").click()
        expect(visitor.page.get_by_role("alert")).to_contain_text("scope read")


def test_an_ended_session_asks_for_the_key_and_goes_back(visitor: Visitor, shop: Sender) -> None:
    """Whether it ends under one's hands, or before the page is loaded."""
    visitor.sign_in(shop.key, "logs?q=order&column=host")
    expect(visitor.rows().first).to_be_visible()
    visitor.page.context.clear_cookies()
    with visitor.expecting("401"):
        visitor.search("refused")
        expect(visitor.page.get_by_role("status")).to_contain_text("session has ended")
        visitor.page.get_by_label("API key").fill(shop.key)
        visitor.button("Sign in").click()
        expect(visitor.total()).to_have_text("20 logs")
    expect(visitor.page.get_by_role("columnheader", name="host")).to_be_visible()
    visitor.page.context.clear_cookies()
    with visitor.expecting("401"):
        visitor.page.reload()
        expect(visitor.page.get_by_role("status")).to_contain_text("session has ended")
    assert visitor.page.url.endswith("#/logs?q=refused&column=host")


def test_shortcuts_lead_everywhere_and_are_listed(visitor: Visitor, admin_key: str) -> None:
    visitor.sign_in(admin_key, "nowhere")
    keyboard = visitor.page.keyboard
    for letter, title in (
        ("a", "Applications"),
        ("h", "Home"),
        ("e", "Alerts"),
        ("n", "Anomalies"),
        ("t", "Templates"),
        ("p", "Pipeline"),
        ("l", "Logs"),
    ):
        keyboard.press("g")
        keyboard.press(letter)
        expect(visitor.page).to_have_title(f"{title} · Sluice")
    keyboard.press("?")
    expect(visitor.dialog()).to_contain_text("Live tail on or off")
    keyboard.press("Escape")
    expect(visitor.dialog()).to_have_count(0)
    visitor.page.reload()
    visitor.page.get_by_role("navigation", name="Pages").wait_for()
    keyboard.press("Tab")
    expect(visitor.button("Skip to content")).to_be_focused()
    keyboard.press("Enter")
    expect(visitor.page.get_by_role("main")).to_be_focused()


@pytest.mark.parametrize(
    "page", ["home", "logs", "alerts/rules/new", "templates", "applications", "application", "pipeline"]
)
def test_the_tab_key_reaches_everything_and_shows_where_it_is(
    visitor: Visitor, administrator: Administrator, shop: Sender, page: str
) -> None:
    if page == "logs":
        visitor.sign_in(shop.key)
        visitor.rows().first.click()
        visitor.page.get_by_role("button", name=re.compile("^Time range")).click()
    else:
        name = administrator.new_application()
        administrator.new_key(name, "read")
        visitor.sign_in(administrator.key, f"applications/{name}" if page == "application" else page)
    visitor.settle()
    controls = visitor.page.evaluate(NUMBERED)
    assert len(controls) > 8
    visitor.page.evaluate("() => document.activeElement.blur()")
    visitor.page.evaluate(LISTEN)
    for _ in range(len(controls) + 4):
        visitor.page.keyboard.press("Tab")
    reached = visitor.page.evaluate("() => window.reached")
    assert [name for at, name in enumerate(controls) if at not in reached["stops"]] == []
    assert [controls[at] for at in reached["ringless"]] == []


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


def test_a_browser_without_a_language_shows_the_page(visit: Visit) -> None:
    """Its own is `en-US@posix` then, which is none to JavaScript."""
    visitor = visit(locale=None)
    visitor.open()
    expect(visitor.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_first_paint_is_quick_and_stays(visit: Visit, admin_key: str) -> None:
    visitor = visit()
    visitor.open()
    visitor.page.get_by_role("heading", name="Sign in").wait_for()
    assert len(visitor.files_before_first_paint()) <= 3
    assert visitor.layout_shift() == 0
    visitor.sign_in(admin_key)
    for size in (WIDE, NARROW):
        visitor.page.set_viewport_size(size)
        for page in PAGES:
            visitor.open(page)
            visitor.settle()
            if page == "applications":
                visitor.page.get_by_role("meter").first.wait_for()
            assert len(visitor.files_before_first_paint()) <= 3
            assert visitor.layout_shift() < 0.005, (page, size)  # a twentieth of what Lighthouse calls good


def test_the_files_are_few_small_and_kept(visitor: Visitor) -> None:
    answers: list[Response] = []
    visitor.page.on("response", lambda answer: answers.append(answer))
    visitor.open()
    visitor.page.get_by_role("heading", name="Sign in").wait_for()
    page, *assets = [answer for answer in answers if not answer.url.startswith("data:")]
    assert len(assets) == 2
    assert sum(int(answer.headers["content-length"]) for answer in (page, *assets)) <= 150_000
    for asset in assets:
        assert re.search(r"/assets/[a-z]+-[\w-]{8}\.(js|css)$", asset.url), "the name holds no fingerprint"
        assert "immutable" in asset.headers["cache-control"]
        assert asset.headers["content-encoding"] == "gzip"
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_no_other_site_may_frame_the_page(visitor: Visitor) -> None:
    visitor.open()
    with visitor.expecting("frame-ancestors|refused to connect|violates"):
        framed = visitor.page.context.new_page()
        framed.set_content(f'<iframe src="{visitor.url}/"></iframe>')
        framed.frames[1].wait_for_url(re.compile("^chrome-error:"))
