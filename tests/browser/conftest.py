"""A real headless Chromium on the deployed dashboard, and the logs that it shows."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright

from administrator import Administrator, Sender
from chromium import NoBrowserError, provide_chromium
from deployment import ENVIRONMENT, run
from seeds import MANY, SHOP, few_logs, many_logs, shop_logs
from visitor import WIDE, Visit, Visitor

STEP_MILLISECONDS = 20_000
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
            executable_path=chromium.program, env={**os.environ, **chromium.environment, "LC_ALL": "C"}
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[Visit]:
    """`visit(size=NARROW, theme="dark")` is a new visitor with an empty browser profile. The test fails if a page
    wrote an error to its console, threw an exception or broke its own security policy."""
    visitors: list[Visitor] = []

    def visit(size: ViewportSize = WIDE, theme: str = "light", **options: object) -> Visitor:
        settings = {"locale": "en-GB", "timezone_id": "UTC"} | options
        context = browser.new_context(viewport=size, color_scheme=theme, **settings)  # type: ignore[arg-type]
        context.set_default_timeout(STEP_MILLISECONDS)
        visitors.append(Visitor(context.new_page(), url))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.check()
        visitor.page.unroute_all(behavior="ignoreErrors")
        visitor.page.context.close()


@pytest.fixture
def visitor(visit: Visit) -> Visitor:
    """One visitor, at a desk, who likes it light."""
    return visit()


@pytest.fixture(scope="session")
def administrator(url: str, admin_key: str) -> Administrator:
    """Who makes what a test needs of its own."""
    return Administrator(url, admin_key)


@pytest.fixture(scope="session")
def watch(operator_environment: dict[str, str]) -> Callable[[], None]:
    """Judges all rules now, in place of waiting for the minute."""

    def watch() -> None:
        run(str(ENVIRONMENT / "sluice"), "invoke", "watch", environment=operator_environment)

    return watch


@dataclass(frozen=True)
class Seeded:
    """What the suite looks at; no test changes it."""

    shop: Sender
    many: Sender
    few: Sender


@pytest.fixture(scope="session")
def seeded(administrator: Administrator) -> Seeded:
    """All are sent before any is waited for."""
    shop, many, few = (administrator.new_sender() for _ in range(3))
    batches = [
        (shop, shop.submit(shop_logs()), SHOP),
        (many, many.submit(many_logs()), MANY),
        (few, few.submit(few_logs()), len(few_logs())),
    ]
    for sender, batch_id, count in batches:
        sender.wait_for(batch_id, count)
    return Seeded(shop, many, few)


@pytest.fixture(scope="session")
def shop(seeded: Seeded) -> Sender:
    """An application with 200 logs of eight minutes, every tenth an error, and a hostile one."""
    return seeded.shop


@pytest.fixture(scope="session")
def many(seeded: Seeded) -> Sender:
    """An application with 10,000 logs, each hundredth of them a warning."""
    return seeded.many


@pytest.fixture(scope="session")
def few(seeded: Seeded) -> Sender:
    """An application with a log of each level, all of it filled in."""
    return seeded.few
