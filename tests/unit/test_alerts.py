"""Alert rules: windows, verdicts, states, corrections, and the words for them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from fakes import NOON
from fakes.alerts import MemoryLogSource
from sluice.alerts.backtest import PIECE, Resume, begin, read_resume, replay, resume_document
from sluice.alerts.defaults import DEFAULT_RULES
from sluice.alerts.evaluate import LATEST, Outcome, evaluate
from sluice.alerts.judge import judge
from sluice.alerts.model import Episode, EventKind, Group, GroupState, Kind, Observation, Rule, Spec
from sluice.alerts.parse import members_of, read_rule, read_spec
from sluice.alerts.payload import query_of, tell
from sluice.alerts.ports import Due, KnownIncident, Novelty
from sluice.alerts.state import run
from sluice.alerts.watermark import SETTLING, watermark
from sluice.alerts.windows import ends, last_end, sums, touched_ends
from sluice.entries.model import Level
from sluice.errors import RejectedInput
from sluice.search.language import parse_condition

MINUTE = timedelta(minutes=1)
MORE_THAN_5 = Spec(Kind.THRESHOLD, "level:>=error", window_seconds=60, above=5)


def minutes(first: int, last: int) -> list[datetime]:
    """Ends of windows, in minutes from noon, both included."""
    return [NOON + number * MINUTE for number in range(first, last + 1)]


class Watched:
    """A rule, its logs, and what it is at: as the store keeps it from run to run."""

    def __init__(self, spec: Spec, evaluated_until: datetime | None = NOON) -> None:
        rule = Rule(7, 1, "shop", "Errors", spec)
        self.due = Due(rule, evaluated_until, NOON - timedelta(days=9))
        self.source = MemoryLogSource()
        self.told: list[tuple[str, str | None]] = []
        self._ids = count(1)

    def run(self, until: datetime, *late: datetime) -> Outcome:
        due = replace(self.due, late_minutes=late)
        outcome = evaluate(due, self.source, until, lambda: f"incident-{next(self._ids)}")
        incidents = {one.incident_id: one for one in self.due.incidents}
        for change in outcome.changes:
            assert change.is_new == (change.incident.incident_id not in incidents)
            incidents[change.incident.incident_id] = change.incident
            if change.is_withdrawn:
                del incidents[change.incident.incident_id]
        self.due = replace(
            due, evaluated_until=outcome.evaluated_until, states=outcome.states, incidents=tuple(incidents.values())
        )
        self.told += [(change.kind.value, change.was) for change in outcome.changes]
        return outcome

    def errors(self, minute: float, number: int) -> None:
        """Errors within the window that ends at this many minutes from noon."""
        self.source.add(NOON + (minute - 0.5) * MINUTE, number, Level.ERROR)


def test_windows_end_at_steps_of_a_fixed_clock() -> None:
    assert last_end(NOON + timedelta(seconds=59), MINUTE) == NOON
    assert ends(NOON, NOON + 3 * MINUTE, MINUTE) == minutes(1, 3)
    assert ends(NOON + timedelta(seconds=1), NOON + timedelta(seconds=59), MINUTE) == []
    assert Spec(Kind.THRESHOLD, window_seconds=10).step == timedelta(seconds=10)
    assert Spec(Kind.THRESHOLD, window_seconds=600).step == MINUTE
    assert Spec(Kind.THRESHOLD, window_seconds=86_400).step == 24 * MINUTE


def test_sums_over_windows() -> None:
    counts = {NOON: 1, NOON + MINUTE: 2, NOON + 3 * MINUTE: 8, NOON + 4 * MINUTE: 100}
    assert sums(counts, minutes(1, 5), 2 * MINUTE, MINUTE) == [1, 3, 2, 8, 108]
    assert sums(counts, [], MINUTE, MINUTE) == []


def test_touched_windows_are_those_that_hold_the_minute() -> None:
    (stretch,) = touched_ends([NOON], 5 * MINUTE, MINUTE, NOON - LATEST, NOON + 60 * MINUTE)
    assert stretch == (NOON + MINUTE, NOON + 5 * MINUTE)
    one, other = touched_ends([NOON, NOON + 20 * MINUTE], MINUTE, MINUTE, NOON - LATEST, NOON + 60 * MINUTE)
    assert (one, other) == ((NOON + MINUTE,) * 2, (NOON + 21 * MINUTE,) * 2)
    assert touched_ends([NOON], MINUTE, MINUTE, NOON - LATEST, NOON) == []
    assert touched_ends([NOON], MINUTE, MINUTE, NOON + MINUTE, NOON + 60 * MINUTE) == []


def test_the_watermark_waits_for_the_oldest_entry() -> None:
    assert watermark(NOON, [None, None]) == NOON - SETTLING
    assert watermark(NOON, [3.0, None, 60.0]) == NOON - MINUTE - SETTLING


def seen(*verdicts: str) -> list[Observation]:
    """! for a breach, - for clear, ~ for neither, a minute apart."""
    return [
        Observation(at, 1.0, 0.0, one == "!", one == "-") for at, one in zip(minutes(1, 99), verdicts, strict=False)
    ]


@pytest.mark.parametrize(
    ("verdicts", "lasting", "episodes"),
    [
        ("--!!--", 0, [(3, 5)]),
        ("!", 0, [(1, None)]),
        ("--!!!--!-", 2, [(5, 6)]),
        ("!!-!!!", 2, [(6, None)]),
        ("!~~-!", 0, [(1, 4), (5, None)]),
        ("~~!~", 1, []),
        ("------", 0, []),
    ],
)
def test_states(verdicts: str, lasting: int, episodes: list[Any]) -> None:
    _, found = run((), None, seen(*verdicts), lasting * MINUTE)

    def number(at: datetime | None) -> int | None:
        return None if at is None else (at - NOON) // MINUTE

    assert [(number(one.opened_at), number(one.resolved_at)) for one in found] == episodes


def test_an_episode_goes_on_from_run_to_run() -> None:
    state, (episode,) = run((), GroupState(NOON, is_firing=True), seen("!", "-"), MINUTE)
    assert (state, episode.opened_at, episode.resolved_at) == (None, None, NOON + 2 * MINUTE)


def test_fires_and_resolves_once() -> None:
    watched = Watched(MORE_THAN_5)
    watched.errors(2, 6)
    watched.errors(3, 9)
    for minute in range(1, 7):
        watched.run(NOON + minute * MINUTE)
    assert watched.told == [("firing", None), ("resolved", None)]
    (incident,) = watched.due.incidents
    assert (incident.opened_at, incident.resolved_at) == (NOON + 2 * MINUTE, NOON + 4 * MINUTE)


def test_a_limit_itself_is_no_breach_and_hysteresis_holds_an_incident_open() -> None:
    watched = Watched(replace(MORE_THAN_5, resolve_below=3))
    for minute, number in enumerate([5, 6, 5, 3, 2], 1):
        watched.errors(minute, number)
    watched.run(NOON + 5 * MINUTE)
    (incident,) = watched.due.incidents
    assert (incident.opened_at, incident.resolved_at) == (NOON + 2 * MINUTE, NOON + 5 * MINUTE)


def test_a_rule_begins_with_its_next_window() -> None:
    watched = Watched(MORE_THAN_5, evaluated_until=None)
    watched.errors(1, 100)
    assert watched.run(NOON + MINUTE).window_count == 0
    watched.errors(2, 100)
    watched.run(NOON + 2 * MINUTE)
    assert watched.told == [("firing", None)]


def test_a_stopped_watch_catches_up_in_pieces() -> None:
    watched = Watched(MORE_THAN_5)
    watched.errors(100, 9)
    until = NOON + 500 * MINUTE
    windows = [watched.run(until).window_count for _ in range(4)]
    assert windows == [240, 240, 20, 0]
    assert watched.told == [("firing", None), ("resolved", None)]


class TestLateLogs:
    """An hour of windows is judged; then come logs of before."""

    @pytest.fixture
    def watched(self) -> Watched:
        watched = Watched(MORE_THAN_5)
        watched.errors(10, 9)
        watched.run(NOON + 60 * MINUTE)
        assert watched.told == [("firing", None), ("resolved", None)]
        watched.told.clear()
        return watched

    def test_a_missed_episode_is_told(self, watched: Watched) -> None:
        watched.errors(30, 20_000)
        outcome = watched.run(NOON + 60 * MINUTE, NOON + 29 * MINUTE)
        assert watched.told == [("corrected", "ok")]
        (change,) = outcome.changes
        assert (change.seen.value, change.seen.at) == (20_000, NOON + 30 * MINUTE)
        assert change.incident.resolved_at == NOON + 31 * MINUTE
        assert outcome.states == {}
        watched.run(NOON + 60 * MINUTE, NOON + 29 * MINUTE)
        assert len(watched.told) == 1

    def test_what_changes_no_verdict_is_not_told(self, watched: Watched) -> None:
        watched.errors(30, 3)
        watched.errors(10, 30)
        assert watched.run(NOON + 61 * MINUTE, NOON + 29 * MINUTE, NOON + 9 * MINUTE).changes == []

    def test_an_incident_that_never_was_is_withdrawn(self) -> None:
        silent = Watched(Spec(Kind.ABSENCE, "", window_seconds=300))
        silent.source.add(NOON)
        silent.run(NOON + 30 * MINUTE)
        assert silent.told == [("firing", None)]
        for minute in range(30):
            silent.source.add(NOON + minute * MINUTE)
        outcome = silent.run(NOON + 30 * MINUTE, *(NOON + minute * MINUTE for minute in range(30)))
        assert silent.told == [("firing", None), ("corrected", "firing")]
        assert outcome.changes[0].is_withdrawn
        assert outcome.states == {}
        assert silent.due.incidents == ()

    def test_logs_that_are_a_little_late_make_it_fire_still(self, watched: Watched) -> None:
        watched.errors(60, 9)
        outcome = watched.run(NOON + 60 * MINUTE, NOON + 59 * MINUTE)
        assert watched.told == [("firing", "ok")]
        assert outcome.states == {(): GroupState(NOON + 60 * MINUTE, is_firing=True)}
        watched.run(NOON + 61 * MINUTE)
        assert watched.told == [("firing", "ok"), ("resolved", None)]

    def test_pending_windows_around_the_late_ones_count(self) -> None:
        watched = Watched(replace(MORE_THAN_5, for_seconds=120))
        watched.errors(10, 9)
        watched.errors(12, 9)
        watched.run(NOON + 60 * MINUTE)
        assert watched.told == []
        watched.errors(11, 9)
        watched.run(NOON + 60 * MINUTE, NOON + 10 * MINUTE)
        assert watched.told == [("corrected", "ok")]
        (incident,) = watched.due.incidents
        assert (incident.opened_at, incident.resolved_at) == (NOON + 12 * MINUTE, NOON + 13 * MINUTE)

    def test_what_fired_right_before_the_late_logs_stays(self) -> None:
        """It was pending before the windows that are looked at again."""
        watched = Watched(replace(MORE_THAN_5, window_seconds=120, for_seconds=60))
        watched.errors(25, 9)
        watched.run(NOON + 60 * MINUTE)
        told = [("firing", None), ("resolved", None)]
        assert watched.told == told
        watched.errors(27, 1)
        watched.run(NOON + 60 * MINUTE, NOON + 26 * MINUTE)
        assert watched.told == told

    def test_an_end_that_never_came_is_taken_back(self) -> None:
        """Between its limits the value stays there to the present: one window decides all that follow."""
        watched = Watched(replace(MORE_THAN_5, resolve_below=3))
        for minute in range(1, 61):
            watched.errors(minute, 4)
        watched.run(NOON + 60 * MINUTE)
        assert watched.told == []
        watched.errors(5, 10)
        watched.run(NOON + 60 * MINUTE, NOON + 4 * MINUTE)
        assert watched.told == [("firing", "ok")]
        (incident,) = watched.due.incidents
        assert (incident.opened_at, incident.resolved_at) == (NOON + 5 * MINUTE, None)

    def test_logs_of_yesterday_are_too_late(self, watched: Watched) -> None:
        watched.errors(-1440, 9)
        assert watched.run(NOON + 60 * MINUTE, NOON - 1441 * MINUTE).changes == []


def test_what_is_older_than_the_rule_is_no_business_of_it() -> None:
    watched = Watched(MORE_THAN_5)
    watched.due = replace(watched.due, begun_at=NOON)
    watched.run(NOON + 5 * MINUTE)
    watched.errors(0, 9)
    watched.errors(1, 9)
    watched.run(NOON + 5 * MINUTE, NOON - MINUTE, NOON)
    assert watched.told == [("corrected", "ok")]
    assert watched.due.incidents[0].opened_at == NOON + MINUTE


def observed(spec: Spec, source: MemoryLogSource, points: Sequence[datetime], group: Group = ()) -> list[Observation]:
    return judge(spec, source, points).observations[group]


def breaches(spec: Spec, source: MemoryLogSource, points: Sequence[datetime], group: Group = ()) -> list[int]:
    """Of which windows, in minutes from noon."""
    return [(one.at - NOON) // MINUTE for one in observed(spec, source, points, group) if one.is_breach]


def test_a_rate_is_a_count_per_time() -> None:
    source = MemoryLogSource()
    source.add(NOON, 60)
    (one,) = observed(Spec(Kind.THRESHOLD, window_seconds=120, per_seconds=60, above=29.5), source, minutes(2, 2))
    assert (one.value, one.is_breach) == (30.0, True)


def test_too_few() -> None:
    source = MemoryLogSource()
    source.add(NOON + MINUTE, 10)
    spec = Spec(Kind.THRESHOLD, window_seconds=60, below=5, resolve_above=9)
    assert breaches(spec, source, minutes(1, 3)) == [1, 3]
    assert [one.is_clear for one in observed(spec, source, minutes(1, 3))] == [False, True, False]


def test_a_share_needs_enough_logs() -> None:
    source = MemoryLogSource()
    for minute, (bad, good) in enumerate([(2, 18), (3, 17), (5, 5)]):
        source.add(NOON + minute * MINUTE, bad, Level.ERROR)
        source.add(NOON + minute * MINUTE, good)
    spec = Spec(Kind.RATIO, "level:>=error", window_seconds=60, above=0.1, min_count=20)
    one, other, few = observed(spec, source, minutes(1, 3))
    assert (one.value, one.is_breach, other.value, other.is_breach) == (0.1, False, 0.15, True)
    assert (few.value, few.is_breach, few.is_clear) == (None, False, True)


def test_groups_are_judged_each_by_itself() -> None:
    source = MemoryLogSource()
    source.add(NOON, 6, host="a")
    source.add(NOON, 4, host="b")
    spec = Spec(Kind.THRESHOLD, window_seconds=60, above=5, group_by=("host",))
    judged = judge(spec, source, minutes(1, 2), {("gone",)})
    assert judged.observations.keys() == {("a",), ("b",), ("gone",)}
    assert breaches(spec, source, minutes(1, 2), ("a",)) == [1]
    assert not judged.is_cut


def test_too_many_groups_are_cut_to_the_largest() -> None:
    source = MemoryLogSource()
    for number in range(150):
        source.add(NOON, number + 1, host=f"{number}")
    spec = Spec(Kind.THRESHOLD, window_seconds=60, above=5, group_by=("host",))
    judged = judge(spec, source, minutes(1, 1), {("0",)})
    assert judged.is_cut
    assert len(judged.observations) == 100
    assert ("0",) in judged.observations
    assert ("149",) in judged.observations
    assert ("1",) not in judged.observations


class TestAbsence:
    """Silence, where something came before."""

    SPEC = Spec(Kind.ABSENCE, window_seconds=300, baseline_seconds=3_600)

    def test_fires_for_what_came_before_and_never_without(self) -> None:
        source = MemoryLogSource()
        assert breaches(self.SPEC, source, minutes(1, 90)) == []
        source.add(NOON)
        assert breaches(self.SPEC, source, minutes(1, 90)) == list(range(6, 66))
        source.add(NOON + 20 * MINUTE)
        clear = [one.is_clear for one in observed(self.SPEC, source, minutes(20, 22))]
        assert clear == [False, True, True]

    def test_whoever_sends_now_and_then_may_be_silent(self) -> None:
        steady = replace(self.SPEC, is_steady=True)
        source = MemoryLogSource()
        for minute in range(-70, 1):
            source.add(NOON + minute * MINUTE)
        assert breaches(steady, source, minutes(1, 20))[:2] == [6, 7]
        source.logs = [log for log in source.logs if not -30 * MINUTE < log[0] - NOON < -20 * MINUTE]
        assert breaches(steady, source, minutes(1, 20)) == []

    def test_reads_the_time_before_only_if_something_is_missing(self) -> None:
        source = MemoryLogSource()
        source.add(NOON)
        assert breaches(self.SPEC, source, minutes(1, 3)) == []
        assert len(source.asked) == 1

    def test_a_group_that_went_silent(self) -> None:
        spec = replace(self.SPEC, group_by=("host",))
        source = MemoryLogSource()
        for minute in range(10):
            source.add(NOON + minute * MINUTE, host="a")
        source.add(NOON, host="b")
        assert breaches(spec, source, minutes(10, 10), ("b",)) == [10]
        assert breaches(spec, source, minutes(10, 10), ("a",)) == []


def test_a_template_is_new_after_the_learning_time() -> None:
    source = MemoryLogSource(templates=[Novelty(1, "started", NOON), Novelty(2, "soon", NOON + 5 * MINUTE)])
    source.templates.append(Novelty(3, "out of memory", NOON + 100 * MINUTE))
    for template_id, minute in ((1, 0), (2, 5), (3, 100)):
        source.add(NOON + minute * MINUTE, 2, Level.ERROR, template_id)
    spec = Spec(Kind.NEW_TEMPLATE, "level:>=error", window_seconds=600, learning_seconds=3_600)
    judged = judge(spec, source, minutes(101, 112))
    assert judged.observations.keys() == {("3",)}
    assert breaches(spec, source, minutes(101, 112), ("3",)) == list(range(101, 111))
    assert judge(replace(spec, learning_seconds=0), source, minutes(6, 7)).observations.keys() == {("1",), ("2",)}
    assert breaches(replace(spec, min_count=3), source, minutes(101, 112), ("3",)) == []
    assert breaches(replace(spec, query="level:<error"), source, minutes(101, 112), ("3",)) == []


class TestRateChange:
    """Far more or less than earlier."""

    SPEC = Spec(Kind.RATE_CHANGE, window_seconds=300, factor=2, min_count=20)

    @pytest.fixture
    def source(self) -> MemoryLogSource:
        source = MemoryLogSource(templates=[Novelty(1, "x", NOON - timedelta(days=9))])
        for minute in range(-15, 10):
            source.add(NOON + minute * MINUTE, 100 if minute < 5 else 260)
        return source

    def test_more_than_before(self, source: MemoryLogSource) -> None:
        assert breaches(self.SPEC, source, minutes(1, 10)) == [9, 10]
        ten = observed(self.SPEC, source, minutes(10, 10))[0]
        assert (ten.value, ten.limit) == (1_300, 500)
        assert breaches(replace(self.SPEC, factor=3), source, minutes(1, 10)) == []
        assert breaches(replace(self.SPEC, direction="below"), source, minutes(1, 10)) == []

    def test_less_than_before(self, source: MemoryLogSource) -> None:
        spec = replace(self.SPEC, direction="both")
        assert breaches(spec, source, minutes(11, 16)) == [14, 15, 16]

    def test_what_was_so_yesterday_too_is_no_change(self, source: MemoryLogSource) -> None:
        spec = replace(self.SPEC, against=("previous", "day"))
        assert breaches(spec, source, minutes(1, 10)) == [9, 10]
        for minute in range(-15, 10):
            source.add(NOON + minute * MINUTE - timedelta(days=1), 100 if minute < 5 else 260)
        assert breaches(spec, source, minutes(1, 10)) == []

    def test_chance_is_no_change(self) -> None:
        source = MemoryLogSource(templates=[Novelty(1, "x", NOON - timedelta(days=9))])
        source.add(NOON, 10)
        source.add(NOON + MINUTE, 25)
        assert breaches(replace(self.SPEC, window_seconds=60), source, minutes(2, 2)) == []
        source.add(NOON + MINUTE, 35)
        assert breaches(replace(self.SPEC, window_seconds=60), source, minutes(2, 2)) == [2]

    def test_a_time_before_the_first_log_is_nothing_to_compare_with(self, source: MemoryLogSource) -> None:
        source.templates[:] = [Novelty(1, "x", NOON + MINUTE)]
        assert breaches(self.SPEC, source, minutes(1, 10)) == []


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, "invalid_name"),
        ({"name": "x"}, "invalid_above"),
        ({"name": "x", "above": 1, "below": 1}, "invalid_above"),
        ({"name": "x", "above": "1"}, "invalid_above"),
        ({"name": "x", "above": True}, "invalid_above"),
        ({"name": "x", "above": float("inf")}, "invalid_above"),
        ({"name": "x", "above": -1}, "invalid_above"),
        ({"name": "x", "above": 1, "kind": "magic"}, "invalid_kind"),
        ({"name": "x", "above": 1, "kind": []}, "invalid_kind"),
        ({"name": "x", "above": 1, "query": "level:"}, "invalid_query"),
        ({"name": "x", "above": 1, "query": 1}, "invalid_query"),
        ({"name": "x", "above": 1, "window_seconds": 90}, "invalid_window_seconds"),
        ({"name": "x", "above": 1, "window_seconds": 5_400}, "invalid_window_seconds"),
        ({"name": "x", "above": 1, "window_seconds": 0}, "invalid_window_seconds"),
        ({"name": "x", "above": 1, "window_seconds": True}, "invalid_window_seconds"),
        ({"name": "x", "above": 1, "for_seconds": -1}, "invalid_for_seconds"),
        ({"name": "x", "above": 1, "group_by": ["application"]}, "invalid_group_by"),
        ({"name": "x", "above": 1, "group_by": ["metadata."]}, "invalid_group_by"),
        ({"name": "x", "above": 1, "group_by": ["metadata.\x00"]}, "invalid_group_by"),
        ({"name": "x", "above": 1, "group_by": ["host", "service", "version", "level"]}, "invalid_group_by"),
        ({"name": "x", "above": 1, "resolve_below": 2}, "invalid_resolve_below"),
        ({"name": "x", "below": 1, "resolve_below": 0}, "invalid_resolve_below"),
        ({"name": "x", "below": 1, "resolve_above": 0}, "invalid_resolve_above"),
        ({"name": "x", "above": 1, "per": "day"}, "invalid_per"),
        ({"name": "x", "above": 1, "severity": "bad"}, "invalid_severity"),
        ({"name": "x", "above": 1, "labels": {"team": 1}}, "invalid_labels"),
        ({"name": "x", "above": 1, "labels": []}, "invalid_labels"),
        ({"name": "x", "above": 1, "enabled": "yes"}, "invalid_enabled"),
        ({"name": "x", "above": 1, "factor": 2}, "unknown_field"),
        ({"name": "x\n", "above": 1}, "invalid_name"),
        ({"name": "x", "kind": "ratio", "above": 5}, "invalid_above"),
        ({"name": "x", "kind": "absence", "above": 5}, "unknown_field"),
        ({"name": "x", "kind": "absence", "window_seconds": 7_200, "baseline_seconds": 60}, "invalid_baseline_seconds"),
        ({"name": "x", "kind": "rate_change", "against": ["month"]}, "invalid_against"),
        ({"name": "x", "kind": "rate_change", "against": []}, "invalid_against"),
        ({"name": "x", "kind": "rate_change", "against": ["day"], "window_seconds": 7}, "invalid_against"),
        ({"name": "x", "kind": "rate_change", "factor": 0.5}, "invalid_factor"),
        ({"name": "x", "kind": "anomaly", "query": "*"}, "unknown_field"),
    ],
)
def test_what_makes_no_rule(members: dict[str, Any], code: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        read_rule(members)
    assert caught.value.code == code


@pytest.mark.parametrize("key", DEFAULT_RULES)
def test_a_default_rule_is_one_that_anybody_could_make(key: str) -> None:
    form = DEFAULT_RULES[key]
    said = {name: value for name, value in members_of(form.spec).items() if value is not None}
    assert read_rule({"name": form.name, "severity": form.severity.value, **said}) == form
    assert read_spec(members_of(form.spec)) == form.spec


def test_an_event_says_all_that_a_message_needs() -> None:
    watched = Watched(replace(MORE_THAN_5, group_by=("host", "level")))
    watched.source.add(NOON + 0.5 * MINUTE, 9, Level.ERROR, host='a "b"')
    (change,) = watched.run(NOON + MINUTE).changes
    told = tell(replace(watched.due.rule, labels={"team": "pay"}), change, [{"id": "1"}])
    payload = told.payload
    assert (told.kind, payload["status"], payload["version"]) == (EventKind.FIRING, "firing", 1)
    assert payload["title"] == 'Errors (host=a "b", level=error)'
    assert payload["sentence"] == (
        "shop: 9 logs matching level:>=error in a minute; the limit is at most 5, 2026-03-01 12:00–12:01 UTC."
    )
    assert payload["labels"] == {
        "team": "pay",
        "host": 'a "b"',
        "level": "error",
        "application": "shop",
        "rule": "Errors",
        "kind": "threshold",
        "severity": "warning",
    }
    assert payload["rule"] == {"id": 7, "name": "Errors", "kind": "threshold"}
    assert payload["query"] == 'level:>=error host:"a \\"b\\"" level:error'
    parse_condition(payload["query"])
    assert payload["window"] == {"from": NOON.isoformat(), "until": (NOON + MINUTE).isoformat()}
    assert (payload["observed"], payload["threshold"], payload["samples"]) == (9, 5, [{"id": "1"}])
    assert query_of(watched.due.rule, ("", "info")) == "level:>=error -has:host level:info"


class TestBacktest:
    """History is judged as new logs are."""

    def spans(self, episodes: Sequence[Any]) -> list[tuple[int, int | None]]:
        return [
            ((one.opened_at - NOON) // MINUTE, one.resolved_at and (one.resolved_at - NOON) // MINUTE)
            for one in episodes
        ]

    def test_it_fires_where_the_rule_would_have_fired(self) -> None:
        watched = Watched(MORE_THAN_5)
        for minute in (3, 4, 200, 900):
            watched.errors(minute, minute)
        until = NOON + 900 * MINUTE
        found = replay(MORE_THAN_5, watched.source, begin(MORE_THAN_5, NOON, until), until, lambda: True)
        assert self.spans(found.episodes) == [(200, 201), (900, None)]
        watched.errors(3, 3)
        whole = replay(
            MORE_THAN_5,
            watched.source,
            begin(MORE_THAN_5, NOON, NOON + 900 * MINUTE),
            NOON + 900 * MINUTE,
            lambda: True,
        )
        assert self.spans(whole.episodes) == [(3, 4), (200, 201), (900, None)]
        assert [one.worst.value for one in whole.episodes] == [6, 200, 900]
        assert (whole.window_count, whole.resume, len(whole.marks)) == (900, None, 113)
        assert [mark.value for mark in whole.marks if mark.fires] == [6, 200, 900]

    def test_it_goes_on_where_time_was_up(self) -> None:
        watched = Watched(replace(MORE_THAN_5, group_by=("host",), resolve_below=2))
        for minute in range(300, 800):
            watched.source.add(NOON + minute * MINUTE, 9 if minute == 300 else 3, Level.ERROR, host="a")
        spec, until = watched.due.rule.spec, NOON + 1_000 * MINUTE
        resume: Resume | None = begin(spec, NOON, until)
        found: list[Episode] = []
        answers = 0
        while resume:
            part = replay(spec, watched.source, resume, until, lambda: False)
            found += part.episodes
            answers += 1
            resume = part.resume and read_resume(*resume_document(part.resume))
        assert answers == 3 == -(-1_000 // PIECE)
        assert self.spans(found) == [(301, 801)]
        assert (found[0].worst.value, found[0].group) == (9, ("a",))

    def test_a_test_has_bounds(self) -> None:
        for since in (NOON - timedelta(days=40), NOON):
            with pytest.raises(RejectedInput) as caught:
                begin(MORE_THAN_5, since, NOON)
            assert caught.value.code == "invalid_since"

    @pytest.mark.parametrize("made_up", [["x", []], [NOON.isoformat(), 3], ["2026-01-01T00:00:00", []], [1, 2]])
    def test_a_resume_of_somebody_elses_making_is_refused(self, made_up: list[Any]) -> None:
        with pytest.raises((ValueError, TypeError)):
            read_resume(*made_up)


def test_known_incidents_end_in_the_window_that_is_clear() -> None:
    """Whatever the state says, an incident that is told is the one that is resolved."""
    watched = Watched(MORE_THAN_5)
    known = KnownIncident("told", (), NOON, None)
    watched.due = replace(watched.due, incidents=(known,), states={(): GroupState(NOON, is_firing=True)})
    (change,) = watched.run(NOON + MINUTE).changes
    assert (change.kind, change.incident.incident_id) == (EventKind.RESOLVED, "told")
