"""What applications log, how often, and what goes wrong. Rates are logs per minute of an average time."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=7)
SLOT_MINUTES = 5  # chance is drawn for so many minutes at once
SLOT = SLOT_MINUTES * MINUTE


@dataclass(frozen=True, slots=True, order=True)
class Template:
    """``text`` has places such as {ms} where values go. Equal templates are one."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Rhythm:
    """``swing`` over the day is from 0 to 1, highest at ``peak_hour``; ``weekend`` is in units of other days."""

    peak_hour: float = 12.0
    swing: float = 0.0
    weekend: float = 1.0

    def factor(self, at: datetime) -> float:
        """The rate in units of an average weekday's."""
        angle = 2 * math.pi * (at.hour + at.minute / 60 - self.peak_hour) / 24
        daily = 1 + self.swing * (0.8 * math.cos(angle) + 0.2 * math.cos(2 * angle))
        return daily * (self.weekend if at.weekday() >= 5 else 1.0)


STEADY = Rhythm()


@dataclass(frozen=True, slots=True)
class Flow:
    """What each request or job logs, under one trace id: each template with its probability."""

    rate: float
    rhythm: Rhythm
    steps: tuple[tuple[Template, float], ...]

    @property
    def templates(self) -> frozenset[Template]:
        return frozenset(template for template, _ in self.steps)


@dataclass(frozen=True, slots=True)
class Job:
    """About ``count`` logs within ``minutes``, each hour; or each day, or each week, at that hour."""

    template: Template
    count: int
    minutes: int
    minute: int
    hour: int | None = None
    weekday: int | None = None

    def starts(self, at: datetime) -> bool:
        """Whether it starts in this minute."""
        is_day = self.weekday is None or at.weekday() == self.weekday
        return is_day and at.minute == self.minute and self.hour in (None, at.hour)


@dataclass(frozen=True, slots=True)
class Start:
    """The application's processes start anew, maybe as another version, and log a little about it. ``news`` are
    harmless templates that this version brings."""

    at: datetime
    version: str
    news: tuple[tuple[Template, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """Of a template's usual logs the share ``keeps`` is left, and ``plus`` come per minute; if ``is_growing``, none of
    these at first and all of them at the end. ``repeats`` is the share of its requests that log it again."""

    template: Template
    since: datetime
    until: datetime
    keeps: float = 1.0
    plus: float = 0.0
    is_growing: bool = False
    repeats: float = 0.0

    def more(self, at: datetime) -> float:
        """What comes per minute of that slot beyond the usual."""
        return self.plus * ((at + SLOT / 2 - self.since) / (self.until - self.since) if self.is_growing else 1.0)


@dataclass(frozen=True, slots=True)
class Incident:
    """``templates`` are what an explanation may name, ``kinds`` what it may say of them; an anomaly of anything in
    ``touched`` is about this incident. From ``visible`` on, who knew all rates would be certain."""

    name: str
    onset: datetime
    visible: datetime
    until: datetime
    kinds: frozenset[str]
    templates: frozenset[Template]
    touched: frozenset[Template]
    effects: tuple[Effect, ...]
    version: str | None = None  # that brought it


@dataclass(frozen=True, slots=True)
class Application:
    """``noise`` is the relative scatter that all its rates share, ``growth`` that of a week."""

    name: str
    flows: tuple[Flow, ...]
    jobs: tuple[Job, ...]
    starts: tuple[Start, ...]
    banner: tuple[Template, ...]  # what it logs when it starts
    noise: float
    growth: float
    incidents: tuple[Incident, ...] = ()

    def version(self, at: datetime) -> str:
        """Which one runs."""
        return [start.version for start in self.starts if start.at <= at][-1]

    @property
    def templates(self) -> frozenset[Template]:
        """All that it may log."""
        known = {template for flow in self.flows for template in flow.templates}
        known |= {job.template for job in self.jobs} | set(self.banner)
        known |= {template for start in self.starts for template, _ in start.news}
        return frozenset(known | {effect.template for incident in self.incidents for effect in incident.effects})


@dataclass(frozen=True, slots=True)
class Scenario:
    """Nothing is to be judged before ``judged_from``; incidents come from ``incidents_from`` on."""

    seed: int
    since: datetime
    judged_from: datetime
    incidents_from: datetime
    until: datetime
    applications: tuple[Application, ...]
