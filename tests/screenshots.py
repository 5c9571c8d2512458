"""`make screenshots`: every page of the running dashboard, light and dark, wide and narrow, in build/screenshots.

Run after `make demo`, which leaves an address, a key and logs.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from chromium import BUILD, provide_chromium
from visitor import LOOKS, Visitor

FOLDER = BUILD / "screenshots"
SETTLED_MILLISECONDS = 700


@dataclass(frozen=True)
class Camera:
    """Takes pictures of a page once it has settled; their names end in `look`."""

    page: Page
    look: str

    def take(self, name: str) -> None:
        self.page.wait_for_timeout(SETTLED_MILLISECONDS)
        self.page.screenshot(path=FOLDER / f"{name}-{self.look}.png")


def main() -> None:
    """Takes them all; prints where they are."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    chromium = provide_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.program, env={**os.environ, **chromium.environment}
        )
        for size, theme in LOOKS:
            context = browser.new_context(viewport=size, color_scheme=theme, locale="en-GB", timezone_id="UTC")
            visitor = Visitor(context.new_page(), os.environ["SLUICE_URL"])
            look(visitor, Camera(visitor.page, f"{size['width']}-{theme}"))
            context.close()
        browser.close()
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER.relative_to(Path.cwd())}")


def look(visitor: Visitor, camera: Camera) -> None:
    """Opens page after page."""
    visitor.open()
    visitor.page.get_by_role("heading", name="Sign in").wait_for()
    camera.take("signin")
    visitor.sign_in(os.environ["SLUICE_API_KEY"], "logs?since=-24h")
    camera.take("logs")
    fragments = {"applications": "applications", "application": "applications/demo", "pipeline": "pipeline"}
    for name, fragment in fragments.items():
        visitor.go(fragment)
        camera.take(name)
    visitor.page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    camera.take("pipeline-end")
    visitor.page.keyboard.press("?")
    camera.take("shortcuts")


if __name__ == "__main__":
    main()
