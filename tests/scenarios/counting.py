"""Traffic as counts per minute: weeks in seconds."""

import random
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from scenarios.chance import poisson, thinned, wander
from scenarios.model import MINUTE, SLOT, SLOT_MINUTES, WEEK, Application, Effect, Flow, Scenario, Template

_FLOW_NOISE = 0.5  # of the application's, by which its flows differ
_PROCESSES = 3


class Count(NamedTuple):
    """Logs of a template in a minute."""

    minute: datetime
    template: Template
    number: int


def counts(scenario: Scenario, application: Application) -> Iterator[Count]:
    """All that the application logs, slot after slot; within a slot, and while a job runs, in any order."""
    chance = random.Random(f"counts {scenario.seed} {application.name}")
    for at, requests in slots(chance, scenario, application):
        effects = effects_on(application, at)
        for flow, count in requests:
            for template, share in flow.steps:
                yield from _spread(chance, at, template, thinned(chance, count, share * kept(effects, template)))
        yield from others(chance, application, at)


def slots(
    chance: random.Random, scenario: Scenario, application: Application
) -> Iterator[tuple[datetime, list[tuple[Flow, int]]]]:
    """Each slot with the requests of each flow that come in it."""
    shared = wander(chance, application.noise)
    flows = [(flow, wander(chance, application.noise * _FLOW_NOISE)) for flow in application.flows]
    at = scenario.since
    while at < scenario.until:
        level = SLOT_MINUTES * next(shared) * (1 + application.growth * ((at - scenario.since) / WEEK))
        yield (
            at,
            [(flow, poisson(chance, level * next(own) * flow.rate * flow.rhythm.factor(at))) for flow, own in flows],
        )
        at += SLOT


def others(chance: random.Random, application: Application, at: datetime) -> Iterator[Count]:
    """The slot's logs that belong to no request: of jobs and starting processes, of what versions and incidents add."""
    for start in application.starts:
        if at <= start.at < at + SLOT:
            yield from (Count(start.at, template, _PROCESSES) for template in application.banner)
        for template, rate in start.news if start.at <= at else ():
            yield from _spread(chance, at, template, poisson(chance, rate * SLOT_MINUTES))
    for effect in effects_on(application, at):
        yield from _spread(chance, at, effect.template, poisson(chance, effect.more(at) * SLOT_MINUTES))
    for minute in (at + number * MINUTE for number in range(SLOT_MINUTES)):
        for job in application.jobs:
            if job.starts(minute):
                total = max(1, round(job.count * chance.uniform(0.9, 1.1)))
                yield from _spread(chance, minute, job.template, total, job.minutes)


def effects_on(application: Application, at: datetime) -> list[Effect]:
    """Of the incidents of that time."""
    effects = (effect for incident in application.incidents for effect in incident.effects)
    return [effect for effect in effects if effect.since <= at < effect.until]


def kept(effects: list[Effect], template: Template) -> float:
    """The share of a template's usual logs that incidents leave."""
    return min((effect.keeps for effect in effects if effect.template == template), default=1.0)


def _spread(
    chance: random.Random, since: datetime, template: Template, count: int, minutes: int = SLOT_MINUTES
) -> Iterator[Count]:
    """Over these minutes, by chance; evenly where they are many."""
    if count == 1:
        yield Count(since + int(chance.random() * minutes) * MINUTE, template, 1)
        return
    each = count // minutes if count > 10 * minutes else 0
    numbers = [each] * minutes
    for _ in range(count - each * minutes):
        numbers[int(chance.random() * minutes)] += 1
    for minute, number in enumerate(numbers):
        if number:
            yield Count(since + minute * MINUTE, template, number)
