"""`sluice change-template`: what is asked of functions/admin."""

from typing import Any

import pytest

from unit.cli.platform import Platform
from unit.cli.playback import Playback
from unit.cli.test_commands import sluice


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["--split"], {"split": True}),
        (["--unsplit"], {"split": False}),
        (["--name", "Declined", "--ignore"], {"name": "Declined", "ignored": True}),
        (["--name", "", "--show"], {"name": None, "ignored": False}),
        (["--merge-into", "4"], {"merged_into": 4}),
        (["--part"], {"merged_into": None}),
    ],
)
def test_a_template_is_changed(
    server: Playback, platform: Platform, arguments: list[str], asked: dict[str, Any]
) -> None:
    result = sluice("change-template", "17", *arguments)
    assert result.exit_code == 0, result.stderr
    assert server.requests[-1].json() == {"action": "change_template", "id": 17, **asked}
    assert "Template 17 is changed" in result.stdout


@pytest.mark.parametrize("arguments", [[], ["--part", "--merge-into", "4"]])
def test_a_change_that_means_nothing_is_not_asked_for(server: Playback, arguments: list[str]) -> None:
    assert sluice("change-template", "17", *arguments).exit_code == 2
    assert server.requests == []
