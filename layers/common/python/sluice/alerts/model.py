"""Rules, what they see in one window, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

type Group = tuple[str, ...]  # values of a rule's group_by fields, "" where a log has none; () for a rule without

MAX_GROUPS = 100  # of a rule
MAX_RULES = 200  # of an application


class Kind(StrEnum):
    """What a rule looks for."""

    THRESHOLD = "threshold"  # too many or too few logs
    RATIO = "ratio"  # too large or too small a share
    ABSENCE = "absence"  # nothing, where something came before
    NEW_TEMPLATE = "new_template"  # a message that was never seen before
    RATE_CHANGE = "rate_change"  # far more or less than earlier
    ANOMALY = "anomaly"  # whatever the detectors found


class Severity(StrEnum):
    """How bad it is, the mildest first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Status(StrEnum):
    """Of an incident."""

    FIRING = "firing"
    RESOLVED = "resolved"


class EventKind(StrEnum):
    """What there is to tell about an incident."""

    FIRING = "firing"
    RESOLVED = "resolved"
    CORRECTED = "corrected"  # late logs changed a verdict
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True)
class Spec:
    """What a rule says; see sluice.alerts.parse for the members of each kind. ``query`` and ``of_query`` are in the
    query language."""

    kind: Kind
    query: str = ""
    window_seconds: int = 60
    for_seconds: int = 0
    group_by: tuple[str, ...] = ()
    above: float | None = None
    below: float | None = None
    resolve_above: float | None = None
    resolve_below: float | None = None
    per_seconds: int | None = None  # a count becomes a rate: logs in so many seconds
    of_query: str = ""  # what a ratio is a share of; "": all logs
    min_count: int = 1  # logs that there must be for a verdict: all of a ratio's, matching ones of a change
    baseline_seconds: int = 86_400  # how far back something must have come for its absence to matter
    is_steady: bool = False  # and there was no earlier gap of this length
    learning_seconds: int = 86_400  # of an application, in which everything is new
    direction: str = "above"  # of a change: above, below or both
    factor: float = 2.0  # by which a change must at least be
    against: tuple[str, ...] = ("previous",)  # what a change is measured against, all of it: see BASELINES
    min_score: float = 0.5  # of an anomaly

    @property
    def window(self) -> timedelta:
        """The length of what one verdict is about."""
        return timedelta(seconds=self.window_seconds)

    @property
    def step(self) -> timedelta:
        """The time from one verdict to the next: a short window's length, a minute, or a sixtieth of a long window."""
        return timedelta(seconds=min(self.window_seconds, max(60, self.window_seconds // 60)))


BASELINES = {"previous": None, "day": timedelta(days=1), "week": timedelta(weeks=1)}  # None: the window before


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of one application. ``labels`` are its owner's."""

    rule_id: int
    application_id: int
    application: str
    name: str
    spec: Spec
    severity: Severity = Severity.WARNING
    labels: Mapping[str, str] = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True, slots=True)
class Observation:
    """What a rule sees of a group in the window that ends at ``at``. It turns bad with ``is_breach`` and good again
    with ``is_clear``; between the two it stays as it was. ``limit`` is what ``value`` was held against; None of either:
    there was nothing to judge."""

    at: datetime
    value: float | None
    limit: float | None
    is_breach: bool
    is_clear: bool


@dataclass(frozen=True, slots=True)
class GroupState:
    """Of a group that is not ok. ``since``: where the unbroken run of breaches began. ``is_firing``: it lasted."""

    since: datetime
    is_firing: bool = False


@dataclass(frozen=True, slots=True)
class Episode:
    """From when a group fired until when. ``opened_at`` is None for one that had begun before, ``resolved_at`` for one
    that goes on. ``worst`` is the observation that differed most from its limit."""

    group: Group
    opened_at: datetime | None
    resolved_at: datetime | None
    worst: Observation
