"""A real headless Chromium on the deployed dashboard."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright

from chromium import NoBrowserError, provide_chromium
from visitor import WIDE, Visit, Visitor

STEP_MILLISECONDS = 10_000
expect.set_options(timeout=STEP_MILLISECONDS)


# Not for the session: while it lives, no other test of this process can run a loop of asyncio.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser, one process for a file of tests."""
    try:
        chromium = provide_chromium()
    except NoBrowserError as error:
        pytest.fail(str(error), pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.program, env={**os.environ, **chromium.environment}
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[Visit]:
    """`visit(size=NARROW, theme="dark")` is a new visitor with an empty browser profile. The test fails if a page
    wrote an error to its console, threw an exception or broke its own security policy."""
    visitors: list[Visitor] = []

    def visit(size: ViewportSize = WIDE, theme: str = "light", **options: object) -> Visitor:
        context = browser.new_context(viewport=size, color_scheme=theme, locale="en-GB", timezone_id="UTC", **options)  # type: ignore[arg-type]
        context.set_default_timeout(STEP_MILLISECONDS)
        visitors.append(Visitor(context.new_page(), url))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.check()
        visitor.page.context.close()


@pytest.fixture
def visitor(visit: Visit) -> Visitor:
    """One visitor, at a desk, who likes it light."""
    return visit()
