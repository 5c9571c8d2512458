"""What goes wrong within requests while their number stays as it is."""

import math
import random
from dataclasses import replace
from datetime import datetime

from scenarios.applications import Size
from scenarios.catalogue import LONG_FLOWS
from scenarios.chance import surprise
from scenarios.incidents import CERTAIN, LONGEST, UNLUCKY, Maker
from scenarios.model import HOUR, SLOT, SLOT_MINUTES, Application, Effect, Flow, Incident, Template

_NEARLY_ALWAYS = 0.995  # of a step
_SETTLES = 1 * HOUR  # an incident lasts at least so much longer than it takes to be certain
_CHANCE = 0.003  # of requests without such a step, when all is well: as many as steps may have


def with_long_flows(chance: random.Random, application: Application) -> Application:
    """Its traffic is of requests that have some steps nearly always."""
    steps = [each for _, each in sorted(LONG_FLOWS.items())]
    chosen = iter(chance.sample(steps, len(steps)))
    flows = [
        replace(flow, steps=next(chosen)) if len(flow.steps) > 2 and flow.steps[0][1] == 1.0 else flow
        for flow in application.flows
    ]
    return replace(application, flows=tuple(flows))


def lost_step(chance: random.Random, application: Application, size: Size, at: datetime) -> Application:
    """Some of a flow's requests no longer have one of their steps."""
    flow, step = _step(chance, application)
    share = chance.uniform(0.05, 0.7)
    return _with_incident(chance, application, "lost step", flow, share, Effect(step, at, at, keeps=1 - share))


def repeated_step(chance: random.Random, application: Application, size: Size, at: datetime) -> Application:
    """Some of a flow's requests have one of their steps twice."""
    flow, step = _step(chance, application)
    share = chance.uniform(0.05, 0.7)
    return _with_incident(chance, application, "repeated step", flow, share, Effect(step, at, at, repeats=share))


SESSION_MAKERS: tuple[Maker, ...] = (lost_step, repeated_step)


def _step(chance: random.Random, application: Application) -> tuple[Flow, Template]:
    flow = chance.choice([flow for flow in application.flows if flow.steps in LONG_FLOWS.values()])
    return flow, chance.choice([step for step, share in flow.steps if share >= _NEARLY_ALWAYS])


def _with_incident(
    chance: random.Random, application: Application, name: str, flow: Flow, share: float, effect: Effect
) -> Application:
    at = effect.since
    visible = _visible(flow, share, at) or at + LONGEST
    until = max(at + chance.uniform(0.5, 4) * HOUR, visible + _SETTLES)
    incident = Incident(
        name=name,
        onset=at,
        visible=visible,
        until=until,
        kinds=frozenset({"session"}),
        templates=frozenset({effect.template}),
        touched=flow.templates,
        effects=(replace(effect, until=until),),
    )
    return replace(application, incidents=(*application.incidents, incident))


def _visible(flow: Flow, share: float, at: datetime) -> datetime | None:
    """When as many odd requests can no longer be chance, for who knows all shares and is unlucky."""
    requests, moment = 0.0, at
    while moment < at + LONGEST:
        requests += flow.rate * flow.rhythm.factor(moment) * SLOT_MINUTES
        moment += SLOT
        odd = requests * share
        if surprise(max(0.0, odd - UNLUCKY * math.sqrt(odd)), _CHANCE * requests, 0.0) >= CERTAIN:
            return moment
    return None
