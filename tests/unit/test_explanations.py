"""The sentence that people read of an anomaly."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sluice.anomalies.explain import explain_anomaly
from sluice.anomalies.model import Kind
from sluice.anomalies.series import ALL, Episode, Series

ONSET = datetime(2026, 3, 19, 10, tzinfo=UTC)
WINDOW = ONSET, ONSET + timedelta(minutes=20)
SPIKE = Episode(ALL, ONSET, Kind.SPIKE, ONSET, WINDOW[1], 0.9, 400.0, 2.5, WINDOW, ONSET - timedelta(days=9))
COUNTS = "400 in 20 minutes, where about 2.5 were expected"
SPIKED = f"all logs: {COUNTS}: a sudden spike, since 2026-03-19 10:00"


@pytest.mark.parametrize(
    ("changes", "level", "templates", "options", "sentence"),
    [
        ({}, None, [], {}, SPIKED),
        ({"kind": Kind.SILENCE}, "ERROR", [], {}, f"ERROR logs: {COUNTS}: silence, since 2026-03-19 10:00"),
        ({}, None, ["a", "b"], {}, f"{SPIKED}; mostly “a”, “b”"),
        (
            {},
            None,
            [],
            {"others": 1, "version": "1.4"},
            f"{SPIKED}; 1 more rate changed with it; it began with version 1.4",
        ),
        (
            {"series": Series(template_id=7), "kind": Kind.NEW_TEMPLATE, "observed": 2.0},
            "ERROR",
            ["boom <*>", "a", "b", "c", "d"],
            {},
            "“boom <*>” (ERROR) was never seen before: twice since 2026-03-19 10:00; with “a”, “b”, “c” and 1 more",
        ),
        (
            {"series": Series(template_id=7), "kind": Kind.RARE_TEMPLATE, "observed": 1.0},
            None,
            ["cache rebuilt"],
            {},
            "“cache rebuilt” is hardly ever seen, and came once since 2026-03-19 10:00",
        ),
    ],
)
def test_it_says_what_came_what_was_expected_and_since_when(
    changes: dict[str, Any], level: str | None, templates: list[str], options: dict[str, Any], sentence: str
) -> None:
    assert explain_anomaly(replace(SPIKE, **changes), level, templates, **options) == sentence
