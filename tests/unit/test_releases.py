"""Which logs of versions are compared, and what is made of their counts."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sluice.anomalies.changes import ChangeKind
from sluice.errors import RejectedInput
from sluice.releases.compare import LOOKBACK, Comparison, choose, compare
from sluice.releases.model import Counted, Release
from sluice.releases.query import parse_diff

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hour: int) -> datetime:
    return MIDNIGHT + hour * HOUR


def release(release_id: int, version: str, hours: Iterable[int], service: str = "cart", logs: int = 100) -> Release:
    return Release(release_id, service, version, {at(hour): logs for hour in hours})


OLD, FORMER, NEW, LATER = (
    release(1, "1.0", range(200)),
    release(2, "1.1", range(200, 260)),
    release(3, "1.2", range(250, 270)),
    release(4, "1.3", range(265, 300)),
)
RELEASES = [OLD, FORMER, NEW, LATER]


def versions(comparison: Comparison) -> list[str]:
    return [found.version for found in comparison.before]


def test_a_version_is_compared_with_the_earlier_ones_of_the_last_week() -> None:
    version, (comparison,) = choose(RELEASES, "1.2", None, None)
    assert (version, versions(comparison), comparison.after) == ("1.2", ["1.0", "1.1"], (NEW,))
    assert comparison.since == at(250) - LOOKBACK
    assert comparison.service == "cart"


def test_without_a_version_it_is_the_latest() -> None:
    assert choose(RELEASES, None, None, None)[0] == "1.3"


def test_the_week_ends_when_the_earlier_versions_stopped() -> None:
    _, (comparison,) = choose([OLD, LATER], "1.3", None, None)
    assert comparison.since == at(200) - LOOKBACK


def test_a_version_against_any_other() -> None:
    _, (comparison,) = choose(RELEASES, "1.0", "1.3", None)
    assert (versions(comparison), comparison.since) == (["1.3"], None)


def test_services_are_compared_with_themselves() -> None:
    others = [release(5, "7", range(100), "mail"), release(6, "1.2", range(90, 120), "mail")]
    _, comparisons = choose([*RELEASES, *others, release(7, "9", range(300), "search")], "1.2", None, None)
    assert {found.service: versions(found) for found in comparisons} == {"cart": ["1.0", "1.1"], "mail": ["7"]}
    _, (comparison,) = choose([*RELEASES, *others], "1.2", None, "mail")
    assert comparison.service == "mail"


def test_without_an_earlier_version_logs_that_have_none_are_compared() -> None:
    _, (comparison,) = choose([release(2, "2.0", range(40, 50)), release(3, "2.1", range(45, 60))], "2.0", None, None)
    assert (comparison.before, comparison.since, comparison.until) == ((), at(40) - LOOKBACK, at(40))


@pytest.mark.parametrize(
    ("version", "against", "service", "unknown"),
    [("9", None, None, "9"), ("1.2", "9", None, "9"), ("1.2", None, "mail", "1.2")],
)
def test_versions_that_no_log_has(version: str, against: str | None, service: str | None, unknown: str) -> None:
    with pytest.raises(RejectedInput, match=f"has version {unknown!r}") as caught:
        choose(RELEASES, version, against, service)
    assert (caught.value.code, caught.value.status) == ("unknown_version", 404)


def test_a_stray_clock_makes_no_version_older() -> None:
    stray = Release(3, "cart", "1.2", {**NEW.hours, at(0): 1, at(9_000): 1})
    assert (stray.first, stray.until) == (NEW.first, NEW.until)
    _, (comparison,) = choose([OLD, FORMER, stray], "1.2", None, None)
    assert versions(comparison) == ["1.0", "1.1"]
    few = Release(4, "cart", "1.2", {at(3): 1})
    assert (few.first, few.until) == (at(3), at(4))


def counted(template_id: int, before: int, after: int, **others: Any) -> Counted:
    values = {"alike": before, "ever": before, "first_after": at(1) if after else None, "last_before": None}
    return Counted(template_id, 0, before, after=after, **values | others)


def found(*counts: Counted) -> dict[int, ChangeKind]:
    outcome = compare(counts, {number: number for number in range(1, 100)}, {})
    return {change.template_id: change.kind for change in outcome.changes}


STEADY = [counted(number, 10_000, 500) for number in range(1, 6)]


def test_what_a_version_changed_whatever_its_traffic() -> None:
    changed = [counted(10, 4_000, 0), counted(11, 100, 400), counted(12, 0, 3), counted(13, 8_000, 40)]
    assert found(*STEADY, *changed) == {
        10: ChangeKind.GONE,
        11: ChangeKind.MORE,
        12: ChangeKind.ADDED,
        13: ChangeKind.LESS,
    }


def test_one_template_that_comes_all_the_time_makes_no_other_rarer() -> None:
    assert found(*STEADY, counted(10, 0, 50_000)) == {10: ChangeKind.ADDED}
    assert found(*STEADY, counted(10, 90_000, 0)) == {10: ChangeKind.GONE}


def test_what_runs_at_night_is_not_gone_at_noon() -> None:
    assert found(*STEADY, counted(10, 4_000, 0, alike=0)) == {}
    assert found(*STEADY, counted(10, 4_000, 0)) == {10: ChangeKind.GONE}


def test_few_logs_at_the_same_hours_tell_nothing() -> None:
    steady = [counted(number, 10_000, 500, alike=2) for number in range(1, 6)]
    assert found(*steady, counted(10, 4_000, 0, alike=0)) == {10: ChangeKind.GONE}


def test_what_came_long_ago_is_not_new() -> None:
    assert found(*STEADY, counted(10, 0, 1, ever=1)) == {}
    assert found(*STEADY, counted(10, 0, 900, ever=1)) == {10: ChangeKind.MORE}


def test_templates_that_are_one_by_now_count_together() -> None:
    counts = [*STEADY, counted(10, 4_000, 0), counted(11, 0, 200), Counted(0, 77, 5, 5, 5, 5, None, None)]
    roots = {number: number for number in range(1, 11)} | {11: 10}
    outcome = compare(counts, roots, {})
    assert (outcome.changes, outcome.unclustered) == ((), 10)
    assert (outcome.logs_before, outcome.logs_after, outcome.traffic) == (54_000, 2_700, 0.05)
    assert compare(counts, roots, {77: 3}).unclustered == 0


def test_whole_hours_hold_the_times_that_are_asked_for() -> None:
    query = parse_diff({"since": "2026-03-02T03:59:59Z", "until": "2026-03-02T04:00:01Z"}, MIDNIGHT)
    assert (query.since, query.until) == (at(3), at(5))
    assert parse_diff({"until": "2026-03-02T04:00:00Z"}, MIDNIGHT).until == at(4)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"version": "1", "against": "1"}, "invalid_against"),
        ({"version": "x" * 257}, "invalid_version"),
        ({"against": "a\0b"}, "invalid_against"),
        ({"service": "\ud800"}, "invalid_service"),
        ({"since": "later"}, "invalid_since"),
        ({"since": "2026-03-02T04:00:00Z", "until": "2026-03-02T04:00:00Z"}, "invalid_since"),
        ({"until": "9999-12-31T23:59:59Z"}, "invalid_until"),
        ({"size": "1"}, "unknown_parameter"),
    ],
)
def test_questions_that_mean_nothing(parameters: dict[str, str], code: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        parse_diff(parameters, MIDNIGHT)
    assert caught.value.code == code
