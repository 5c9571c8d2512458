"""Somebody who looks at the dashboard: a page, and what is expected of every page."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from playwright.sync_api import ConsoleMessage, Error, Locator, Page, ViewportSize

from chromium import REPOSITORY

type Theme = Literal["light", "dark"]

WIDE = ViewportSize(width=1440, height=900)
NARROW = ViewportSize(width=390, height=844)
THEMES: tuple[Theme, ...] = ("light", "dark")
LOOKS = [(size, theme) for size in (WIDE, NARROW) for theme in THEMES]
AXE = REPOSITORY / "build" / "web" / "node_modules" / "axe-core" / "axe.min.js"
IS_SERIOUS = ("serious", "critical")
OBSERVE = """
window.observed = { shifts: [], violations: [] };
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!entry.hadRecentInput) window.observed.shifts.push(entry.value);
  }
}).observe({ type: "layout-shift", buffered: true });
document.addEventListener("securitypolicyviolation", (event) =>
  window.observed.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
SETTLED = """() => document.querySelector("main h1")
  && !document.querySelector(".loading, .logs-pending, [aria-busy='true']")"""
# The observer hears of a frame after it.
SHIFTS = """() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(window.observed.shifts)))))"""
BEFORE_FIRST_PAINT = """() => {
  const paint = performance.getEntriesByName("first-contentful-paint")[0].startTime;
  const requests = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  return requests.filter((entry) => entry.startTime < paint).map((entry) => entry.name);
}"""


@dataclass
class Visitor:
    """`url` is the API's, without a slash at its end. `refused` collects what went wrong in the page's console."""

    page: Page
    url: str
    refused: list[str] = field(default_factory=list)
    _expected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.add_init_script(OBSERVE)
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.refused.append(f"uncaught: {error}"))

    def open(self, fragment: str = "") -> None:
        """Loads the page at `#/fragment` anew."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}/#/{fragment}" if fragment else f"{self.url}/")

    def go(self, fragment: str) -> None:
        """Follows a link to `#/fragment` within the loaded page."""
        self.page.evaluate("fragment => { location.hash = fragment }", f"#/{fragment}")

    def sign_in(self, key: str, fragment: str = "logs") -> None:
        """Signs in behind the page's back and opens `#/fragment`."""
        answer = self.page.context.request.post(
            f"{self.url}/api/session", data={"key": key}, headers={"X-Sluice-Page": "1"}
        )
        assert answer.ok, answer.text()
        ends = answer.json()["expires_at"]
        self.page.add_init_script(f"if (origin !== 'null') localStorage.setItem('sluice.session-ends', '{ends}')")
        self.open(fragment)
        self.page.get_by_role("navigation", name="Pages").wait_for()

    def sign_in_by_form(self, key: str, fragment: str = "logs") -> None:
        """As people do it, then waits for the page at `#/fragment`."""
        self.open(fragment)
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("navigation", name="Pages").wait_for()

    def button(self, name: str, within: Locator | None = None) -> Locator:
        return (within or self.page).get_by_role("button", name=name, exact=True)

    def rows(self) -> Locator:
        """The logs of the list that are in the document."""
        return self.page.locator(".logs-row")

    def total(self) -> Locator:
        """What the histogram counts: "200 logs"."""
        return self.page.locator(".logs-total")

    def search(self, text: str) -> None:
        """Writes a query and asks."""
        box = self.page.get_by_role("combobox", name="Search logs")
        box.fill(text)
        box.press("Escape")  # the completion
        box.press("Enter")

    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    @contextmanager
    def expecting(self, pattern: str) -> Iterator[None]:
        """Inside, the console may complain of what matches, e.g. `403` of a request that is to be refused."""
        self._expected.append(pattern)
        yield
        self.page.evaluate("() => 0")  # what the console said before has arrived with the answer
        self._expected.remove(pattern)

    def serious_faults(self, *rules: str) -> list[str]:
        """What axe-core finds on the page as it is now, against all of its rules or against these."""
        if not self.page.evaluate("() => 'axe' in window"):
            # As a function of the page: its policy forbids scripts of other origins, and evaluate is not under it.
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
        found = self.page.evaluate("options => axe.run(document, options)", options)["violations"]
        return [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in found
            if violation["impact"] in IS_SERIOUS
            for node in violation["nodes"]
        ]

    def settle(self) -> None:
        """Returns when the page has a head and nothing on it says that it loads."""
        self.page.wait_for_function(SETTLED)

    def layout_shift(self) -> float:
        """The cumulative layout shift since the page was loaded."""
        return float(sum(self.page.evaluate(SHIFTS)))

    def overflow(self) -> int:
        """How many pixels the page is wider than the window."""
        return int(self.page.evaluate("() => document.documentElement.scrollWidth - innerWidth"))

    def files_before_first_paint(self) -> list[str]:
        """What the page is made of; its first paint waits for no answer of the API."""
        self.page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
        names: list[str] = self.page.evaluate(BEFORE_FIRST_PAINT)
        return [name for name in names if "/api/" not in name]

    def check(self) -> None:
        """Nothing went wrong that no test expected; called at the end of each."""
        try:
            violations: list[Any] = self.page.evaluate("() => window.observed?.violations ?? []")
        except Error:  # the page was closed
            violations = []
        assert violations == []
        assert self.refused == []

    def _listen(self, message: ConsoleMessage) -> None:
        text = f"{message.type}: {message.text} {message.location.get('url', '')}"
        is_expected = any(re.search(pattern, text) for pattern in self._expected)
        if message.type in ("error", "warning") and not is_expected:
            self.refused.append(text)


type Visit = Callable[..., Visitor]
