"""All templates of an application: how often each came, and whether one that hardly ever comes does so in numbers.

A template without a rate to speak of is judged by its visits, which are its logs with less than an hour between them.
That there is a visit is as probable as it was so far; how many logs one has is learnt from all such templates together,
as a geometric distribution. One that was never seen counts as half a visit in all the time.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from sluice.anomalies.model import Kind
from sluice.anomalies.rates import ALARM_SURPRISE
from sluice.anomalies.series import BUCKET, Episode, Series
from sluice.entries.model import Level

LEARNING = timedelta(days=2)
LEAST_LEVEL = Level.WARNING  # new kinds of other logs are no news by themselves
_AWAY = timedelta(hours=1)  # that ends a visit
_KNOWN_AFTER = timedelta(days=1)  # a visit this long is no longer news
_WEEK = timedelta(days=7)
_PRIOR_VISITS, _PRIOR_SIZE = 10.0, 1.3  # of the logs of visits
_MAX_TEMPLATES = 10_000


@dataclass(slots=True)
class _Template:
    level: int
    weekly: float  # logs, those of a week ago by a third
    visits: int
    visit_from: float  # seconds since 1970
    visit_until: float
    size: int  # logs of the visit


class Catalogue:
    """A fold over buckets, as a detector is."""

    def __init__(self, since: datetime) -> None:
        self.since = self.until = since
        self.episodes: list[Episode] = []
        self._templates: dict[int, _Template] = {}
        self._visits, self._logs = _PRIOR_VISITS, _PRIOR_VISITS * _PRIOR_SIZE

    def level_of(self, template_id: int) -> int:
        """0 for a template that it does not know."""
        known = self._templates.get(template_id)
        return known.level if known else 0

    def weekly(self) -> dict[int, float]:
        """Logs of the last week, by template; earlier ones count less."""
        now = self.until.timestamp()
        return {
            template_id: known.weekly * math.exp((known.visit_until - now) / _WEEK.total_seconds())
            for template_id, known in self._templates.items()
        }

    def feed(self, counts: Mapping[tuple[int, int], int], watched: Collection[int]) -> None:
        """The next bucket: logs by template and level. ``watched`` templates have rates of their own."""
        bucket = self.until
        self.until += BUCKET
        self._end_episodes()
        levels: dict[int, tuple[int, int]] = {}  # by template: logs, and the level of most of them
        for (template_id, level), count in sorted(counts.items(), key=lambda item: item[1]):
            levels[template_id] = levels.get(template_id, (0, 0))[0] + count, level
        for template_id, (count, level) in levels.items():
            self._visit(template_id, count, level, bucket, is_watched=template_id in watched)
        while len(self._templates) > _MAX_TEMPLATES:
            del self._templates[min(self._templates, key=lambda each: self._templates[each].visit_until)]

    def merge(self, roots: Mapping[int, int]) -> None:
        """Templates that are part of others by now."""
        for template_id, root in roots.items():
            merged = self._templates.pop(template_id, None)
            known = self._templates.setdefault(root, merged) if merged else None
            if merged and known and known is not merged:
                known.weekly += merged.weekly
                known.visits = max(known.visits, merged.visits)
                known.visit_until = max(known.visit_until, merged.visit_until)
        self.episodes = [episode for episode in self.episodes if episode.series.template_id not in roots]

    def forget(self, until: datetime) -> None:
        """Episodes that are over and opened before."""
        self.episodes = [episode for episode in self.episodes if episode.is_open or episode.opened >= until]

    def to_state(self) -> dict[str, Any]:
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "visits": self._visits,
            "logs": self._logs,
            "episodes": [episode.to_state() for episode in self.episodes if episode.is_open],
            "templates": [[template_id, *astuple(known)] for template_id, known in self._templates.items()],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        catalogue = cls(datetime.fromisoformat(state["since"]))
        catalogue.until = datetime.fromisoformat(state["until"])
        catalogue._visits, catalogue._logs = state["visits"], state["logs"]
        catalogue.episodes = [Episode.from_state(plain) for plain in state["episodes"]]
        catalogue._templates = {template_id: _Template(*values) for template_id, *values in state["templates"]}
        return catalogue

    def _visit(self, template_id: int, count: int, level: int, bucket: datetime, *, is_watched: bool) -> None:
        now = self.until.timestamp()
        known = self._templates.get(template_id)
        if known is None:
            known = self._templates[template_id] = _Template(level, 0.0, 0, 0.0, -math.inf, 0)
            is_new = True
        else:
            is_new = known.visits <= 1 and now - known.visit_until <= _AWAY.total_seconds()
            known.weekly *= math.exp((known.visit_until - now) / _WEEK.total_seconds())
        if now - known.visit_until > _AWAY.total_seconds():
            if known.visits and not is_watched:
                self._learn(known)
            known.visits += 1
            known.visit_from, known.size = bucket.timestamp(), 0
        known.level = level
        known.weekly += count
        known.visit_until = now
        known.size += count
        if not is_watched:
            self._judge(template_id, known, bucket, is_new=is_new)

    def _learn(self, known: _Template) -> None:
        """From a visit that is over."""
        kept = 1 - 1 / 200
        self._visits = self._visits * kept + 1
        self._logs = self._logs * kept + min(known.size, 3 * self._logs / self._visits + 3)

    def _judge(self, template_id: int, known: _Template, bucket: datetime, *, is_new: bool) -> None:
        buckets = (bucket - self.since) / BUCKET
        if known.level < LEAST_LEVEL or bucket - self.since < LEARNING:
            return
        span = max(1.0, (self.until.timestamp() - known.visit_from) / BUCKET.total_seconds())
        probability = min(1.0, (known.visits - 0.5) * span / buckets)
        another = 1 - self._visits / self._logs  # probability that a visit has one log more
        surprise = -math.log(probability) - (known.size - 1) * math.log(another)
        needed = ALARM_SURPRISE + math.log(len(self._templates))
        series = Series(0, template_id)
        place = next((at for at, each in enumerate(self.episodes) if each.is_open and each.series == series), None)
        if place is None and surprise < needed:
            return
        onset = datetime.fromtimestamp(known.visit_from, bucket.tzinfo)
        found = Episode(
            series=series,
            opened=bucket,
            kind=Kind.NEW_TEMPLATE if is_new else Kind.RARE_TEMPLATE,
            onset=onset,
            last=self.until,
            score=surprise / (surprise + needed),
            observed=known.size,
            expected=0.0 if is_new else probability * self._logs / self._visits,
            window=(onset, self.until),
            baseline_from=self.since,
        )
        if place is None:
            self.episodes.append(found)
        else:
            before = self.episodes[place]
            score = max(before.score, found.score)
            self.episodes[place] = replace(found, opened=before.opened, kind=before.kind, score=score)

    def _end_episodes(self) -> None:
        """Those whose template stayed away, or has been there for so long that it is no longer news."""
        kept = []
        for episode in self.episodes:
            is_over = self.until - episode.last > _AWAY or self.until - episode.onset > _KNOWN_AFTER
            kept.append(replace(episode, is_open=False) if is_over else episode)
        self.episodes = kept
