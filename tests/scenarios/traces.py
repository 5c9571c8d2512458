"""The same traffic as logs of traces: which template when, and under which trace id."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from scenarios.catalogue import BANNER
from scenarios.chance import thinned
from scenarios.counting import effects_on, kept, others, slots
from scenarios.model import MINUTE, SLOT, Application, Effect, Flow, Scenario, Template


class TracedLog(NamedTuple):
    """``trace_id`` is empty for what belongs to no request."""

    at: datetime
    template: Template
    trace_id: str


def traced_logs(scenario: Scenario, application: Application) -> Iterator[tuple[datetime, list[TracedLog]]]:
    """All that the application logs, by the slot in which it began."""
    chance = random.Random(f"traces {scenario.seed} {application.name}")
    for at, requests in slots(chance, scenario, application):
        effects = effects_on(application, at)
        found = [log for flow, count in requests for _ in range(count) for log in _request(chance, flow, effects, at)]
        for minute, template, number in others(chance, application, at):
            found += [
                TracedLog(minute + MINUTE * chance.random(), template, _trace_id(chance, template))
                for _ in range(number)
            ]
        yield at, found


def _request(chance: random.Random, flow: Flow, effects: list[Effect], slot: datetime) -> Iterator[TracedLog]:
    at, trace_id = slot + SLOT * chance.random(), f"{chance.getrandbits(64):016x}"
    for template, share in flow.steps:
        repeats = max((each.repeats for each in effects if each.template == template), default=0.0)
        for _ in range(thinned(chance, 1, share * kept(effects, template)) * (1 + (chance.random() < repeats))):
            yield TracedLog(at, template, trace_id)
            at += timedelta(milliseconds=chance.randrange(1, 400))


def _trace_id(chance: random.Random, template: Template) -> str:
    return "" if template in BANNER else f"{chance.getrandbits(64):016x}"
