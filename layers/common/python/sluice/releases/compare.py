"""What a version changed: which logs are compared, and what came of it. Pure functions.

A version is compared with what the same services logged before, since an application may hold services with versions of
their own. Both may run side by side: logs are told apart by their version, not by their time. A change has to stand out
against all that came before, and against the same hours of the day of it: what runs at night is not gone at noon.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sluice.anomalies.changes import Change, changes, traffic
from sluice.errors import RejectedInput
from sluice.releases.model import Counted, Release

LOOKBACK = timedelta(days=7)  # of what came before, from its last log before the version's first
MAX_SERVICES = 50  # those with most logs of the version
_ENOUGH_ALIKE = 1_000  # logs, or as many as came after


@dataclass(frozen=True, slots=True)
class Comparison:
    """The releases on both sides. Without any ``before``, all logs without a version stand for them: these are between
    ``since`` and the first hour of ``after``."""

    before: tuple[Release, ...]
    after: tuple[Release, ...]
    since: datetime | None  # of what came before; None: all of it

    @property
    def service(self) -> str | None:
        """Whose logs these are; None for several, and for logs that name none."""
        services = {release.service for release in self.after}
        return services.pop() or None if len(services) == 1 else None

    @property
    def until(self) -> datetime:
        """When the logs without a version end that are compared."""
        return min(release.first for release in self.after)

    @property
    def hours_of_day(self) -> list[int]:
        """In which there are logs after, in UTC."""
        return sorted({hour.hour for release in self.after for hour in release.hours})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a comparison found: its changes, strongest first, and the logs of both sides."""

    changes: tuple[Change, ...]
    logs_before: int
    logs_after: int
    traffic: float  # of the version, as a multiple of what came before
    unclustered: int  # of these, whose template is not known yet
    firsts: Mapping[int, datetime]  # by template: the first hour after
    lasts: Mapping[int, datetime]  # by template: the last hour before


def choose(
    releases: Iterable[Release], version: str | None, against: str | None, service: str | None
) -> tuple[str, tuple[Comparison, ...]]:
    """The version, the latest one unless it is given, and what to compare: service by service.

    Raises RejectedInput ``unknown_version``, for ``version`` or ``against``.
    """
    known = [release for release in releases if service is None or release.service == service]
    if version is None:
        version = max(known, key=lambda release: release.age).version if known else ""
    after = [release for release in known if release.version == version]
    if not after:
        raise unknown_version(version)
    after = sorted(after, key=lambda release: -release.logs)[:MAX_SERVICES]
    comparisons = [_comparison(release, known, against) for release in after]
    if any(comparison.before for comparison in comparisons):
        return version, tuple(comparison for comparison in comparisons if comparison.before)
    if against is not None:
        raise unknown_version(against)
    return version, (Comparison((), tuple(after), min(release.first for release in after) - LOOKBACK),)


def unknown_version(version: str) -> RejectedInput:
    """What is said of a version that no log has."""
    return RejectedInput(
        "unknown_version", f"no log of this application, time and service has version {version!r}", status=404
    )


def _comparison(release: Release, known: Sequence[Release], against: str | None) -> Comparison:
    others = [other for other in known if other.service == release.service and other.version != release.version]
    if against is not None:
        return Comparison(tuple(other for other in others if other.version == against), (release,), None)
    before = tuple(other for other in others if other.age < release.age)
    last = max((min(other.until, release.first) for other in before), default=release.first)
    return Comparison(before, (release,), last - LOOKBACK)


def compare(counts: Iterable[Counted], roots: Mapping[int, int], keys: Mapping[int, int]) -> Outcome:
    """The changes of a comparison. ``roots`` are the templates that templates are by now, ``keys`` templates by key."""
    before, alike, ever, after = (Counter[int]() for _ in range(4))
    firsts: dict[int, datetime] = {}
    lasts: dict[int, datetime] = {}
    unclustered = 0
    for counted in counts:
        template_id = counted.template_id or keys.get(counted.template_key, 0)
        root = roots.get(template_id)
        if root is None:
            unclustered += counted.before + counted.after
            continue
        before[root] += counted.before
        alike[root] += counted.alike
        ever[root] += counted.ever
        after[root] += counted.after
        if counted.first_after:
            firsts[root] = min(counted.first_after, firsts.get(root, counted.first_after))
        if counted.last_before:
            lasts[root] = max(counted.last_before, lasts.get(root, counted.last_before))
    known = {root for root, count in ever.items() if count}
    found = changes(before, after, known)
    if before.total() > alike.total() >= min(after.total(), _ENOUGH_ALIKE):
        kinds = {change.template_id: change.kind for change in changes(alike, after, known)}
        found = tuple(change for change in found if kinds.get(change.template_id) is change.kind)
    return Outcome(found, before.total(), after.total(), traffic(before, after), unclustered, firsts, lasts)
