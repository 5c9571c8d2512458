"""What detectors answer."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

ALARM_SCORE = 0.5  # a score of at least this is an anomaly, in every detector


class Kind(StrEnum):
    """In what way something is unusual: a rate,"""

    SPIKE = "spike"  # far too many, at once
    BURST = "burst"  # too many for some time, each bucket only moderately so
    RAMP = "ramp"  # ever more
    SHIFT = "shift"  # another level for good
    DROP = "drop"  # too few
    SILENCE = "silence"  # none, where some always came
    # a template that has no rate to speak of,
    NEW_TEMPLATE = "new_template"  # was never there before
    RARE_TEMPLATE = "rare_template"  # is hardly ever there
    # or what belongs to one trace or session.
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Verdict:
    """About one bucket of a rate.

    ``score`` is from 0 to 1. ``kind`` is None unless the bucket belongs to an incident; the verdicts of one incident
    share its ``onset`` and the bucket that ``opened`` it. ``observed`` and ``expected`` are sums
    over the last ``buckets`` buckets, which are those that stand out most. The baseline was learnt from
    ``baseline_from`` on, until ``bucket``."""

    bucket: datetime
    score: float
    kind: Kind | None
    opened: datetime | None
    onset: datetime | None
    observed: float
    expected: float
    buckets: int
    baseline_from: datetime

    @property
    def opens(self) -> bool:
        """Whether it is the first of an incident."""
        return self.opened == self.bucket
