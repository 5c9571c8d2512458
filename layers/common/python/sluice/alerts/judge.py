"""What a rule sees in its windows, kind by kind. Pure: the logs are asked through LogSource."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sluice.alerts.model import BASELINES, MAX_GROUPS, Group, Kind, Observation, Spec
from sluice.alerts.ports import LogSource, Series
from sluice.alerts.windows import sums
from sluice.anomalies.tails import surprise_above, surprise_below

# Of a change: one in a million windows differs as much by chance.
SURPRISE = math.log(1_000_000)


@dataclass(frozen=True, slots=True)
class Judged:
    """Observations by group, each at every end of a window that was asked for. ``is_cut``: there were more groups."""

    observations: Mapping[Group, list[Observation]]
    is_cut: bool = False


def judge(spec: Spec, source: LogSource, points: Sequence[datetime], known: Collection[Group] = ()) -> Judged:
    """What the rule sees in the windows that end at ``points``, which follow each other in steps. Groups in ``known``
    are looked at in any case. Raises Unavailable."""
    judges: Mapping[Kind, Callable[[Spec, LogSource, Sequence[datetime], Collection[Group]], Judged]] = {
        Kind.THRESHOLD: _threshold,
        Kind.RATIO: _ratio,
        Kind.ABSENCE: _absence,
        Kind.NEW_TEMPLATE: _new_template,
        Kind.RATE_CHANGE: _rate_change,
    }
    return judges[spec.kind](spec, source, points, known)


def _series(spec: Spec, source: LogSource, query: str, first: datetime, last: datetime) -> Series:
    return source.series(query, spec.group_by, first, last, spec.step)


def _groups(spec: Spec, known: Collection[Group], *series: Series) -> tuple[list[Group], bool]:
    """The groups to be looked at, the known ones and then the largest first, and whether some are left out."""
    if not spec.group_by:
        return [()], False
    totals: dict[Group, int] = {}
    for one in series:
        for group, counts in one.counts.items():
            totals[group] = totals.get(group, 0) + sum(counts.values())
    found = sorted(totals.keys() - set(known), key=lambda group: (-totals[group], group))
    groups = [*sorted(known), *found]
    return groups[: max(MAX_GROUPS, len(known))], len(groups) > MAX_GROUPS or any(one.is_cut for one in series)


def _sums(spec: Spec, series: Series, group: Group, points: Sequence[datetime]) -> list[int]:
    return sums(series.counts.get(group, {}), points, spec.window, spec.step)


def _against_limit(spec: Spec, at: datetime, value: float | None) -> Observation:
    """A value against above or below, whichever the rule has; without a value all is well."""
    if spec.above is not None:
        limit, resolves = spec.above, spec.resolve_below
        is_breach = value is not None and value > limit
        is_clear = value is None or (value <= limit if resolves is None else value < resolves)
    else:
        limit, resolves = spec.below or 0.0, spec.resolve_above
        is_breach = value is not None and value < limit
        is_clear = value is None or (value >= limit if resolves is None else value > resolves)
    return Observation(at, value, limit, is_breach, is_clear and not is_breach)


def _threshold(spec: Spec, source: LogSource, points: Sequence[datetime], known: Collection[Group]) -> Judged:
    series = _series(spec, source, spec.query, points[0] - spec.window, points[-1])
    groups, is_cut = _groups(spec, known, series)
    scale = 1.0 if spec.per_seconds is None else spec.per_seconds / spec.window_seconds
    return Judged(
        {
            group: [
                _against_limit(spec, at, count * scale)
                for at, count in zip(points, _sums(spec, series, group, points), strict=True)
            ]
            for group in groups
        },
        is_cut,
    )


def _ratio(spec: Spec, source: LogSource, points: Sequence[datetime], known: Collection[Group]) -> Judged:
    first = points[0] - spec.window
    part = _series(spec, source, spec.query, first, points[-1])
    whole = _series(spec, source, spec.of_query, first, points[-1])
    groups, is_cut = _groups(spec, known, whole, part)
    observations = {}
    for group in groups:
        counts = zip(_sums(spec, part, group, points), _sums(spec, whole, group, points), strict=True)
        shares = [some / every if every >= spec.min_count else None for some, every in counts]
        observations[group] = [_against_limit(spec, at, share) for at, share in zip(points, shares, strict=True)]
    return Judged(observations, is_cut)


def _absence(spec: Spec, source: LogSource, points: Sequence[datetime], known: Collection[Group]) -> Judged:
    recent = _series(spec, source, spec.query, points[0] - spec.window, points[-1])
    if not spec.group_by and all(_sums(spec, recent, (), points)):
        return Judged({(): [_silence(at, count, is_breach=False) for at, count in _counted(spec, recent, (), points)]})
    past = timedelta(seconds=spec.baseline_seconds)
    since = points[0] - spec.window - (past // spec.step) * spec.step
    series = _series(spec, source, spec.query, since, points[-1])
    groups, is_cut = _groups(spec, known, series)
    observations: dict[Group, list[Observation]] = {}
    for group in groups:
        starts = sorted(start for start, count in series.counts.get(group, {}).items() if count)
        observations[group] = [
            _silence(at, count, is_breach=not count and _used_to_come(spec, starts, at, past))
            for at, count in _counted(spec, series, group, points)
        ]
    return Judged(observations, is_cut)


def _counted(spec: Spec, series: Series, group: Group, points: Sequence[datetime]) -> Iterable[tuple[datetime, int]]:
    return zip(points, _sums(spec, series, group, points), strict=True)


def _silence(at: datetime, count: int, *, is_breach: bool) -> Observation:
    return Observation(at, float(count), 1.0, is_breach, is_clear=count > 0)


def _used_to_come(spec: Spec, starts: Sequence[datetime], at: datetime, past: timedelta) -> bool:
    """Whether something came in the time before the window that ends at ``at``; of a steady rule: without a gap of the
    window's length. ``starts`` are of steps with logs, in order."""
    since, until = at - spec.window - past, at - spec.window
    came = starts[bisect_left(starts, since) : bisect_right(starts, until)]
    if not came or not spec.is_steady:
        return bool(came)
    return all(later - earlier <= spec.window for earlier, later in zip([since, *came], came, strict=False))


def _new_template(spec: Spec, source: LogSource, points: Sequence[datetime], known: Collection[Group]) -> Judged:
    began_at = source.learnt_since()
    novelties = source.novelties(points[0] - spec.window, points[-1]) if began_at else []
    learnt_at = began_at + timedelta(seconds=spec.learning_seconds) if began_at else None
    appeared: dict[Group, datetime] = {
        (str(new.template_id),): new.appeared_at for new in novelties if learnt_at and new.appeared_at >= learnt_at
    }
    groups = [*sorted(known), *(group for group in appeared if group not in known)][: max(MAX_GROUPS, len(known))]
    if not groups:
        return Judged({})
    series = source.series(spec.query, ("template",), points[0] - spec.window, points[-1], spec.step)
    observations: dict[Group, list[Observation]] = {}
    for group in groups:
        at_first = appeared.get(group)
        observations[group] = []
        for at, count in _counted(spec, series, group, points):
            is_new = at_first is not None and at - spec.window <= at_first < at
            is_breach = is_new and count >= spec.min_count
            observations[group].append(Observation(at, float(count), float(spec.min_count), is_breach, not is_new))
    return Judged(observations, len(appeared.keys() | set(known)) > MAX_GROUPS)


def _rate_change(spec: Spec, source: LogSource, points: Sequence[datetime], known: Collection[Group]) -> Judged:
    began_at = source.learnt_since()
    first = points[0] - spec.window
    now = _series(spec, source, spec.query, first, points[-1])
    shifts = [BASELINES[name] or spec.window for name in spec.against]
    earlier = [_series(spec, source, spec.query, first - shift, points[-1] - shift) for shift in shifts]
    groups, is_cut = _groups(spec, known, now, *earlier)
    observations: dict[Group, list[Observation]] = {}
    for group in groups:
        baselines = [
            _sums(spec, series, group, [point - shift for point in points])
            for series, shift in zip(earlier, shifts, strict=True)
        ]
        observations[group] = [
            _change(
                spec,
                at,
                count,
                [
                    baseline[number]
                    for baseline, shift in zip(baselines, shifts, strict=True)
                    if began_at is not None and at - spec.window - shift >= began_at
                ],
            )
            for number, (at, count) in enumerate(_counted(spec, now, group, points))
        ]
    return Judged(observations, is_cut)


def _change(spec: Spec, at: datetime, count: int, baselines: Sequence[int]) -> Observation:
    """Against all that came earlier; the nearest of it is what is shown."""
    nearest = min(baselines, key=lambda baseline: abs(count - baseline), default=None)
    is_more = spec.direction != "below" and bool(baselines) and all(_is_more(spec, count, one) for one in baselines)
    is_less = spec.direction != "above" and bool(baselines) and all(_is_less(spec, count, one) for one in baselines)
    is_breach = is_more or is_less
    return Observation(at, float(count), None if nearest is None else float(nearest), is_breach, not is_breach)


# What one count tells of the next, if nothing changes: a Poisson distribution whose mean is known by that count alone
# (Jeffreys' prior) is a negative binomial one of this mean, and of twice the variance.
def _is_more(spec: Spec, count: int, baseline: int) -> bool:
    mean = baseline + 0.5
    is_enough = count >= spec.min_count and count >= spec.factor * baseline
    return is_enough and surprise_above(count, mean, 2 * mean) >= SURPRISE


def _is_less(spec: Spec, count: int, baseline: int) -> bool:
    mean = baseline + 0.5
    is_enough = baseline >= spec.min_count and count * spec.factor <= baseline
    return is_enough and surprise_below(count, mean, 2 * mean) >= SURPRISE
