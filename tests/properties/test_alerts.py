"""Whatever logs come, in whatever order and however often the watch runs: the same is told in the end."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import NOON
from fakes.alerts import MemoryLogSource
from sluice.alerts.backtest import begin, replay
from sluice.alerts.evaluate import evaluate
from sluice.alerts.model import EventKind, Kind, Rule, Spec
from sluice.alerts.parse import read_rule
from sluice.alerts.ports import Due
from sluice.entries.model import Level
from sluice.errors import RejectedInput
from sluice_cli.errors import SettingsError
from sluice_cli.rule_text import read_rule_text

MINUTE = timedelta(minutes=1)
LAST = 40  # minutes that are judged

specs = st.builds(
    Spec,
    kind=st.just(Kind.THRESHOLD),
    query=st.just("level:>=error"),
    window_seconds=st.sampled_from([60, 120, 300]),
    for_seconds=st.sampled_from([0, 60, 180]),
    above=st.just(3.0),
    resolve_below=st.sampled_from([None, 1.0, 3.0]),
)
minutes = st.lists(st.integers(0, LAST - 1), max_size=30)


def in_minutes(since: datetime, until: datetime | None) -> tuple[int, int | None]:
    return (since - NOON) // MINUTE, None if until is None else (until - NOON) // MINUTE


class Watch:
    """Runs the evaluator as the function does, and checks what it tells."""

    def __init__(self, spec: Spec) -> None:
        self.source = MemoryLogSource()
        self.due = Due(Rule(1, 1, "shop", "Errors", spec), NOON, NOON)
        self.event_counts: dict[str, list[str]] = {}
        self._ids = count()

    def add(self, minute: int) -> None:
        self.source.add(NOON + minute * MINUTE, 2, Level.ERROR)

    def run(self, until: int, late: Sequence[int]) -> None:
        due = replace(self.due, late_minutes=tuple(NOON + minute * MINUTE for minute in late))
        outcome = evaluate(due, self.source, NOON + until * MINUTE, lambda: str(next(self._ids)))
        incidents = {one.incident_id: one for one in self.due.incidents}
        for change in outcome.changes:
            told = self.event_counts.setdefault(change.incident.incident_id, [])
            assert change.is_new == (not told)
            told.append(change.kind)
            incidents.pop(change.incident.incident_id, None)
            if not change.is_withdrawn:
                incidents[change.incident.incident_id] = change.incident
        self.due = replace(
            due,
            evaluated_until=outcome.evaluated_until,
            states=outcome.states,
            incidents=tuple(incidents.values()),
            late_minutes=(),
        )

    def told(self) -> list[tuple[int, int | None]]:
        """What is told to have fired, in minutes."""
        spans = sorted((one.opened_at, one.resolved_at) for one in self.due.incidents)
        return [in_minutes(since, until) for since, until in spans]


def would_fire(spec: Spec, source: MemoryLogSource) -> list[tuple[int, int | None]]:
    until = NOON + LAST * MINUTE
    found = replay(spec, source, begin(spec, NOON, until), until, lambda: True).episodes
    return [in_minutes(one.opened_at, one.resolved_at) for one in found if one.opened_at]


@given(specs, minutes, st.sets(st.integers(1, LAST - 1)))
@settings(max_examples=200, deadline=None)
def test_runs_may_come_when_they_will(spec: Spec, logs: list[int], runs: set[int]) -> None:
    """And tell what a test over all of it shows, each incident once."""
    watch = Watch(spec)
    for minute in logs:
        watch.add(minute)
    for until in [*sorted(runs), LAST, LAST]:
        watch.run(until, ())
    assert watch.told() == would_fire(spec, watch.source)
    for kinds in watch.event_counts.values():
        assert kinds in ([EventKind.FIRING], [EventKind.FIRING, EventKind.RESOLVED])


@given(specs, minutes, st.lists(st.tuples(st.integers(0, LAST - 1), st.integers(1, LAST)), max_size=12))
@settings(max_examples=300, deadline=None)
def test_late_logs_lead_to_what_would_have_been_told(spec: Spec, logs: list[int], late: list[tuple[int, int]]) -> None:
    """No minute is told to have fired that did not, and none is left out; told incidents never overlap."""
    watch = Watch(spec)
    for minute in logs:
        watch.add(minute)
    for until in range(1, LAST + 1):
        came = [minute for minute, at in late if at == until and minute < until]
        for minute in came:
            watch.add(minute)
        watch.run(until, came)
    truth = would_fire(spec, watch.source)
    told = watch.told()
    assert all(one[1] is not None and one[1] <= other[0] for one, other in pairwise(told))
    assert (bool(told) and told[-1][1] is None) == (bool(truth) and truth[-1][1] is None)

    def overlaps(one: tuple[int, int | None], other: tuple[int, int | None]) -> bool:
        return one[0] < (other[1] or LAST + 1) and other[0] < (one[1] or LAST + 1)

    assert all(any(overlaps(one, other) for other in truth) for one in told)
    assert all(any(overlaps(one, other) for other in told) for one in truth)


members = st.dictionaries(
    st.sampled_from(
        ["name", "kind", "query", "above", "below", "window_seconds", "group_by", "labels", "per", "against"]
    ),
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.lists(st.text(max_size=4), max_size=3)
    | st.sampled_from([kind.value for kind in Kind]),
)


@given(members)
@settings(max_examples=300, deadline=None)
def test_a_rule_is_read_or_refused(given_members: dict[str, object]) -> None:
    with suppress(RejectedInput):
        read_rule(given_members)


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            ["no", "new", ">", "<", "5", "5%", "in", "1m", "for", "by", "vs", "rises", "3x", "logs", "until", "of"]
        )
    ).map(" ".join)
)
@settings(max_examples=300, deadline=None)
def test_a_line_is_a_rule_or_refused(text: str) -> None:
    with suppress(SettingsError):
        read_rule_text(text)
