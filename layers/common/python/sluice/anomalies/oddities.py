"""How many sessions of a kind are odd for the same reason, and whether that is more than chance brings."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from sluice.anomalies.series import BUCKET
from sluice.anomalies.tails import surprise_above

WINDOWS = (1, 2, 3, 6, 12, 36)  # buckets
LONGEST_WINDOW = WINDOWS[-1] * BUCKET
LEAST_ODD, LEAST_SHARE = 3, 0.01  # sessions that make an alarm
_MOST_EXPECTED = 3.0  # clumps in the longest window, which is for what is rare: elsewhere shares have a rhythm
AWAY = timedelta(hours=6)  # without odd sessions, after which an incident is over even if there were no others
_OVER_WINDOWS = (3, 6, 12)
_OVER_SURPRISE, _OVER_ODD = 3.0, 3.0
_PRIOR = 0.5  # odd sessions among none
_PRIOR_CLUMPS, _CLUMPS_KEPT = 10.0, 0.99
_NAMES = 5  # of odd sessions

type Totals = dict[float, int]  # sessions by the bucket's start, in seconds since 1970


class Window(NamedTuple):
    """The one that stands out most. ``since`` is the start of its first bucket."""

    surprise: float
    since: float
    odd: int
    total: int


@dataclass(slots=True)
class Oddity:
    """Sessions that are odd for one reason. Before, the share of such was ``share``, of so many ``sessions``.

    Odd sessions come in clumps: as many as usually are odd in a bucket that has any count as one event. So a share that
    has a rhythm of its own, or bad minutes, is no incident, unless it is a multiple of that.
    """

    share: float = 0.0
    sessions: float = 0.0
    since: float = 0.0  # buckets before are told already
    clumps: float = _PRIOR_CLUMPS  # sums of the buckets' odd sessions
    squares: float = _PRIOR_CLUMPS  # and of their squares
    odd: Totals = field(default_factory=dict)
    first_at: dict[float, float] = field(default_factory=dict)  # by bucket, the start of the first odd session
    names: list[str] = field(default_factory=list)  # the latest

    @property
    def usual(self) -> float:
        """The share that is expected."""
        return (self.share * self.sessions + _PRIOR) / (self.sessions + 1)

    def add(self, bucket: datetime, names: list[str], first_at: float) -> None:
        """More odd sessions."""
        at = bucket.timestamp()
        self.odd[at] = self.odd.get(at, 0) + len(names)
        self.first_at[at] = min(first_at, self.first_at.get(at, first_at))
        self.names = [*self.names, *names][-_NAMES:]

    def surprise(self, odd: float, total: float) -> float:
        """Of so many odd ones among so many, as -ln of the probability."""
        clump = self.squares / self.clumps
        mean = max(self.usual * total, 1e-9) / clump
        return surprise_above(odd / clump, mean, mean + mean * mean / (self.share * self.sessions + _PRIOR))

    def window(self, bucket: datetime, totals: Totals) -> Window:
        """Of those that end with this bucket."""
        best = Window(0.0, 0.0, 0, 0)
        for buckets in WINDOWS:
            since = max((bucket - (buckets - 1) * BUCKET).timestamp(), self.since)
            odd, total = _since(self.odd, since), _since(totals, since)
            is_rare = buckets < WINDOWS[-1] or self.usual * total * self.clumps / self.squares <= _MOST_EXPECTED
            is_enough = odd >= max(LEAST_ODD, LEAST_SHARE * total)
            if is_enough and is_rare and (surprise := self.surprise(odd, total)) > best.surprise:
                best = Window(surprise, since, odd, total)
        return best

    def is_over(self, bucket: datetime, totals: Totals, share: float) -> bool:
        """Whether odd sessions are as few as ever, in a time in which that ``share`` of all would have shown."""
        for buckets in _OVER_WINDOWS:
            since = (bucket - (buckets - 1) * BUCKET).timestamp()
            odd, total = _since(self.odd, since), _since(totals, since)
            if total * share >= _OVER_ODD and self.surprise(odd, total) < _OVER_SURPRISE:
                return True
        return False

    def restart(self, bucket: datetime) -> None:
        """So that no later window reaches back."""
        self.since = (bucket + BUCKET).timestamp()

    def end(self, bucket: datetime, *, learns: bool) -> None:
        """A bucket that is over."""
        odd = self.odd.get(bucket.timestamp(), 0)
        if odd and learns:
            self.clumps = self.clumps * _CLUMPS_KEPT + odd
            self.squares = self.squares * _CLUMPS_KEPT + odd * odd
        oldest = (bucket - LONGEST_WINDOW).timestamp()
        self.odd = {at: count for at, count in self.odd.items() if at > oldest}
        self.first_at = {at: first_at for at, first_at in self.first_at.items() if at > oldest}

    def to_state(self) -> list[Any]:
        """JSON-able."""
        *plain, odd, first_at, names = astuple(self)
        return [*plain, list(odd.items()), list(first_at.items()), names]

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> Self:
        share, sessions, since, clumps, squares, odd, first_at, names = state
        return cls(share, sessions, since, clumps, squares, dict(odd), dict(first_at), list(names))


def _since(counts: Totals, since: float) -> int:
    return sum(count for at, count in counts.items() if at >= since)


def trimmed(totals: Totals, bucket: datetime) -> Totals:
    """Without what no window reaches."""
    oldest = (bucket - LONGEST_WINDOW).timestamp()
    return {at: count for at, count in totals.items() if at > oldest}
