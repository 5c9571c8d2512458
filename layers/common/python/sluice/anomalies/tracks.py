"""A rate that is watched: its detector as of a time that late logs no longer change, and what came since."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self

from sluice.anomalies.model import Kind, Verdict
from sluice.anomalies.rates import RateDetector
from sluice.anomalies.series import BUCKET, Episode, Series

LEARNING = timedelta(days=1)

type Counts = Callable[[datetime], int]  # events of the series in the bucket that begins then


class Track:
    """Late logs are judged by feeding the buckets since ``settled_until`` again, which may change what was said."""

    def __init__(self, series: Series, start: datetime, alarm_surprise: float, *, is_minor: bool) -> None:
        self.series = series
        self.settled_until = self.until = start
        self.episodes: list[Episode] = []
        self._detector = RateDetector(
            BUCKET, LEARNING, has_patterns=False, alarm_surprise=alarm_surprise, is_minor=is_minor
        )
        self._settled = self._detector.to_state()

    @property
    def learnt_at(self) -> datetime:
        """When it begins to judge."""
        since = self._settled["since"]
        return (datetime.fromisoformat(since) if since else self.settled_until) + LEARNING

    def catch_up(self, until: datetime, counts: Counts) -> None:
        """Judges all buckets that end by then."""
        while self.until + BUCKET <= until:
            verdict = self._detector.feed(self.until, counts(self.until))
            self.until += BUCKET
            self._follow(verdict)

    def peek(self, now: datetime, count: int) -> Episode | None:
        """The incident that the unfinished bucket opens, of which ``count`` events came by ``now``."""
        share = (now - self.until) / BUCKET
        verdict = self._detector.peek(self.until, count, share) if 0 < share < 1 else None
        return _episode(self.series, verdict, now) if verdict else None

    def expected(self, bucket: datetime) -> float:
        """Events that a bucket should have."""
        return self._detector.expected(bucket)

    def reset(self) -> None:
        """Back to what is settled, since counts of judged buckets have changed."""
        self._detector = RateDetector.from_state(self._settled)
        self.until = self.settled_until
        self.episodes = []

    def settle(self, until: datetime, counts: Counts) -> None:
        """From now on, counts of the buckets before do not change."""
        if self.until == until:
            self._settled = self._detector.to_state()
        else:
            detector = RateDetector.from_state(self._settled)
            bucket = self.settled_until
            while bucket < until:
                detector.feed(bucket, counts(bucket))
                bucket += BUCKET
            self._settled = detector.to_state()
        self.settled_until = until

    def forget(self) -> None:
        """Episodes that are over and that nothing can change any more."""
        self.episodes = [each for each in self.episodes if each.is_open or each.opened >= self.settled_until]

    def to_state(self) -> dict[str, Any]:
        """What is settled; JSON-able."""
        return self._settled

    @classmethod
    def from_state(cls, series: Series, settled_until: datetime, state: dict[str, Any]) -> Self:
        track = cls(series, settled_until, 0, is_minor=False)
        track._settled = state
        track.reset()
        return track

    def _follow(self, verdict: Verdict) -> None:
        known = self.episodes[-1] if self.episodes else None
        if verdict.opened is None:
            if known and known.is_open:
                self.episodes[-1] = replace(known, is_open=False)
            return
        found = _episode(self.series, verdict, self.until)
        if known is None or known.opened != found.opened:
            self.episodes.append(found)
        elif known.score < found.score:
            self.episodes[-1] = found
        else:
            self.episodes[-1] = replace(known, kind=found.kind, last=found.last)


def _episode(series: Series, verdict: Verdict, now: datetime) -> Episode:
    opened = verdict.opened or verdict.bucket
    is_silent = verdict.kind is Kind.DROP and not verdict.observed
    return Episode(
        series=series,
        opened=opened,
        kind=Kind.SILENCE if is_silent else verdict.kind or Kind.SPIKE,
        onset=verdict.onset or opened,
        last=now,
        score=verdict.score,
        observed=verdict.observed,
        expected=verdict.expected,
        window=(verdict.bucket - BUCKET * (verdict.buckets - 1), now),
        baseline_from=verdict.baseline_from,
    )
