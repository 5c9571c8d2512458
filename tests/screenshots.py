"""`make screenshots`: pictures of every page and state, light and dark, wide and narrow, in build/screenshots.

Run after `make demo`, which leaves an address, a key and logs. ONLY=word takes those whose names hold it.
"""

import os
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from chromium import BUILD, provide_chromium
from scenes import SCENES, Place, Scene, show
from visitor import LOOKS, Theme, Visitor

FOLDER = BUILD / "screenshots"
SETTLED_MILLISECONDS = 700
DEMO = Place("demo", "logs?since=-3h&q=has%3Aservice")


def main() -> None:
    """Takes them all; prints where they are."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    chromium = provide_chromium()
    wanted = [scene for scene in SCENES if os.environ.get("ONLY", "") in scene.__name__]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.program, env={**os.environ, **chromium.environment}
        )
        for size, theme in LOOKS:
            take(browser, wanted, size, theme)
        browser.close()
    print(f"{len(wanted) * len(LOOKS)} pictures in {FOLDER.relative_to(Path.cwd())}")


def take(browser: Browser, scenes: list[Scene], size: ViewportSize, theme: Theme) -> None:
    """A picture of each scene in one look, once it has settled."""
    context = browser.new_context(viewport=size, color_scheme=theme, locale="en-GB", timezone_id="UTC")
    visitor = Visitor(context.new_page(), os.environ["SLUICE_URL"])
    visitor.sign_in(os.environ["SLUICE_API_KEY"])
    for scene in scenes:
        visitor.open("nowhere")
        show(scene, visitor, DEMO)
        visitor.page.wait_for_timeout(SETTLED_MILLISECONDS)
        name = scene.__name__.replace("_", "-")
        visitor.page.screenshot(path=FOLDER / f"{name}-{size['width']}-{theme}.png")
    context.close()


if __name__ == "__main__":
    main()
