"""`sluice retention`: what is asked of functions/admin, and what the operator sees."""

from typing import Any

import pytest

from unit.cli.platform import Platform
from unit.cli.playback import Answer, Playback
from unit.cli.test_commands import sluice

LONG = {"name": "long", "hot_days": 90, "is_archived": True, "archive_days": 730, "application_count": 2}
SHOP = {"application": "shop", "retention_class": "standard", "levels": {"ERROR": "long"}}


def asked(server: Playback, answer: dict[str, Any], *arguments: str) -> tuple[dict[str, Any], str]:
    """The event of a command, and what it prints."""
    server.answers(Answer(200, answer))
    result = sluice("retention", *arguments)
    assert result.exit_code == 0, result.stderr
    event: dict[str, Any] = server.requests[-1].json()
    return event, result.stdout


def test_classes_are_listed(platform: Platform, server: Playback) -> None:
    forever = LONG | {"name": "audit", "archive_days": None}
    gone = LONG | {"name": "short", "is_archived": False, "archive_days": None}
    _, shown = asked(server, {"retention_classes": [LONG, forever, gone]}, "list")
    assert [" ".join(line.split()) for line in shown.splitlines()[-3:]] == [
        *("long 90 archived up to day 730 2", "audit 90 archived 2", "short 90 deleted 2")
    ]


@pytest.mark.parametrize(
    ("options", "members"),
    [
        (("--hot", "90", "--archive", "730"), {"hot_days": 90, "archive_days": 730}),
        (("--hot", "90", "--archive", "0"), {"hot_days": 90, "archive_days": None}),
        (("--hot", "2", "--deleted"), {"hot_days": 2, "is_archived": False}),
    ],
)
@pytest.mark.parametrize("verb", ["create", "change"])
def test_classes_are_written(
    platform: Platform, server: Playback, verb: str, options: tuple[str, ...], members: dict[str, Any]
) -> None:
    event, shown = asked(server, {"retention_class": LONG}, verb, "long", *options)
    assert event == {"action": f"{verb}_retention_class", "name": "long", **members}
    assert shown == "long: 90 days in the log table, then archived up to day 730\n"


@pytest.mark.parametrize(
    ("arguments", "members"),
    [
        (("long",), {"retention_class": "long"}),
        (("long", "--level", "error", "--level", "CRITICAL"), {"levels": {"ERROR": "long", "CRITICAL": "long"}}),
        (("-", "--level", "error"), {"levels": {"ERROR": None}}),
    ],
)
def test_applications_and_levels_are_assigned(
    platform: Platform, server: Playback, arguments: tuple[str, ...], members: dict[str, Any]
) -> None:
    event, shown = asked(server, {"retention": SHOP}, "assign", "shop", *arguments)
    assert event == {"action": "change_retention", "application": "shop", **members}
    assert shown == "shop: standard\n  ERROR: long\n"


@pytest.mark.parametrize("arguments", [("change", "long"), ("assign", "shop", "-")], ids=" ".join)
def test_what_says_nothing_is_refused(platform: Platform, arguments: tuple[str, ...]) -> None:
    assert sluice("retention", *arguments).exit_code == 2
