"""What goes wrong, when, and what may be said of it."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from scenarios.applications import Size
from scenarios.catalogue import ACCOUNT_LOCKED, BUGS, LEAKS, LOGIN_FAILED, UNHANDLED
from scenarios.chance import surprise
from scenarios.model import HOUR, MINUTE, SLOT, SLOT_MINUTES, Application, Effect, Flow, Incident, Start, Template

CERTAIN = 16.0  # -ln of the probability that it is chance: one false alarm in centuries, of twenty rates
UNLUCKY = 1.64  # standard deviations: of 20 incidents, 19 show more
LONGEST = 14 * HOUR
_SETTLES = 40 * MINUTE  # an incident lasts at least so much longer than it takes to be certain
_TOO_MANY = frozenset({"spike", "burst", "shift", "ramp"})

type Maker = Callable[[random.Random, Application, Size, datetime], Application]


def bad_deploy(chance: random.Random, application: Application, size: Size, at: datetime) -> Application:
    """A version fails some of a flow's requests in ways that were not seen before, until the one before comes back."""
    flow = chance.choice(_flows(application))
    failing = chance.uniform(0.1, 0.5)
    bugs = [Template("ERROR", text) for text in chance.sample(BUGS, chance.randint(1, 3))]
    rate = max(failing * flow.rate * flow.rhythm.factor(at), 10 * size.least)
    until = at + chance.uniform(40, 180) * MINUTE
    effects = (
        *(Effect(bug, at, until, plus=rate * chance.uniform(0.3, 1.0)) for bug in bugs),
        Effect(UNHANDLED, at, until, plus=rate),
        Effect(flow.steps[-1][0], at, until, keeps=1 - failing),
    )
    before = application.version(at)
    bad = f"{before.rpartition('.')[0]}.{chance.randint(50, 99)}"
    named = frozenset([*bugs, UNHANDLED])
    others = (start for start in application.starts if not at <= start.at <= until)
    return _with_incident(
        replace(application, starts=_sorted((*others, Start(at, bad), Start(until, before)))),
        Incident(
            name="bad deploy",
            onset=at,
            visible=at,
            until=until,
            kinds=_TOO_MANY | {"new_template"},
            templates=named,
            touched=named | flow.templates | set(application.banner),
            effects=effects,
            version=bad,
        ),
    )


def silent_service(chance: random.Random, application: Application, size: Size, at: datetime) -> Application:
    """A flow stops, until somebody restarts it."""
    flow = max(chance.sample(_flows(application), 2), key=lambda flow: flow.rate)
    stops = (Effect(template, at, at + LONGEST, keeps=0.0) for template in sorted(flow.templates))
    return _with_lasting_incident(
        application, "silent service", at, chance.uniform(0.5, 4) * HOUR, {"silence", "drop"}, tuple(stops)
    )


def slow_leak(chance: random.Random, application: Application, size: Size, at: datetime) -> Application:
    """A warning comes ever more often, until a restart."""
    (leak,) = application.templates & set(LEAKS)
    until = at + chance.uniform(4, 8) * HOUR
    most = size.least * chance.uniform(3, 10)
    grows = Effect(leak, at, until, plus=most, is_growing=True)
    return _with_lasting_incident(
        application, "slow leak", at, until - at, {"ramp", "shift", "burst"}, (grows,), ends_by_restart=True
    )


def login_storm(chance: random.Random, application: Application, size: Size, at: datetime) -> Application:
    """Somebody tries many users' passwords."""
    until = at + chance.uniform(20, 90) * MINUTE
    rate = size.least * chance.uniform(10, 60)
    effects = (Effect(LOGIN_FAILED, at, until, plus=rate), Effect(ACCOUNT_LOCKED, at, until, plus=rate / 40))
    return _with_lasting_incident(application, "login storm", at, until - at, {"spike", "burst", "shift"}, effects)


MAKERS: tuple[Maker, ...] = (bad_deploy, silent_service, slow_leak, login_storm)


def usual_rate(application: Application, template: Template, at: datetime) -> float:
    """Logs per minute, when all is well."""
    return sum(
        flow.rate * flow.rhythm.factor(at) * share
        for flow in application.flows
        for step, share in flow.steps
        if step == template
    )


def _flows(application: Application) -> list[Flow]:
    """Those that carry the traffic."""
    return [flow for flow in application.flows if len(flow.steps) > 1]


def _with_lasting_incident(
    application: Application,
    name: str,
    at: datetime,
    duration: timedelta,
    kinds: set[str],
    effects: tuple[Effect, ...],
    *,
    ends_by_restart: bool = False,
) -> Application:
    """One that lasts until it can be seen, at least."""
    visible = min(filter(None, (_visible(application, effect) for effect in effects)), default=at + LONGEST)
    until = max(at + duration, visible + _SETTLES)
    named = frozenset(effect.template for effect in effects)
    incident = Incident(
        name=name,
        onset=at,
        visible=visible,
        until=until,
        kinds=frozenset(kinds),
        templates=named,
        touched=named | (frozenset(application.banner) if ends_by_restart else frozenset()),
        effects=tuple(replace(effect, until=until) for effect in effects),
    )
    if ends_by_restart:
        start = Start(until, application.version(until))
        application = replace(application, starts=_sorted((*application.starts, start)))
    return _with_incident(application, incident)


def _with_incident(application: Application, incident: Incident) -> Application:
    return replace(application, incidents=(*application.incidents, incident))


def _sorted(starts: tuple[Start, ...]) -> tuple[Start, ...]:
    return tuple(sorted(starts, key=lambda start: start.at))


def _visible(application: Application, effect: Effect) -> datetime | None:
    """When the logs since some time after the onset can no longer be chance, for who knows all rates and is unlucky."""
    slots = list(_slots(effect.since, min(effect.until, effect.since + LONGEST)))
    usual = [usual_rate(application, effect.template, at) * SLOT_MINUTES for at in slots]
    count = [mean * effect.keeps + effect.more(at) * SLOT_MINUTES for mean, at in zip(usual, slots, strict=True)]
    for end, at in enumerate(slots, 1):
        windows = ((sum(count[start:end]), sum(usual[start:end])) for start in range(end))
        if max(_least_surprise(seen, mean, application.noise) for seen, mean in windows) >= CERTAIN:
            return at
    return None


def _least_surprise(count: float, usual: float, noise: float) -> float:
    """With as few of the unusual logs, or as many of the usual ones, as chance allows."""
    luck = UNLUCKY * math.sqrt(count + (noise * count) ** 2)
    return surprise(max(usual, count - luck) if count > usual else min(usual, count + luck), usual, noise)


def _slots(since: datetime, until: datetime) -> Iterator[datetime]:
    while since < until:
        yield since
        since += SLOT
