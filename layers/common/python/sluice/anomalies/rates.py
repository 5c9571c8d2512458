"""Anomalies of one rate: events per bucket of time, one bucket after the other.

Counts are judged by what a seasonal baseline with chance around it makes of the last buckets. A series that is not made
of counts, or has shown that this model does not describe it, is judged by whether anything like it was seen before.
"""

import math
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from sluice.anomalies.baseline import Baseline
from sluice.anomalies.model import ALARM_SCORE, Kind, Verdict
from sluice.anomalies.patterns import Patterns
from sluice.anomalies.recurrence import Recurrence
from sluice.anomalies.scan import NOTHING, Finding, Scan
from sluice.anomalies.tails import surprise_above, surprise_below

DAY = timedelta(days=1)
LEARNING = timedelta(days=14)
ALARM_SURPRISE = 13.0  # -ln of a probability: one false alarm in years of ten-minute buckets and all their windows
_MODEL_DAYS = 8  # until the model may judge: it has seen each weekday, and one of them twice
_TRUSTED = timedelta(days=5)  # without a surprise, after which it does; then surprises are incidents
_SCATTER_DAYS = 7.0  # memory of how windows scatter
_DOUBT = 0.03  # standard error of an expected rate, relative
_FIRST_DOUBT = 0.5  # right after the level is new; fades within days
_LOOKS = math.log(10)  # more surprise for a bucket that is looked at ten times before it is over
_CALM_BUCKETS = 6
_CALM_SURPRISE = 5.0  # of that many buckets together, below which an incident ends
_CALM_DOUBT = 0.05
_REST_DAYS = 0.5  # without another alarm of patterns
_SHORT, _SHORT_IF_FAR, _LONG = 2, 6, 36  # buckets
_LARGEST = 1e12
_FAR_TOO_MANY = 3.0  # times what was expected
_GROWTH = 1.4
_RAMP_BUCKETS = 12


@dataclass(slots=True)
class _Incident:
    opened: str
    onset: str
    kind: str
    is_above: bool
    buckets: int = 0
    count: float = 0.0
    exposure: float = 0.0  # sum of the baseline's factors
    first: list[list[float]] = field(default_factory=list)  # count, expected, variance
    last: list[list[float]] = field(default_factory=list)


class RateDetector:
    """Feed it every bucket in order, empty ones too. The same buckets always give the same verdicts, also if the state
    went through ``to_state``, JSON and ``from_state`` in between; so a late correction is judged by feeding the buckets
    since an earlier state again. ``learning`` is how long nothing is an alarm; weekly rhythms take two weeks.

    ``has_patterns`` is for series of any kind. Without them the values are known to be counts of events: the model
    judges as soon as the learning is over, but leaves room for a rhythm of the week until it has seen a week. Then
    spikes that come again and again are no alarms either, the sooner if the series ``is_minor``. An alarm takes
    ``alarm_surprise``: more of it where many series are looked at."""

    def __init__(
        self,
        width: timedelta,
        learning: timedelta = LEARNING,
        *,
        has_patterns: bool = True,
        alarm_surprise: float = ALARM_SURPRISE,
        is_minor: bool = False,
    ) -> None:
        self._width = width
        self._learning = learning
        self._alarm_surprise = alarm_surprise
        self._since: datetime | None = None
        self._is_counts = True
        self._surprised: datetime | None = None  # when the model last failed
        self._doubt = _FIRST_DOUBT
        self._rest = 0
        self._incident: _Incident | None = None
        self._baseline = Baseline(DAY / width)
        self._scan = Scan()
        self._patterns = Patterns() if has_patterns else None
        self._recurrence = None if has_patterns else Recurrence()
        self._is_minor = is_minor

    def feed(self, bucket: datetime, count: float) -> Verdict:
        """``bucket`` is the start of the next one. A count that is no number, or beyond 1e12, is passed over."""
        self._since = self._since or bucket
        if not abs(count) <= _LARGEST:
            return self._verdict(bucket, 0.0, NOTHING)
        self._is_counts = self._is_counts and count >= 0 and count == math.floor(count)
        is_learning = bucket - self._since < self._learning
        if self._patterns and not self._is_counts:
            return self._judge_pattern(self._patterns, bucket, count, is_learning=is_learning)
        self._baseline.begin(bucket)
        factor = self._baseline.factor(bucket)
        finding = self._look(count, factor)
        is_again = self._comes_again(bucket, count, finding)
        if self._recurrence and self._is_spike(count, finding):
            self._recurrence.remember(bucket, count)
        incident = self._incident
        if incident:
            verdict = self._follow(incident, bucket, count, factor, finding)
        elif self._patterns and (is_learning or not self._trusts_model(bucket)):
            verdict = self._judge_pattern(self._patterns, bucket, count, is_learning=is_learning)
        elif is_learning:
            verdict = self._verdict(bucket, 0.0, finding)
        elif is_again:
            verdict = self._verdict(bucket, 0.0, finding)
            self._scan.restart()
        else:
            verdict = self._judge_rate(bucket, count, factor, finding)
        is_usual = not (incident or self._incident)
        self._learn(bucket, count, factor, finding, is_usual=is_usual, is_clipped=not is_learning)
        return verdict

    def peek(self, bucket: datetime, count: float, share: float) -> Verdict | None:
        """What it will answer if no more comes in ``bucket``, the next one, of which only a ``share`` (below 1) is
        over: a verdict that opens an incident, or None. Changes nothing that feeding the bucket would not change."""
        if self._incident or self._since is None or bucket - self._since < self._learning:
            return None
        self._baseline.begin(bucket)
        expected = self._baseline.expected(self._baseline.factor(bucket)) * share
        doubt = _DOUBT * _DOUBT + self._doubt * self._doubt
        finding = self._scan.peek(count, expected, self._baseline.variance(expected), doubt)
        needed = self._alarm_surprise + _LOOKS
        if finding.surprise < needed or self._comes_again(bucket, count, finding):
            return None
        return Verdict(
            bucket=bucket,
            score=finding.surprise / (finding.surprise + needed),
            kind=_kind(finding),
            opened=bucket,
            onset=bucket - self._width * (finding.buckets - 1),
            observed=finding.observed,
            expected=finding.expected,
            buckets=finding.buckets,
            baseline_from=self._since,
        )

    def expected(self, bucket: datetime) -> float:
        """Events that a bucket near the last one fed should have."""
        return self._baseline.expected(self._baseline.factor(bucket))

    def to_state(self) -> dict[str, Any]:
        """JSON-able, and of bounded size."""
        return {
            "width": self._width.total_seconds(),
            "learning": self._learning.total_seconds(),
            "alarm_surprise": self._alarm_surprise,
            "since": self._since and self._since.isoformat(),
            "is_counts": self._is_counts,
            "surprised": self._surprised and self._surprised.isoformat(),
            "doubt": self._doubt,
            "rest": self._rest,
            "incident": self._incident and asdict(self._incident),
            "baseline": self._baseline.to_state(),
            "scan": self._scan.to_state(),
            "patterns": self._patterns and self._patterns.to_state(),
            "recurrence": self._recurrence and self._recurrence.to_state(),
            "is_minor": self._is_minor,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        detector = cls(
            timedelta(seconds=state["width"]),
            timedelta(seconds=state["learning"]),
            alarm_surprise=state["alarm_surprise"],
            is_minor=state["is_minor"],
        )
        detector._since = state["since"] and datetime.fromisoformat(state["since"])
        detector._is_counts = state["is_counts"]
        detector._surprised = state["surprised"] and datetime.fromisoformat(state["surprised"])
        detector._doubt = state["doubt"]
        detector._rest = state["rest"]
        detector._incident = state["incident"] and _Incident(**deepcopy(state["incident"]))
        detector._baseline = Baseline.from_state(state["baseline"])
        detector._scan = Scan.from_state(state["scan"])
        detector._patterns = state["patterns"] and Patterns.from_state(state["patterns"])
        detector._recurrence = state["recurrence"] and Recurrence.from_state(state["recurrence"])
        return detector

    def _trusts_model(self, bucket: datetime) -> bool:
        return self._surprised is not None and bucket - self._surprised >= _TRUSTED

    def _look(self, count: float, factor: float) -> Finding:
        expected = self._baseline.expected(factor)
        if self._patterns or len(self._baseline.days) >= _MODEL_DAYS:  # before, weekends are not known
            self._doubt *= max(0.0, 1 - 1 / self._baseline.buckets_per_day)
        if not self._baseline.level_exposure:
            return NOTHING
        self._scan.add(count, expected, self._baseline.variance(expected))
        return self._scan.find(_DOUBT * _DOUBT + self._doubt * self._doubt)

    def _is_spike(self, count: float, finding: Finding) -> bool:
        """Not what takes hours to stand out."""
        is_short = finding.buckets <= _SHORT_IF_FAR or count >= finding.observed / 2
        return is_short and finding.observed > finding.expected and finding.surprise >= self._alarm_surprise

    def _comes_again(self, bucket: datetime, count: float, finding: Finding) -> bool:
        """Whether it is a spike as there were before."""
        if not self._recurrence or not self._is_spike(count, finding):
            return False
        largest = max(count, finding.observed / finding.buckets)
        return self._recurrence.expects(bucket, largest, is_minor=self._is_minor)

    def _judge_rate(self, bucket: datetime, count: float, factor: float, finding: Finding) -> Verdict:
        score = self._score(finding)
        if score < ALARM_SCORE:
            return self._verdict(bucket, score, finding)
        onset = bucket - self._width * (finding.buckets - 1)
        is_above = finding.observed > finding.expected
        self._incident = _Incident(bucket.isoformat(), onset.isoformat(), _kind(finding), is_above)
        self._add(self._incident, count, factor)
        return self._verdict(bucket, score, finding, opens=True)

    def _judge_pattern(self, patterns: Patterns, bucket: datetime, count: float, *, is_learning: bool) -> Verdict:
        known = patterns.nearest(count)
        novelty = patterns.novelty(count)
        finding = Finding(novelty, 1, count, known)
        self._rest = max(0, self._rest - 1)
        if is_learning or self._rest:
            return self._verdict(bucket, 0.0, finding)
        score = 1 - 1 / (1 + novelty)
        if score < ALARM_SCORE:
            return self._verdict(bucket, score, finding)
        self._rest = math.ceil(_REST_DAYS * self._baseline.buckets_per_day)
        return self._verdict(bucket, score, finding, opens=True)

    def _follow(self, incident: _Incident, bucket: datetime, count: float, factor: float, finding: Finding) -> Verdict:
        self._add(incident, count, factor)
        incident.kind = _lasting_kind(incident)
        if incident.buckets > self._baseline.buckets_per_day:
            incident.kind = Kind.SHIFT
            self._baseline.shift(incident.count / incident.exposure)
            self._doubt = _FIRST_DOUBT
        score = max(ALARM_SCORE, self._score(finding))
        verdict = self._verdict(bucket, score, finding)
        if incident.buckets > self._baseline.buckets_per_day or _is_calm(incident):
            self._incident = None
            self._scan.restart()
        return verdict

    def _add(self, incident: _Incident, count: float, factor: float) -> None:
        expected = self._baseline.expected(factor)
        incident.buckets += 1
        incident.count += count
        incident.exposure += factor
        incident.last = [*incident.last[1 - _CALM_BUCKETS :], [count, expected, self._baseline.variance(expected)]]
        if incident.buckets <= _CALM_BUCKETS:
            incident.first = incident.last

    def _learn(
        self, bucket: datetime, count: float, factor: float, finding: Finding, *, is_usual: bool, is_clipped: bool
    ) -> None:
        if is_usual:
            is_new = self._patterns is None and self._since is not None and bucket - self._since < LEARNING
            self._baseline.learn(bucket, count, factor, is_clipped=is_clipped, is_spread_clipped=not is_new)
            self._scan.learn(_SCATTER_DAYS * self._baseline.buckets_per_day)
            if len(self._baseline.days) < _MODEL_DAYS or finding.surprise >= self._alarm_surprise:
                self._surprised = bucket
        self._baseline.add_up(count if is_usual else self._baseline.expected(factor))

    def _score(self, finding: Finding) -> float:
        return finding.surprise / (finding.surprise + self._alarm_surprise)

    def _verdict(self, bucket: datetime, score: float, finding: Finding, *, opens: bool = False) -> Verdict:
        incident = self._incident
        kind: Kind | None = Kind(incident.kind) if incident else None
        opened = datetime.fromisoformat(incident.opened) if incident else None
        onset = datetime.fromisoformat(incident.onset) if incident else None
        if opens and not incident:
            kind, opened, onset = _kind(finding), bucket, bucket
        return Verdict(
            bucket=bucket,
            score=score,
            kind=kind,
            opened=opened,
            onset=onset,
            observed=finding.observed,
            expected=finding.expected,
            buckets=finding.buckets,
            baseline_from=self._since or bucket,
        )


def _kind(finding: Finding) -> Kind:
    """At its first alarm."""
    if finding.observed <= finding.expected:
        return Kind.DROP if finding.observed else Kind.SILENCE
    is_far = finding.observed > _FAR_TOO_MANY * finding.expected
    return Kind.SPIKE if finding.buckets <= (_SHORT_IF_FAR if is_far else _SHORT) else Kind.BURST


def _lasting_kind(incident: _Incident) -> Kind:
    """What it turned out to be: a rate that kept growing, or that stays."""
    if not incident.is_above:
        return Kind.SILENCE if _is_silent(incident) and incident.kind != Kind.DROP else Kind.DROP
    if incident.buckets >= _RAMP_BUCKETS and _ratio(incident.last) > _GROWTH * _ratio(incident.first):
        return Kind.RAMP
    if incident.kind == Kind.SPIKE and incident.buckets >= 2 * _SHORT_IF_FAR and _ratio(incident.last) > _GROWTH:
        return Kind.BURST
    return Kind.SHIFT if incident.buckets >= _LONG else Kind(incident.kind)


def _ratio(buckets: list[list[float]]) -> float:
    return (sum(count for count, _, _ in buckets) + 1) / (sum(expected for _, expected, _ in buckets) + 1)


def _is_silent(incident: _Incident) -> bool:
    """Whether what stopped has not come back: at night, nothing is as usual, but not the end of a silence."""
    return not incident.is_above and not any(count for count, _, _ in incident.last)


def _is_calm(incident: _Incident) -> bool:
    if len(incident.last) < _CALM_BUCKETS or _is_silent(incident):
        return False
    count, expected, variance = (sum(values) for values in zip(*incident.last, strict=True))
    surprise = surprise_above if count > expected else surprise_below
    return surprise(count, expected, variance + (_CALM_DOUBT * expected) ** 2) < _CALM_SURPRISE
