"""Where the browser tests find no browser, one sentence says what to do."""

from pathlib import Path

import pytest

from chromium import NoBrowserError, provide_chromium


def pretend(program: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("SLUICE_TEST_CHROMIUM", str(program))


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "echo 'x: error while loading shared libraries: libnss3.so: cannot open it' >&2; exit 127",
            "needs libnss3.so, which this system lacks: install it",
        ),
        ("echo 'Illegal instruction' >&2; exit 132", r"does not start \(Illegal instruction\): install Chromium"),
        ("exit 1", r"does not start \(exit code 1\)"),
    ],
)
def test_what_does_not_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, sentence: str
) -> None:
    pretend(tmp_path / "chromium", script, monkeypatch)
    with pytest.raises(NoBrowserError, match=sentence) as refused:
        provide_chromium()
    assert "\n" not in str(refused.value)


def test_what_starts_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path / "chromium", "echo Chromium 153.0.1.2", monkeypatch)
    assert provide_chromium().program == tmp_path / "chromium"


def test_a_wrong_path_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_TEST_CHROMIUM", str(tmp_path / "none"))
    with pytest.raises(NoBrowserError, match="there is no"):
        provide_chromium()
