"""The same traffic as logs that can be sent."""

import random
import string
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from scenarios.catalogue import BANNER
from scenarios.chance import thinned
from scenarios.counting import effects_on, kept, others, slots
from scenarios.model import MINUTE, SLOT, Application, Flow, Scenario, Template

type Log = dict[str, Any]

_HOSTS = 3
_PLACES: dict[str, Callable[[random.Random], str]] = {
    "id": lambda chance: str(chance.randrange(100_000, 10_000_000)),
    "uuid": lambda chance: str(uuid.UUID(int=chance.getrandbits(128), version=4)),
    "hash": lambda chance: f"{chance.getrandbits(64):016x}",
    "ms": lambda chance: str(round(chance.lognormvariate(4, 1))),
    "count": lambda chance: str(chance.randrange(2, 5_000)),
    "digit": lambda chance: str(chance.randrange(10)),
    "ip": lambda chance: f"198.51.{chance.randrange(100, 120)}.{chance.randrange(1, 255)}",
    "user": lambda chance: f"u{chance.randrange(10_000, 60_000)}",
    "email": lambda chance: f"u{chance.randrange(10_000, 60_000)}@example.com",
}


def logs(scenario: Scenario, application: Application) -> Iterator[Log]:
    """Records for ``POST /api/ingest``, slot after slot."""
    chance = random.Random(f"logs {scenario.seed} {application.name}")
    for at, requests in slots(chance, scenario, application):
        for flow, count in requests:
            for _ in range(count):
                yield from _request(chance, application, flow, at)
        for minute, template, number in others(chance, application, at):
            for _ in range(number):
                trace_id = "" if template in BANNER else _trace_id(chance)
                yield _log(chance, application, template, _within(chance, minute, MINUTE), trace_id)


def _request(chance: random.Random, application: Application, flow: Flow, slot: datetime) -> Iterator[Log]:
    """What one request logs within a second or so."""
    at, trace_id = _within(chance, slot, SLOT), _trace_id(chance)
    effects = effects_on(application, slot)
    for template, share in flow.steps:
        if thinned(chance, 1, share * kept(effects, template)):
            yield _log(chance, application, template, at, trace_id)
            at += timedelta(milliseconds=chance.randrange(1, 400))


def _log(chance: random.Random, application: Application, template: Template, at: datetime, trace_id: str) -> Log:
    places = (place for _, place, _, _ in string.Formatter().parse(template.text) if place)
    log = {
        "timestamp": at.isoformat(),
        "level": template.level,
        "message": template.text.format_map({place: _PLACES[place](chance) for place in places}),
        "service": application.name,
        "host": f"{application.name}-{chance.randrange(_HOSTS)}",
        "version": application.version(at),
    }
    return log | {"trace_id": trace_id} if trace_id else log


def _trace_id(chance: random.Random) -> str:
    return f"{chance.getrandbits(128):032x}"


def _within(chance: random.Random, since: datetime, length: timedelta) -> datetime:
    return since + length * chance.random()
